"""The cast, put into an empty database by the same verbs that people use."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_credentials import rotate_secret
from bindings.apps import App, find_client
from control.cast import (
    ALSO,
    APPS,
    CALLS,
    DESK,
    NUMBERS,
    PASSWORD,
    PLACES,
    SOFTPHONE,
    TEAM,
    TEAM_LEAD,
    TEAM_MADE_BY,
    TEAM_MEMBERS,
    TEAM_PLACE,
    ZONE,
    DemoApp,
    Person,
    Place,
)
from tenants.actor import Actor
from tenants.credentials import digest, hash_password
from tenants.identities import live_identities
from tenants.numbers import InboundNumber
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.policy import BindingReach
from tenants.reach import Reach
from tenants.recordings import Direction, Recording
from tenants.refusals import Conflict
from tenants.store import Store
from tenants.teams import Team
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb

SEED = Actor.house("seed")
REACH = Reach.everywhere("seed")


async def seed_cast(
    store: Store,
    now: datetime,
    *,
    apps_port: int = 8001,
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Make the whole cast where there is none; move the apps' addresses to `apps_port` where there is.

    Returns client id -> client secret of the apps. An app that was there already keeps its secret: it is told
    again when `known` holds it, and made anew when `known` is given and does not. Raises Conflict on a database
    that holds somebody else's tree.
    """
    password_hash = await hash_password(PASSWORD)
    async with store.work(SEED, REACH, now) as session:
        root = (await session.scalars(sa.select(Tenant).where(Tenant.parent_id.is_(None)))).first()
        if root is None:
            await _Making(session, password_hash, now).everything()
        elif not await is_cast(session, root):
            raise Conflict("This database is in use by somebody else than the cast. Choose an empty one.")
        secrets = await _apps(session, apps_port, known, now)
    await _team(store, now)
    return secrets


async def is_cast(session: AsyncSession, root: Tenant) -> bool:
    """Whether the root's first person is the cast's, whatever they were made into since."""
    place = PLACES[0]
    address = place.people[0].email(place.name)
    first = sa.select(User).where(User.home_tenant_id == root.id, User.email == address)
    return (await session.scalars(first)).first() is not None


class _Making:
    """One go at making the cast, in one transaction."""

    def __init__(self, session: AsyncSession, password_hash: str, now: datetime) -> None:
        self.session, self.password_hash, self.now = session, password_hash, now
        self.tenants: dict[str, Tenant] = {}
        self.users: dict[str, User] = {}
        self.products: dict[str, Product] = {}
        self.extensions: dict[tuple[str, str], Extension] = {}

    async def everything(self) -> None:
        for name in (SOFTPHONE, DESK):
            self.products[name] = await Product.create(self.session, name, self.now)
        for place in PLACES:
            await self._place(place)
        for email, place_name, role in ALSO:
            tenant, user = self.tenants[place_name], self.users[email]
            await Membership.create(self.session, SEED, user, tenant, role, self.now)
        await self._company_records()

    async def _company_records(self) -> None:
        for place, e164, rings, note in NUMBERS:
            tenant = self.tenants[place]
            extension = self.extensions[place, rings] if rings else None
            await InboundNumber.add(self.session, tenant, e164, self.now, extension=extension, note=note)
        for call in CALLS:
            await Recording.take_in(
                self.session,
                self.tenants[call.place],
                self.now,
                external_id=call.external_id,
                direction=Direction(call.direction),
                party=call.party,
                started_at=self.now - timedelta(hours=call.hours_ago),
                seconds=call.seconds,
                extension=self.extensions[call.place, call.number],
                private=call.private,
            )

    async def _place(self, place: Place) -> None:
        parent = self.tenants[place.parent] if place.parent else None
        tenant = await Tenant.found(self.session, parent, place.kind, place.name, None, self.now)
        self.tenants[place.name] = tenant
        await tenant.change(self.session, zone=ZONE)
        if place.layer:
            await tenant.change(self.session, policy_binding_reach=BindingReach.LAYER.value)
        system = None
        if place.phones:
            host = f"{tenant.slug}.pbx.example"
            system = await PhoneSystem.create(self.session, tenant, f"{place.name} PBX", host, self.now)
        for person in place.people:
            await self._person(person, tenant, system)
        if system is not None and place.spare is not None:
            await Extension.create(self.session, system, place.spare, self.now)

    async def _person(self, person: Person, tenant: Tenant, system: PhoneSystem | None) -> None:
        session, now = self.session, self.now
        user = await User.create(session, tenant, person.name, person.email(tenant.name), now)
        await user.change(session, zone=ZONE)
        user.password_hash, user.email_verified_at = self.password_hash, now
        record(session, Verb.PASSWORD_CHANGED, user)
        await session.flush()
        self.users[user.email] = user
        membership = await Membership.create(session, SEED, user, tenant, person.role, now)
        if system is None or person.number is None:
            return
        extension = await Extension.create(session, system, person.number, now, name=person.name, membership=membership)
        self.extensions[tenant.name, person.number] = extension
        for product in person.products:
            await Licence.grant(session, extension, self.products[product], now)


async def _apps(session: AsyncSession, port: int, known: Mapping[str, str] | None, now: datetime) -> dict[str, str]:
    """Register the apps that are missing, point all of them at `port`, and tell their secrets."""
    owner = (await session.scalars(sa.select(Tenant).where(Tenant.parent_id.is_(None)))).one()
    made: dict[str, App] = {}
    secrets: dict[str, str] = {}
    for demo_app in APPS:
        app = await find_client(session, demo_app.client_id)
        if app is None:
            app, secret = await _register(session, owner, demo_app, made, port, now)
        else:
            secret = await _known_secret(session, app, known, now)
            await app.change(session, **_addresses(demo_app, port))
        made[demo_app.client_id] = app
        if secret is not None:
            secrets[demo_app.client_id] = secret
    return secrets


class _Addresses(TypedDict):
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    login_uri: str
    handoff_uri: str
    backchannel_logout_uri: str


def _addresses(demo_app: DemoApp, port: int) -> _Addresses:
    origin = f"http://{demo_app.client_id}.localhost:{port}"
    return {
        "redirect_uris": [f"{origin}/callback"],
        "post_logout_redirect_uris": [f"{origin}/"],
        "login_uri": f"{origin}/login",
        "handoff_uri": f"{origin}/acting",
        "backchannel_logout_uri": f"{origin}/backchannel-logout",
    }


async def _register(
    session: AsyncSession, owner: Tenant, demo_app: DemoApp, made: Mapping[str, App], port: int, now: datetime
) -> tuple[App, str | None]:
    product = (await session.scalars(sa.select(Product).where(Product.name == demo_app.product))).one()
    return await App.register(
        session,
        SEED,
        owner,
        name=demo_app.name,
        client_id=demo_app.client_id,
        product=product,
        needs_extension=True,
        admin_only=demo_app.admin_only,
        fallback=made[demo_app.fallback] if demo_app.fallback else None,
        first_party=True,
        now=now,
        **_addresses(demo_app, port),
    )


async def _known_secret(session: AsyncSession, app: App, known: Mapping[str, str] | None, now: datetime) -> str | None:
    """The secret, when it is known and right; a new one in the place of one that got lost."""
    if known is None:
        return None
    secret = known.get(app.client_id, "")
    if compare_digest(digest(secret), app.secret_hash or ""):
        return secret
    return await rotate_secret(session, app, now)


async def _team(store: Store, now: datetime) -> None:
    """Boris makes the team and its lead: leads are made by admins, never by the house."""
    async with store.work(SEED, REACH, now, writes=False) as session:
        boris = (await session.scalars(sa.select(User).where(User.email == TEAM_MADE_BY))).one()
        identities = await live_identities(session, user_id=boris.id)
    identity = next((each for each in identities if each.tenant_name == TEAM_PLACE), None)
    if identity is None:
        return
    actor = Actor.of(identity)
    async with store.work(actor, actor.reach(), now) as session:
        tenant = await session.get_one(Tenant, identity.tenant_id)
        if (await session.scalars(sa.select(Team).where(Team.tenant_id == tenant.id))).first() is not None:
            return
        team = await Team.create(session, tenant, TEAM, now)
        for email in (TEAM_LEAD, *TEAM_MEMBERS):
            theirs = sa.select(Membership).join(User, User.id == Membership.user_id).where(User.email == email)
            membership = (await session.scalars(theirs.where(Membership.tenant_id == tenant.id))).one()
            await team.add(session, actor, membership, lead=email == TEAM_LEAD)
