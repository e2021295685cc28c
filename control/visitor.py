"""Visitor: who knocks at a door. Found out once per request, from a sign-in's cookie or a bearer key, never both."""

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.binding import Binding, Staleness, identity_of, open_bindings, staleness
from bindings.clients import Rejected
from bindings.dpop import BEARER, SCHEME, Shown, require_holder
from bindings.impersonation import Impersonation
from bindings.minting import stand_in_of
from bindings.service_accounts import served_by
from control.house import House
from control.rate_limits import Meter
from control.settings import Settings
from tenants.actor import Actor, Identity, Origin, Via
from tenants.api_keys import PREFIX, ApiKey
from tenants.brands import Brand, brand_of
from tenants.credentials import digest
from tenants.identities import live_identities
from tenants.people import User
from tenants.reach import Reach
from tenants.refusals import TooMany
from tenants.sign_in import SignIn
from tenants.tree import Tenant

SEEN_EVERY = timedelta(minutes=1)
"""How often a sign-in's or key's "last seen" is written, at most."""


@dataclass
class Visitor:
    """Who is at the door, and as whom. `actor` is None for a stranger."""

    origin: Origin
    now: datetime
    actor: Actor | None = None
    sign_in: SignIn | None = None
    user: User | None = None
    """The person of the membership that this request is made as: while standing in, the subject."""
    reader: User | None = None
    """Who really reads the page: their language, zone and keys."""
    identities: list[Identity] = field(default_factory=list)
    """The live profiles of the credential; a stood-in one has one."""
    stand_in: Impersonation | None = None
    """The impersonation that this browser stands in by, as a reading that no session knows."""
    over: Impersonation | None = None
    """The one that it stood in by: it has ended, and nobody has read so yet."""
    api_key_id: int | None = None
    key_place: tuple[int, str] | None = None
    """The tenant that the key is for, by id and path: of a directory's key not the tenant of its person."""
    bound: list[tuple[Binding, Staleness | None]] = field(default_factory=list)
    """The person's open bindings, newest first, each with why it no longer holds: the amber bar."""
    brand: Brand | None = None
    """The brand at the place of their profile, for the pages they see."""
    unproven: Rejected | None = None
    """What was wrong with how a token was shown that would have been good (RFC 9449)."""
    meter: Meter | None = None
    """What this request counts for, where programs ask."""
    held_back: TooMany | None = None
    """They asked too much: nothing was looked up, and the door says so."""
    csrf_seed: str = ""
    """What the form token is made from: the sign-in's own secret, or a stranger's cookie."""

    @property
    def identity(self) -> Identity | None:
        """As whom this request is made."""
        return self.actor.apparent if self.actor else None

    @property
    def oneself(self) -> Actor | None:
        """The person at the browser as themselves, also while they stand in.

        Only for what is nobody else's: to prove who they are, and to log in to an app as themselves.
        """
        actor = self.actor
        if actor is None or actor.true is None or not actor.standing_in:
            return actor
        return Actor.of(actor.true, self.origin, sign_in_id=actor.sign_in_id, strong=actor.strong)

    @property
    def acting_id(self) -> str:
        """Changes whenever the visitor appears as somebody else: forms carry it, a mismatch saves nothing."""
        if self.over is not None:
            return f"over-{self.over.id}"
        as_whom = f"{self.identity.membership_id}" if self.identity else ""
        return f"{as_whom}-{self.stand_in.id}" if self.stand_in is not None else as_whom

    def csrf(self, settings: Settings) -> str:
        """The token that a form of this visitor carries."""
        if not self.csrf_seed:
            return ""
        # A form that was opened before a start or a Stop is no form of whoever this is now.
        seed = f"{self.csrf_seed}:{self.acting_id}" if self.stand_in or self.over else self.csrf_seed
        return hmac.new(settings.secret_key, b"csrf:" + seed.encode(), "sha256").hexdigest()


def meter_of(visitor: Visitor) -> Meter:
    """What the request counts for, at a door that says its quota."""
    if visitor.meter is None:
        raise TypeError("This door does not say its quota.")
    return visitor.meter


class FindVisitor(AbstractAuthenticationMiddleware):
    """Puts the Visitor into the connection. A bad credential makes a stranger; the door decides what that means."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Cookie for pages, bearer for programs; a page never takes a bearer, a program never a cookie."""
        house: House = connection.app.state.house
        origin = Origin(
            str(connection.scope.get("request_id", "")), connection.client.host if connection.client else ""
        )
        visitor = Visitor(origin, house.clock())
        told = connection.route_handler.opt
        taken = told.get("credential", "cookie")
        quota = told.get("quota") or ("key" if taken == "key" else None)
        if quota is not None:
            kept_open = bool(told.get("kept_open"))
            visitor.meter = house.rate_limits.meter(quota, origin.address, visitor.now, kept_open=kept_open)
        if taken == "key" and visitor.meter is not None:
            await _metered(house, visitor, visitor.meter, connection)
        elif taken == "cookie":
            await _by_cookie(house, visitor, connection)
        return AuthenticationResult(user=visitor, auth=taken)


async def found_again(connection: ASGIConnection[Any, Any, Any, Any]) -> Visitor:
    """Who is at this browser now, for an answer that goes on for minutes. It is no sign of life."""
    house: House = connection.app.state.house
    visitor = Visitor(connection.user.origin, house.clock())
    await _look_up(house, visitor, connection)
    return visitor


async def _by_cookie(house: House, visitor: Visitor, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    await _look_up(house, visitor, connection)
    sign_in, stand = visitor.sign_in, visitor.stand_in
    if visitor.actor is None or sign_in is None:
        return
    if connection.route_handler.opt.get("bar", True):
        house_actor, everywhere = Actor.house("door"), Reach.everywhere("door")
        async with house.store.work(house_actor, everywhere, visitor.now, writes=False) as session:
            await look_around(session, visitor)
    # What the script asks for by itself is no sign that anybody is there.
    if connection.route_handler.opt.get("quiet"):
        return
    if visitor.now - sign_in.last_seen_at > SEEN_EVERY:
        await _touch(house, SignIn.__table__, sign_in.id, {"last_seen_at": visitor.now})
    if stand is not None and (stand.seen_at is None or visitor.now - stand.seen_at > SEEN_EVERY):
        await _touch(house, Impersonation.__table__, stand.id, {"seen_at": visitor.now})


async def _look_up(house: House, visitor: Visitor, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """The sign-in of the cookie, the profile it is at, and as whom that appears."""
    secret = connection.cookies.get(house.settings.cookie("sign-in"))
    visitor.csrf_seed = connection.cookies.get(house.settings.cookie("visit"), "")
    if not secret:
        return
    async with house.store.hot.connect() as bare:
        row = (await bare.execute(_SIGNED_IN, {"hash": digest(secret)})).mappings().one_or_none()
        sign_in = SignIn(**row) if row is not None else None
        if sign_in is None or not sign_in.alive(visitor.now):
            return
        _sit_down(visitor, sign_in, await live_identities(bare, user_id=sign_in.user_id))
        if sign_in.impersonation_id is not None and visitor.actor is not None:
            await _stand_in(house, bare, visitor, sign_in.impersonation_id)


_SIGNED_IN = sa.select(*SignIn.__table__.c).where(SignIn.__table__.c.token_hash == sa.bindparam("hash"))


def _sit_down(visitor: Visitor, sign_in: SignIn, identities: list[Identity]) -> None:
    """The profile of the sign-in while it is live, else the person's first; never somebody else's."""
    if not identities:
        return
    profile = next((each for each in identities if each.membership_id == sign_in.membership_id), identities[0])
    visitor.sign_in, visitor.identities = sign_in, identities
    visitor.actor = Actor.of(profile, visitor.origin, sign_in_id=sign_in.id, strong=sign_in.strong)
    visitor.csrf_seed = sign_in.csrf_secret


_STANDS = sa.select(*Impersonation.__table__.c).where(Impersonation.__table__.c.id == sa.bindparam("id"))


async def _stand_in(house: House, bare: AsyncConnection, visitor: Visitor, impersonation_id: int) -> None:
    """Appear as the subject while the row and the guard say so; else it is over: nobody is switched back unasked."""
    row = (await bare.execute(_STANDS, {"id": impersonation_id})).mappings().one_or_none()
    if row is None or visitor.actor is None:
        return
    stand = Impersonation(**row)
    true = next((each for each in visitor.identities if each.membership_id == stand.actor_membership_id), None)
    cause, at = stand.over(visitor.now) or (None, visitor.now)
    party = None
    if cause is None:
        refused, found = await stand.refused(bare, visitor.now)
        party = found.facts.subject if found is not None else None
        # The profile that stands in is the one that the sign-in is at.
        at_home = true is not None and true == visitor.actor.true
        cause = refused.rule if refused is not None else None if at_home else "profile"
    if cause is not None or party is None or true is None:
        visitor.over = await end_where_it_is(house, stand.id, cause or "live", visitor.now, at)
        return
    subject = replace(identity_of(party), email=stand.subject_email)
    visitor.stand_in, visitor.identities = stand, [subject]
    visitor.actor = Actor(
        true,
        subject,
        Via.IMPERSONATION,
        visitor.origin,
        stand_in_id=stand.id,
        sign_in_id=visitor.actor.sign_in_id,
        strong=visitor.actor.strong,
        look=stand.mode == "look",
    )


async def end_where_it_is(house: House, number: int, cause: str, now: datetime, at: datetime) -> Impersonation:
    """Write down that it is over, if nobody was quicker, in a transaction of the house's own."""
    async with house.store.work(Actor.house("impersonation"), Reach.everywhere("impersonation"), now) as session:
        row = await session.get_one(Impersonation, number)
        if row.ended_at is None:
            await row.end(session, cause, now, at=at)
        return row


async def look_around(session: AsyncSession, visitor: Visitor) -> None:
    """What a page shows around itself: the reader's own settings, the amber bar, the brand. A bare login does not."""
    if visitor.sign_in is not None:
        visitor.reader = visitor.user = await session.get(User, visitor.sign_in.user_id)
        if visitor.stand_in is not None and visitor.identity is not None:
            visitor.user = await session.get(User, visitor.identity.user_id)
        else:
            for binding in await open_bindings(session, visitor.sign_in.user_id):
                visitor.bound.append((binding, await staleness(session, binding, visitor.now)))
    if visitor.identity is not None:
        visitor.brand = await brand_of(session, visitor.identity.path)


async def _metered(
    house: House, visitor: Visitor, meter: Meter, connection: ASGIConnection[Any, Any, Any, Any]
) -> None:
    """Who it is, unless they asked too much: then nothing is looked up."""
    authorization = connection.headers.get("authorization", "")
    try:
        meter.admit(authorization)
        await _by_key(house, visitor, authorization, connection)
        if visitor.actor is not None:
            meter.count_for(_credential_of(visitor, visitor.actor))
    except TooMany as held_back:
        visitor.held_back = held_back


def _credential_of(visitor: Visitor, actor: Actor) -> str:
    """A key, a stand-in, or a service account, which has a new token every few minutes."""
    if visitor.api_key_id is not None:
        return f"key {visitor.api_key_id}"
    if actor.stand_in_id is not None:
        return f"stand-in {actor.stand_in_id}"
    return f"account {actor.standing.membership_id}"


async def _by_key(
    house: House, visitor: Visitor, authorization: str, connection: ASGIConnection[Any, Any, Any, Any]
) -> None:
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() == "bearer" and secret.count(".") == 2:
        await _by_token(house, visitor, secret.strip())
    known = {each.lower(): each for each in (BEARER, SCHEME)}.get(scheme.lower())
    if visitor.actor is None and known is not None and secret.count(".") == 2:
        await _by_service(house, visitor, _shown(house, connection, known, secret.strip()))
    if scheme.lower() != "bearer" or not secret.strip().startswith(PREFIX):
        return
    async with house.store.hot.connect() as bare:
        key = (await bare.execute(_KEYED, {"hash": digest(secret.strip())})).one_or_none()
        if key is None or key.revoked_at is not None or visitor.now >= key.expires_at:
            return
        identities = await live_identities(bare, membership_id=key.membership_id)
        if not identities:
            return
        visitor.identities = identities
        row = (await bare.execute(_READER, {"id": key.user_id})).mappings().one()
        visitor.reader = visitor.user = User(**row)
    visitor.api_key_id, visitor.key_place = key.id, (key.tenant_id, key.path)
    scopes = frozenset(key.scopes.split())
    visitor.actor = Actor.of(identities[0], visitor.origin, api_key_id=key.id, scopes=scopes)
    if key.last_used_at is None or visitor.now - key.last_used_at > SEEN_EVERY:
        await _touch(house, ApiKey.__table__, key.id, {"last_used_at": visitor.now})


_KEYED = (
    sa.select(*ApiKey.__table__.c, Tenant.__table__.c.path)
    .join(Tenant.__table__, Tenant.__table__.c.id == ApiKey.__table__.c.tenant_id)
    .where(ApiKey.__table__.c.key_hash == sa.bindparam("hash"))
)
_READER = sa.select(*User.__table__.c).where(User.__table__.c.id == sa.bindparam("id"))


async def _by_token(house: House, visitor: Visitor, token: str) -> None:
    """An exchanged token of the panel's API: the row says whether it goes on, then the guard."""
    async with house.store.hot.connect() as bare:
        stand = await stand_in_of(house.issuer, bare, token, visitor.now)
        if stand is None:
            return
        true = await live_identities(bare, membership_id=stand.actor_membership_id)
        over = stand.over(visitor.now)
        refused, found = await stand.refused(bare, visitor.now)
    party = found.facts.subject if found is not None else None
    if over is not None or refused is not None or party is None or not true:
        if stand.ended_at is None:
            cause, at = over or (refused.rule if refused is not None else "live", visitor.now)
            await end_where_it_is(house, stand.id, cause or "live", visitor.now, at)
        return
    subject = replace(identity_of(party), email=stand.subject_email)
    visitor.identities = [subject]
    visitor.actor = Actor(
        true[0],
        subject,
        Via.TOKEN,
        visitor.origin,
        stand_in_id=stand.id,
        scopes=frozenset({"read", "write"}),
        strong=stand.strong,
        look=stand.mode == "look",
    )
    if stand.seen_at is None or visitor.now - stand.seen_at > SEEN_EVERY:
        await _touch(house, Impersonation.__table__, stand.id, {"seen_at": visitor.now})


def _shown(house: House, connection: ASGIConnection[Any, Any, Any, Any], scheme: str, token: str) -> Shown:
    """A token with the proof that came along (RFC 9449 section 7.1). Several proofs are none."""
    proofs, method = connection.headers.getall("dpop", []), str(connection.scope.get("method", ""))
    proof = proofs[0] if len(proofs) == 1 else None
    return Shown(token, scheme, method, house.issuer.url + connection.url.path, proof)


async def _by_service(house: House, visitor: Visitor, shown: Shown) -> None:
    """A token that a service account got: it acts as its one membership, within its scopes.

    One that is bound to a key is shown with its proof, and is no bearer; one that is not is a bearer alone.
    """
    async with house.store.hot.connect() as bare:
        served = await served_by(house.issuer, bare, shown.token, visitor.now)
    if served is None:
        return
    try:
        await require_holder(house.issuer, shown, served.jkt, visitor.now)
    except Rejected as rejected:
        visitor.unproven = rejected
        return
    async with house.store.work(Actor.house("door"), Reach.everywhere("door"), visitor.now, writes=False) as session:
        visitor.reader = visitor.user = await session.get(User, served.identity.user_id)
    visitor.identities = [served.identity]
    visitor.actor = Actor.of(served.identity, visitor.origin, scopes=served.scopes)


async def _touch(house: House, table: sa.Table, row_id: int, values: dict[str, Any]) -> None:
    """Write a derived "last seen", in its own small transaction."""
    async with house.store.writer.begin() as connection:
        await connection.execute(sa.update(table).where(table.c.id == row_id).values(**values))
