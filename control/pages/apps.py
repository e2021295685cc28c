"""Apps: the end-user apps that log in here, registered, pointed elsewhere, given a new secret, discarded."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import unfit_logins
from bindings.app_credentials import rotate_secret as new_secret
from bindings.apps import TYPES, App, find_app
from control.pages.parts.asked import words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.deliveries import deliveries_of
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import past_of
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.apps import ADDRESSES, require_sendable, tell_app_changed
from tenants.phones import Product
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.seats import most_used
from tenants.tree import Kind, Tenant

SEATS_SHOWN = 10
"""Companies whose seats of an app's product stand on its page."""

SORTS: dict[str, sa.SQLColumnExpression[Any]] = {"id": App.id, "name": App.name}


@get("/apps", may=Permission.SEE_APPS, outlives=False, include_in_schema=False)
async def list_apps(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The apps of those in reach, and those of the levels above, which one's own people use too."""
    cursor = words_in(request.query_params, "cursor") or None
    statement = sa.select(App).where(App.discarded_at.is_(None))
    found = await page_of(session, statement, SORTS, sort="name", cursor=cursor)
    owners = sa.select(Tenant).where(Tenant.id.in_([app.tenant_id for app in found.items]))
    return page(
        request,
        "apps/list.html",
        title=speech(request)("Apps"),
        apps=found.items,
        owners={owner.id: owner for owner in await session.scalars(owners)},
        products=await _products(session),
        next=found.next,
        cursor=cursor,
        may_change=_may_manage(request.user),
    )


@get("/apps/new", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def new_app(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The form for a new one of the reader's own organization."""
    return await _new(request, session)


@post(
    "/apps/new",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/new",
    include_in_schema=False,
)
async def register_app(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """Register it; its secret is on the page that answers, and nowhere after."""
    fields, actor = await read_fields(request), request.user.actor
    owner = await session.get(Tenant, actor.standing.tenant_id) if actor else None
    if actor is None or owner is None:
        raise OutOfReach
    try:
        app, secret = await App.register(
            session,
            actor,
            owner,
            name=fields.text("name"),
            redirect_uris=_lines(fields, "redirect_uris"),
            now=request.user.now,
            client_id=fields.text("client_id").strip() or None,
            kind=fields.text("type") or "web",
            product=await session.get(Product, fields.number("product") or 0),
            needs_extension=bool(fields.text("needs_extension")),
            admin_only=bool(fields.text("admin_only")),
            fallback=await _fallback(session, fields),
            login_uri=fields.text("login_uri").strip() or None,
            post_logout_redirect_uris=_lines(fields, "post_logout_redirect_uris"),
            handoff_uri=fields.text("handoff_uri").strip() or None,
            backchannel_logout_uri=_told_at(request, fields),
        )
    except (Invalid, Conflict) as refusal:
        return await _new(request, session, fields, refusal)
    return await _told(request, session, app, secret)


async def _new(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    return page(
        request,
        "apps/new.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Register an app"),
        types=TYPES,
        products=await _products(session),
        fallbacks=await _fallbacks(session),
        fields=fields,
        errors=errors_of(refusal),
    )


@get("/apps/{app_id:int}", may=Permission.SEE_APPS, outlives=False, include_in_schema=False)
async def show_app(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template:
    """What it is, where it may send people, and who owns it."""
    return await _show(request, session, await find_app(session, app_id))


@post(
    "/apps/{app_id:int}",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}",
    include_in_schema=False,
)
async def change_app(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template | Redirect:
    """Point it elsewhere: a destination for logins outlives a stand-in."""
    app, fields = await own_app(session, app_id), await read_fields(request)
    try:
        addresses = _lines(fields, "redirect_uris")
        if not addresses:
            raise Invalid("At least one redirect address is needed.", field="redirect_uris")
        wanted = {
            "name": fields.text("name"),
            "redirect_uris": addresses,
            "post_logout_redirect_uris": _lines(fields, "post_logout_redirect_uris"),
            "login_uri": fields.text("login_uri").strip() or None,
            "handoff_uri": fields.text("handoff_uri").strip() or None,
            "backchannel_logout_uri": _told_at(request, fields),
        }
        unseen = await unseen_changes(session, request.user, app, fields, wanted)
        if unseen.lines:
            return await _show(request, session, app, fields, unseen=unseen)
        say = await _change(request, session, app, wanted)
    except (Invalid, Conflict) as refusal:
        return await _show(request, session, app, fields, refusal)
    return see_other(request, f"/apps/{app.id}", say=say)


async def _change(request: Request[Visitor, Any, Any], session: AsyncSession, app: App, wanted: dict[str, Any]) -> str:
    """Change it, and have those told whose people are sent elsewhere now. Returns what to say."""
    before = {name: getattr(app, name) for name in ADDRESSES}
    await unfit_logins.change_app(session, app, request.user.now, **wanted)
    moved = [name for name, value in before.items() if getattr(app, name) != value]
    actor, house, _ = request.user.actor, request.app.state.house, speech(request)
    told = await tell_app_changed(house, session, actor, app, moved, request.user.now) if moved and actor else 0
    return _("Saved. Admins told by letter: %(count)s.") % {"count": told} if told else _("Saved.")


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    app: App,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Template:
    unseen = unseen or Unseen(app.last_entry_id)
    owner = await session.get(Tenant, app.tenant_id)
    actor = request.user.actor
    reads = actor is not None and actor.may(Permission.READ_HISTORY)
    return page(
        request,
        "apps/show.html",
        status=refusal.status if refusal else unseen.status,
        title=app.name,
        crumbs=await _crumbs(request, session, app, owner),
        app=app,
        owner=owner,
        product=await session.get(Product, app.product_id) if app.product_id else None,
        seats=await most_used(session, app.product_id, SEATS_SHOWN) if app.product_id else [],
        fallback=await session.get(App, app.fallback_id) if app.fallback_id else None,
        may_change=_may_manage(request.user) and owner is not None and app.discarded_at is None,
        may_let_exchange=(
            actor is not None
            and not actor.standing_in
            and actor.standing.tenant_kind == Kind.PLATFORM
            and _may_manage(request.user)
            and app.type == "web"
            and app.discarded_at is None
        ),
        fresh=_fresh(request.user),
        deliveries=await deliveries_of(request, session, app_id=app.id),
        past=await past_of(request, session, "apps", app.id) if reads and owner else None,
        fields=fields,
        typed=fields is not UNTOUCHED,
        errors=errors_of(refusal),
        unseen=unseen,
    )


@get("/apps/{app_id:int}/secret", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def ask_secret(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template:
    """The question before a new secret: the old one ends."""
    app = await own_app(session, app_id)
    return page(request, "apps/rotate.html", title=app.name, app=app)


@post(
    "/apps/{app_id:int}/secret",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}/secret",
    include_in_schema=False,
)
async def rotate_secret(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template:
    """A new secret, on the page that answers and nowhere after."""
    app = await own_app(session, app_id)
    return await _told(request, session, app, await new_secret(session, app, request.user.now))


@get("/apps/{app_id:int}/discard", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def ask_discard(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template:
    """The question before it: its client id has to be typed."""
    return _discard_form(request, await own_app(session, app_id))


@post(
    "/apps/{app_id:int}/discard",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}/discard",
    include_in_schema=False,
)
async def discard_app(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template | Redirect:
    """No more logins through it, once its client id was typed."""
    app, fields = await own_app(session, app_id), await read_fields(request)
    if fields.text("client_id").strip() != app.client_id:
        wrong = Invalid(speech(request)("Type the client id as it is shown."), field="client_id")
        return _discard_form(request, app, wrong)
    await unfit_logins.discard_app(session, app, request.user.now)
    return see_other(request, "/apps", say=speech(request)("%(name)s was discarded.") % {"name": app.name})


def _discard_form(request: Request[Visitor, Any, Any], app: App, refusal: Refusal | None = None) -> Template:
    status = refusal.status if refusal else 200
    return page(request, "apps/discard.html", status=status, title=app.name, app=app, errors=errors_of(refusal))


async def _told(request: Request[Visitor, Any, Any], session: AsyncSession, app: App, secret: str | None) -> Template:
    owner = await session.get(Tenant, app.tenant_id)
    crumbs = await _crumbs(request, session, app, owner)
    return page(request, "apps/secret.html", title=app.name, crumbs=crumbs, app=app, secret=secret)


async def own_app(session: AsyncSession, app_id: int) -> App:
    """The app, when its owner is in reach too: those of the levels above are seen and not touched."""
    app = await find_app(session, app_id)
    if await session.get(Tenant, app.tenant_id) is None:
        raise NotPermitted("This app belongs to a level above yours. Ask them to change it.", rule="owner")
    return app


async def _crumbs(
    request: Request[Visitor, Any, Any], session: AsyncSession, app: App, owner: Tenant | None
) -> list[dict[str, Any]]:
    # Whose app it is, above the reader, is not told: the list of apps stands in its place.
    above: list[tuple[str, str]] = [] if owner else [("/apps", speech(request)("Apps"))]
    return await crumbs_to(session, owner.path if owner else "/0/", *above, (f"/apps/{app.id}", app.name))


async def _products(session: AsyncSession) -> dict[int, str]:
    found = await session.scalars(sa.select(Product).order_by(Product.name))
    return {product.id: product.name for product in found}


async def _fallbacks(session: AsyncSession) -> list[App]:
    return list(await session.scalars(sa.select(App).where(App.discarded_at.is_(None)).order_by(App.name).limit(200)))


async def _fallback(session: AsyncSession, fields: Fields) -> App | None:
    number = fields.number("fallback")
    return await find_app(session, number) if number else None


def _lines(fields: Fields, name: str) -> list[str]:
    """The addresses of a field of several lines."""
    return [line.strip() for line in fields.text(name).splitlines() if line.strip()]


def _told_at(request: Request[Visitor, Any, Any], fields: Fields) -> str | None:
    """Where it wants to be told of logouts: an address that we would send to."""
    address = fields.text("backchannel_logout_uri").strip()
    if address:
        require_sendable(request.app.state.house.settings, address, "backchannel_logout_uri")
    return address or None


def _may_manage(visitor: Visitor) -> bool:
    return visitor.actor is not None and visitor.actor.may(Permission.MANAGE_APPS)


def _fresh(visitor: Visitor) -> bool:
    """Where logins end up is changed by who has just proved who they are, not by who found a screen unlocked."""
    return visitor.sign_in is not None and visitor.sign_in.fresh(visitor.now)


ROUTES = [
    list_apps,
    new_app,
    register_app,
    show_app,
    change_app,
    ask_secret,
    rotate_secret,
    ask_discard,
    discard_app,
]
