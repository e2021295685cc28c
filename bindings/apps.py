"""App: an end-user endpoint of a product, which is an OpenID Connect client."""

import ipaddress
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.public_keys import checked_keys
from tenants.actor import Actor
from tenants.credentials import digest, new_secret
from tenants.phones import Product
from tenants.reach import Extent, Reach
from tenants.records import Audited, Json, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.text import named, slugged
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb

TYPES = ("web", "spa", "native")
SCOPES = ("openid", "profile", "email")
"""What an app may ask for, unless it was given less."""
ID_TOKEN_ALGORITHMS = ("ES256", "RS256")
"""What its ID tokens may be signed with: the second for libraries that know nothing newer."""
LONGEST_CHAIN = 10
"""Apps that may lead on to one another."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class App(Record, Audited):
    """An OpenID Connect client. It signs in only subjects at or below its owner."""

    __tablename__ = "apps"
    noun = "app"
    derived = frozenset({"last_used_at", "sweep_since"})
    secret = frozenset({"secret_hash", "old_secret_hash", "signals_token"})

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    client_id: Mapped[str] = mapped_column(sa.String(80), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    type: Mapped[str] = mapped_column(sa.String(10))
    secret_hash: Mapped[str | None] = mapped_column(sa.String(64))
    product_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("products.id"))
    needs_extension: Mapped[bool] = mapped_column(default=False)
    admin_only: Mapped[bool] = mapped_column(default=False)
    fallback_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("apps.id"))
    login_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    redirect_uris: Mapped[list[str]] = mapped_column(Json)
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(Json)
    first_party: Mapped[bool] = mapped_column(default=False)
    id_token_alg: Mapped[str] = mapped_column(sa.String(10), default="ES256")
    handoff_uri: Mapped[str | None] = mapped_column(sa.String(2000), default=None)
    """Where the panel opens an impersonation in a new tab, with the hand-off in the fragment."""
    backchannel_logout_uri: Mapped[str | None] = mapped_column(sa.String(2000), default=None)
    """Where the app wants to be told that a login has ended (OpenID Connect Back-Channel Logout 1.0)."""
    old_secret_hash: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    old_secret_until: Mapped[datetime | None] = mapped_column(default=None)
    """Until then the secret before the last rotation is good as well."""
    jwks: Mapped[dict[str, Any] | None] = mapped_column(Json, default=None)
    """The public keys by which it proves itself (RFC 7523), instead of a secret."""
    exchanges: Mapped[bool] = mapped_column(default=False)
    """It may exchange an operator's token (RFC 8693). The platform alone says so."""
    scopes: Mapped[list[str] | None] = mapped_column(Json, default=None)
    """What it may ask for; None for the usual ones."""
    dpop: Mapped[bool] = mapped_column(default=False)
    """Its tokens are bound to a key of its own (RFC 9449), always."""
    signals_uri: Mapped[str | None] = mapped_column(sa.String(2000), default=None)
    """Where it wants to be told of security events (RFC 8935)."""
    signals_token: Mapped[str | None] = mapped_column(sa.Text(), default=None)
    signals_status: Mapped[str] = mapped_column(sa.String(10), default="enabled")
    """What it says of them itself: enabled, paused or disabled (bindings/signal_streams.py)."""
    signals_requested: Mapped[list[str] | None] = mapped_column(Json, default=None)
    signals_about: Mapped[str | None] = mapped_column(sa.String(200), default=None)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    sweep_since: Mapped[datetime | None] = mapped_column(default=None)
    """What its open logins rest on has changed then: they are yet to be asked (bindings/unfit_logins.py)."""
    discarded_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its owner is, and the apps of those above, which one's own people use too."""
        if reach.whole or reach.extent is Extent.NOTHING:
            return sa.true() if reach.whole else sa.false()
        tree = Tenant.__table__
        above = sa.select(tree.c.id).where(tree.c.path.in_(Reach.ancestors_of(reach.path)))
        return sa.or_(reach.tenants(cls.tenant_id), cls.tenant_id.in_(above))

    def touches(self, reach: Reach) -> set[int] | None:
        """Its owner."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def register(
        cls,
        session: AsyncSession,
        actor: Actor,
        owner: Tenant,
        *,
        name: str,
        redirect_uris: list[str],
        now: datetime,
        client_id: str | None = None,
        kind: str = "web",
        product: Product | None = None,
        needs_extension: bool = False,
        admin_only: bool = False,
        fallback: "App | None" = None,
        login_uri: str | None = None,
        post_logout_redirect_uris: list[str] | None = None,
        first_party: bool = False,
        handoff_uri: str | None = None,
        backchannel_logout_uri: str | None = None,
        jwks: Any = None,
        scopes: list[str] | None = None,
        dpop: bool = False,
        id_token_alg: str = ID_TOKEN_ALGORITHMS[0],
    ) -> tuple["App", str | None]:
        """A new client, and for a web app without keys its secret, shown once.

        First-party is set by the platform only. Raises Invalid, Conflict.
        """
        if kind not in TYPES:
            raise Invalid(f"A type is one of {', '.join(TYPES)}.", field="type")
        if not redirect_uris:
            raise Invalid("At least one redirect address is needed.", field="redirect_uris")
        chosen = slugged(client_id or f"{name}-{new_secret()[:6]}", "client_id")
        if client_id is not None and chosen != client_id:
            raise Invalid("A client id is made of small letters, digits and hyphens.", field="client_id")
        clients = cls.__table__
        if (await session.execute(sa.select(clients.c.id).where(clients.c.client_id == chosen))).first() is not None:
            raise Conflict("This client id cannot be used. Choose another.", rule="client_id")
        platform = actor.true is None or actor.standing.tenant_kind == "platform"
        _require_product(admin_only, product.id if product else None)
        if fallback is not None:
            await _require_reachable(session, fallback, owner.path)
        keys = _checked_keys(jwks, kind)
        secret = new_secret() if kind == "web" and keys is None else None
        app = cls(
            tenant_id=owner.id,
            client_id=chosen,
            name=named(name),
            type=kind,
            secret_hash=digest(secret) if secret else None,
            product_id=product.id if product else None,
            needs_extension=needs_extension,
            admin_only=admin_only,
            fallback_id=fallback.id if fallback else None,
            login_uri=checked_uri(login_uri, kind, "login_uri") if login_uri else None,
            redirect_uris=[checked_uri(uri, kind, "redirect_uris") for uri in redirect_uris],
            post_logout_redirect_uris=[
                checked_uri(uri, kind, "post_logout_redirect_uris") for uri in post_logout_redirect_uris or []
            ],
            first_party=first_party and platform,
            handoff_uri=checked_handoff(handoff_uri, kind, redirect_uris) if handoff_uri else None,
            backchannel_logout_uri=(
                checked_uri(backchannel_logout_uri, "web", "backchannel_logout_uri") if backchannel_logout_uri else None
            ),
            jwks=keys,
            scopes=_checked_scopes(scopes),
            dpop=dpop,
            id_token_alg=_checked_algorithm(id_token_alg),
            created_at=now,
        )
        session.add(app)
        record(session, Verb.APP_CREATED, app)
        await session.flush()
        return app, secret

    async def change(self, session: AsyncSession, **fields: Any) -> None:
        """Change its name, addresses or needs; one entry with what really changed. Raises Invalid, NotPermitted."""
        fields = self._checked(fields)
        if fields.get("exchanges", self.exchanges) != self.exchanges:
            self._require_exchangeable(session.sync_session.info["actor"])
        if fields.get("first_party", self.first_party) != self.first_party:
            _require_platform(session.sync_session.info["actor"], "say which apps are the house's own")
        if fields.get("fallback_id", self.fallback_id) not in (None, self.fallback_id):
            await self._require_fallback(session, fields["fallback_id"])
        _require_product(fields.get("admin_only", self.admin_only), fields.get("product_id", self.product_id))
        changed = {key: value for key, value in fields.items() if getattr(self, key) != value}
        for key, value in changed.items():
            setattr(self, key, value)
        if changed:
            record(session, Verb.APP_CHANGED, self)
            await session.flush()

    def _checked(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The new values as they are kept. Raises Invalid for one that will not do."""
        checked = dict(fields)
        known = fields.get("redirect_uris", self.redirect_uris)
        checks: dict[str, Callable[[Any], Any]] = {
            "name": named,
            "redirect_uris": lambda uris: [checked_uri(uri, self.type, "redirect_uris") for uri in uris],
            "post_logout_redirect_uris": lambda uris: [
                checked_uri(uri, self.type, "post_logout_redirect_uris") for uri in uris
            ],
            "login_uri": lambda uri: checked_uri(uri, self.type, "login_uri") if uri else None,
            "handoff_uri": lambda uri: checked_handoff(uri, self.type, known) if uri else None,
            "backchannel_logout_uri": lambda uri: checked_uri(uri, "web", "backchannel_logout_uri") if uri else None,
            "scopes": _checked_scopes,
            "id_token_alg": _checked_algorithm,
            "jwks": lambda keys: _checked_keys(keys, self.type),
        }
        for name in fields.keys() & checks.keys():
            checked[name] = checks[name](fields[name])
        return checked

    def _require_exchangeable(self, actor: Actor) -> None:
        """The platform's admins say which apps may exchange tokens (RFC 8693), and only an app with a secret may."""
        _require_platform(actor, "let an app exchange tokens")
        if self.type != "web":
            raise Conflict("Only a web app may exchange tokens: no other keeps a secret.", rule="public_client")

    async def _require_fallback(self, session: AsyncSession, fallback_id: int) -> None:
        """An app that all whom this one turns away may use, and from which nobody is led back here."""
        owner = await session.get(Tenant, self.tenant_id)
        onward = await find_app(session, fallback_id)
        if owner is not None:
            await _require_reachable(session, onward, owner.path)
        apps, at = App.__table__, onward.id
        for _ in range(LONGEST_CHAIN):
            if at == self.id:
                break
            at = (await session.execute(sa.select(apps.c.fallback_id).where(apps.c.id == at))).scalar_one()
            if at is None:
                return
        raise Invalid("People would be led in a circle. Choose another app.", field="fallback")

    async def discard(self, session: AsyncSession, now: datetime) -> None:
        """No more logins through it."""
        if self.discarded_at is not None:
            raise Conflict(f"{self.name} is discarded already.")
        self.discarded_at = now
        record(session, Verb.APP_DISCARDED, self)
        await session.flush()

    @property
    def may_ask(self) -> tuple[str, ...]:
        """The scopes that it may ask for; `openid` always."""
        return may_ask(self.scopes)

    def accepts(self, redirect_uri: str) -> bool:
        """Exact match; a native app may use any port on a registered loopback address (RFC 8252 section 7.3)."""
        if redirect_uri in self.redirect_uris:
            return True
        return self.type == "native" and any(_same_but_port(redirect_uri, known) for known in self.redirect_uris)


def _require_platform(actor: Actor, what: str) -> None:
    if actor.true is not None and (actor.standing_in or actor.standing.tenant_kind != "platform"):
        raise NotPermitted(f"Only the platform's admins {what}.", rule="platform")


def _require_product(admin_only: bool, product_id: int | None) -> None:
    if admin_only and product_id is None:
        raise Invalid("Without a product there are no app admins whom it could be for.", field="admin_only")


async def _require_reachable(session: AsyncSession, fallback: App, path: str) -> None:
    """Whoever this app turns away can go on there: it belongs to the same owner, or to one above."""
    tree = Tenant.__table__
    place = (await session.execute(sa.select(tree.c.path).where(tree.c.id == fallback.tenant_id))).scalar_one()
    if not path.startswith(place):
        raise Invalid("That app is not for everybody who uses this one. Choose another.", field="fallback")


def _checked_keys(jwks: Any, kind: str) -> dict[str, Any] | None:
    """The keys that an app proves itself by; only one that runs on a server keeps the private halves to itself."""
    if jwks is None:
        return None
    if kind != "web":
        raise Invalid("Only a web app proves itself by keys: no other can keep one.", field="jwks")
    return checked_keys(jwks)


def may_ask(scopes: list[str] | None) -> tuple[str, ...]:
    """What an app with these `scopes` may ask for."""
    return tuple(each for each in SCOPES if scopes is None or each == "openid" or each in scopes)


def _checked_scopes(scopes: list[str] | None) -> list[str] | None:
    """In the usual order; None where there is no limit."""
    if scopes is None:
        return None
    if not set(scopes) <= set(SCOPES):
        raise Invalid(f"Scopes are {', '.join(SCOPES)}.", field="scopes")
    kept = may_ask(scopes)
    return None if kept == SCOPES else list(kept)


def _checked_algorithm(alg: str) -> str:
    if alg not in ID_TOKEN_ALGORITHMS:
        raise Invalid(f"ID tokens are signed with {' or '.join(ID_TOKEN_ALGORITHMS)}.", field="id_token_alg")
    return alg


def checked_uri(uri: str, kind: str, field: str) -> str:
    """An absolute address without fragment or user part; https, or http on this machine, or a native app's own."""
    uri = uri.strip()
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if not uri.isascii() or not uri.isprintable() or len(uri) > 2000 or "#" in uri or "\\" in uri or parts.username:
        raise Invalid("This address cannot be used.", field=field)
    local = host in LOOPBACK or host.endswith(".localhost")
    private = kind == "native" and "." in parts.scheme and not parts.netloc
    if not (private or (parts.scheme == "https" and host) or (parts.scheme == "http" and local)):
        raise Invalid("An address starts with https:// (http:// only on this machine).", field=field)
    return uri


def checked_handoff(uri: str, kind: str, redirect_uris: list[str]) -> str:
    """A page of the app itself: of an origin that it logs in at. Only pages can take a hand-off."""
    checked = checked_uri(uri, kind, "handoff_uri")
    if not urlsplit(checked).netloc or origin_of(checked) not in {origin_of(each) for each in redirect_uris}:
        raise Invalid("This is no address of a place where the app logs in.", field="handoff_uri")
    return checked


def origin_of(uri: str) -> str:
    """Where an address belongs (RFC 6454): scheme, host and port; of an app's own scheme, that scheme."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def _same_but_port(uri: str, known: str) -> bool:
    one, other = urlsplit(uri), urlsplit(known)
    if other.scheme != "http" or (other.hostname or "") not in LOOPBACK or "#" in uri or one.username:
        return False
    try:
        # Reading a port that is none raises as well.
        if one.port == 0:
            return False
        if one.hostname != "localhost":
            ipaddress.ip_address(one.hostname or "")
    except ValueError:
        return False
    return (one.scheme, one.hostname, one.path, one.query) == (other.scheme, other.hostname, other.path, other.query)


async def find_app(session: AsyncSession, app_id: int) -> App:
    """The app, when in reach; otherwise OutOfReach."""
    app = await session.get(App, app_id)
    if app is None:
        raise OutOfReach
    return app


async def find_client(session: AsyncSession, client_id: str) -> App | None:
    """The live app with this client id; None for any other."""
    wanted = sa.select(App).where(App.client_id == client_id, App.discarded_at.is_(None))
    return (await session.scalars(wanted)).one_or_none()


_KNOWN = sa.select(*App.__table__.c).where(
    App.__table__.c.client_id == sa.bindparam("client"), App.__table__.c.discarded_at.is_(None)
)


async def known_client(connection: AsyncConnection, client_id: str) -> App | None:
    """The live app with this client id, as the login path reads it: a reading that no session knows."""
    row = (await connection.execute(_KNOWN, {"client": client_id})).mappings().one_or_none()
    return App(**row) if row is not None else None
