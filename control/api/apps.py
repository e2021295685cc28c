"""Apps: OpenID Connect clients. A secret is shown once, when it is made."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from litestar.params import JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType, field
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import unfit_logins
from bindings.app_credentials import old_secret_until, proof_of
from bindings.app_use import last_logins
from bindings.apps import App, find_app, find_client
from control.api.doors import Asked, Session, acting, alters, creates, reads
from control.api.licences import find_product
from control.api.lists import Asking, page
from control.api.shapes import Address, Id, Listed, Named, PathId, Sent, Text, given, refer, tenants_named
from control.writing.apps import ADDRESSES, require_sendable
from tenants.phones import Product
from tenants.refusals import NotPermitted, OutOfReach
from tenants.roles import Permission
from tenants.text import clean
from tenants.tree import Tenant, find_tenant

MANAGE, SEE = Permission.MANAGE_APPS, Permission.SEE_APPS
Addresses = Annotated[list[Address], Meta(max_length=50)]
Scopes = Annotated[list[Literal["openid", "profile", "email"]], Meta(description="What it may ask for; null for all.")]
Algorithm = Literal["ES256", "RS256"]
Keys = Annotated[dict[str, Any], Meta(description="A JSON Web Key Set of public keys (RFC 7517).")]


class AppShape(Struct, kw_only=True):
    """An app. `tenant` is its owner, null where that lies above your reach."""

    id: int
    client_id: str
    name: str
    type: str
    tenant: Named | None
    product: Named | None
    needs_extension: bool
    admin_only: bool
    fallback: str | None
    login_uri: str | None
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    handoff_uri: str | None
    backchannel_logout_uri: str | None
    signals_uri: str | None
    """Where it is told of security events (RFC 8935)."""
    proof: Literal["secret", "keys", "none"]
    """How it shows that it is itself; `none` where it can keep neither a secret nor a key."""
    jwks: dict[str, Any] | None
    """The public keys that it proves itself by (RFC 7523)."""
    old_secret_until: datetime | None
    """Until then the secret of before is good as well; null where none is."""
    scopes: list[str]
    """What it may ask for."""
    dpop: bool
    """Its tokens are bound to a key of its own, always (RFC 9449)."""
    id_token_alg: str
    first_party: bool
    exchanges: bool
    """It may exchange an operator's token (RFC 8693); the platform's admins say so, in the panel."""
    created_at: datetime
    last_login_at: datetime | None
    """The newest login in your reach."""
    discarded_at: datetime | None
    client_secret: str | UnsetType = UNSET
    """Only in the answer that made it, and never in a replay."""


class NewApp(Sent):
    """A client to register. `tenant` owns it, your own when it is left out; `fallback` is a client id.

    At `handoff_uri` an impersonation is opened in a new tab; at `backchannel_logout_uri` it is told of logouts. With
    `jwks`, a set of public keys, a web app proves itself by those and gets no secret.
    """

    name: Text
    redirect_uris: Addresses
    client_id: Text | None = None
    type: Literal["web", "spa", "native"] = "web"
    product: Text | None = None
    needs_extension: bool = False
    admin_only: bool = False
    fallback: Text | None = None
    login_uri: Address | None = None
    post_logout_redirect_uris: Addresses = field(default_factory=list)
    handoff_uri: Address | None = None
    backchannel_logout_uri: Address | None = None
    jwks: Keys | None = None
    scopes: Scopes | None = None
    dpop: bool = False
    id_token_alg: Algorithm = "ES256"
    tenant: Id | None = None


class AppChange(Sent):
    """What changes of an app."""

    name: Text | UnsetType = UNSET
    product: Text | UnsetType | None = UNSET
    needs_extension: bool | UnsetType = UNSET
    admin_only: bool | UnsetType = UNSET
    fallback: Text | UnsetType | None = UNSET
    scopes: Scopes | UnsetType | None = UNSET
    dpop: bool | UnsetType = UNSET
    id_token_alg: Algorithm | UnsetType = UNSET
    redirect_uris: Addresses | UnsetType = UNSET
    post_logout_redirect_uris: Addresses | UnsetType = UNSET
    login_uri: Address | UnsetType | None = UNSET
    handoff_uri: Address | UnsetType | None = UNSET
    backchannel_logout_uri: Address | UnsetType | None = UNSET


@reads("/apps", may=SEE, summary="List the apps in reach")
async def list_apps(request: Asked, session: Session, listing: Asking) -> Listed[AppShape]:
    """The apps of your reach, and those of organizations above that your people use."""
    wanted = sa.select(App).where(listing.like(App.name, App.client_id), listing.still_there(App.discarded_at))

    async def shaped(apps: Sequence[App]) -> list[AppShape]:
        return await _shapes(session, apps, request.user.now)

    columns = {"id": App.id, "name": App.name, "client_id": App.client_id}
    return await page(session, wanted, columns, listing, shaped)


@reads("/apps/{app_id:int}", may=SEE, summary="Show an app")
async def show_app(request: Asked, session: Session, app_id: PathId) -> AppShape:
    """The app, when in reach; never its secret."""
    return await app_shape(request, session, await find_app(session, app_id))


@creates("/apps", may=MANAGE, outlives=True, summary="Register an app")
async def register_app(request: Asked, session: Session, data: JSONBody[NewApp]) -> AppShape:
    """A new client; for a web app with its secret, shown once."""
    actor = acting(request)
    if data.backchannel_logout_uri is not None:
        settings = request.app.state.house.settings
        require_sendable(settings, data.backchannel_logout_uri, "backchannel_logout_uri")
    owner = await find_tenant(session, data.tenant if data.tenant is not None else actor.standing.tenant_id)
    app, secret = await App.register(
        session,
        actor,
        owner,
        name=data.name,
        redirect_uris=data.redirect_uris,
        now=request.user.now,
        client_id=data.client_id,
        kind=data.type,
        product=await find_product(session, data.product) if data.product is not None else None,
        needs_extension=data.needs_extension,
        admin_only=data.admin_only,
        fallback=await known_client(session, data.fallback) if data.fallback is not None else None,
        login_uri=data.login_uri,
        post_logout_redirect_uris=data.post_logout_redirect_uris,
        handoff_uri=data.handoff_uri,
        backchannel_logout_uri=data.backchannel_logout_uri,
        jwks=data.jwks,
        scopes=list(data.scopes) if data.scopes is not None else None,
        dpop=data.dpop,
        id_token_alg=data.id_token_alg,
    )
    return await app_shape(request, session, app, secret)


@alters("/apps/{app_id:int}", may=MANAGE, outlives=True, summary="Change an app")
async def change_app(request: Asked, session: Session, app_id: PathId, data: JSONBody[AppChange]) -> AppShape:
    """Its name, product and needs. Addresses ask for a fresh proof of who changes them, which no key can give."""
    app, fields = await own_app(session, app_id), given(data)
    moved = sorted(name for name in fields.keys() & set(ADDRESSES) if fields[name] != getattr(app, name))
    if moved:
        raise NotPermitted(
            f"A key cannot change {', '.join(moved)}: that asks for a fresh sign-in. Do it on the app's page.",
            rule="proof",
        )
    await unfit_logins.change_app(session, app, request.user.now, **await _columns(session, fields))
    return await app_shape(request, session, app)


@creates("/apps/{app_id:int}/discard", may=MANAGE, outlives=True, summary="Discard an app", status=200)
async def discard_app(request: Asked, session: Session, app_id: PathId) -> AppShape:
    """No more logins through it."""
    app = await own_app(session, app_id)
    await unfit_logins.discard_app(session, app, request.user.now)
    return await app_shape(request, session, app)


async def known_client(session: AsyncSession, client_id: str) -> App:
    """The live app with this client id; OutOfReach for any other."""
    app = await find_client(session, clean(client_id, "client_id"))
    if app is None:
        raise OutOfReach
    return app


async def own_app(session: AsyncSession, app_id: int) -> App:
    """An app of an organization above may be seen and used, and changed only there."""
    app = await find_app(session, app_id)
    if await session.get(Tenant, app.tenant_id) is None:
        raise NotPermitted("This app belongs to an organization above yours. Ask them.")
    return app


async def _columns(session: AsyncSession, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a PATCH as the columns they stand for."""
    columns = {name: value for name, value in fields.items() if name not in {"product", "fallback"}}
    if "product" in fields:
        columns["product_id"] = (await find_product(session, fields["product"])).id if fields["product"] else None
    if "fallback" in fields:
        columns["fallback_id"] = (await known_client(session, fields["fallback"])).id if fields["fallback"] else None
    return columns


async def app_shape(request: Asked, session: AsyncSession, app: App, secret: str | None = None) -> AppShape:
    """One app as it is answered, with a secret that was made just now."""
    shape = (await _shapes(session, [app], request.user.now))[0]
    if secret is not None:
        shape.client_secret = secret
    return shape


async def _shapes(session: AsyncSession, apps: Sequence[App], now: datetime) -> list[AppShape]:
    owners = await tenants_named(session, [app.tenant_id for app in apps])
    products = {product.id: refer(product) for product in await session.scalars(sa.select(Product))}
    fallbacks = sa.select(App.id, App.client_id).where(App.id.in_({app.fallback_id for app in apps} - {None}))
    clients: dict[int | None, str] = {row.id: row.client_id for row in await session.execute(fallbacks)}
    used = await last_logins(session, [app.id for app in apps])
    return [
        AppShape(
            id=app.id,
            client_id=app.client_id,
            name=app.name,
            type=app.type,
            tenant=owners.get(app.tenant_id),
            product=products.get(app.product_id) if app.product_id is not None else None,
            needs_extension=app.needs_extension,
            admin_only=app.admin_only,
            fallback=clients.get(app.fallback_id),
            login_uri=app.login_uri,
            redirect_uris=app.redirect_uris,
            post_logout_redirect_uris=app.post_logout_redirect_uris,
            handoff_uri=app.handoff_uri,
            backchannel_logout_uri=app.backchannel_logout_uri,
            signals_uri=app.signals_uri,
            proof=proof_of(app),
            jwks=app.jwks,
            old_secret_until=old_secret_until(app, now),
            scopes=list(app.may_ask),
            dpop=app.dpop,
            id_token_alg=app.id_token_alg,
            first_party=app.first_party,
            exchanges=app.exchanges,
            created_at=app.created_at,
            last_login_at=used.get(app.id),
            discarded_at=app.discarded_at,
        )
        for app in apps
    ]


ROUTES = [list_apps, show_app, register_app, change_app, discard_app]
