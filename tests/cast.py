"""The cast of the stories: who is who in the seeded house, by first name, without a query in any test."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.binding import Binding
from bindings.impersonation import Asked, Impersonation
from control.cast import PASSWORD as PASSWORD
from tenants.actor import Actor, Identity, Origin
from tenants.identities import live_identities
from tenants.numbers import InboundNumber
from tenants.people import Membership, User
from tenants.phones import Extension, PhoneSystem, Product, find_extension
from tenants.reach import Reach
from tenants.recordings import Recording
from tenants.store import Store
from tenants.teams import Team
from tenants.tree import Tenant

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
"""When every story plays."""
SEEDED = NOW - timedelta(days=60)
"""When the cast came to be: long before the stories."""

ORIGIN = Origin("story", "192.0.2.7")
WHY = "her calls do not ring"
"""The reason that people of the stories stand in for."""


class Clock:
    """A clock that stands still until the story says that time passes."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def pass_(self, **duration: float) -> datetime:
        """`clock.pass_(minutes=20)`: time goes by; returns the new now."""
        self.now += timedelta(**duration)
        return self.now


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant, as the stories need it."""

    id: int
    name: str
    kind: str
    slug: str
    path: str
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """A user, as the stories need it."""

    id: int
    name: str
    email: str
    home_tenant_id: int


@dataclass(frozen=True, slots=True)
class Line:
    """An extension, as the stories need it."""

    id: int
    number: str
    tenant_id: int
    phone_system_id: int
    membership_id: int | None


@dataclass(frozen=True, slots=True)
class Cast:
    """The seeded cast, read once from the template: names are the first names of product.md."""

    identities: dict[str, list[Identity]]
    people: dict[str, Person]
    places: dict[str, Place]
    lines: dict[tuple[int, str], Line]
    phone_systems: dict[str, int]
    products: dict[str, int]
    apps: dict[str, int]
    secrets: dict[str, str]
    """The client secret of each web app, by client id."""
    numbers: dict[str, int]
    """The ids of the inbound numbers, by E.164."""
    teams: dict[str, int]
    """The ids of the teams, by name."""
    recordings: dict[str, int]
    """The ids of the recordings, by what the phone system calls them."""

    def identity(self, name: str, *, at: str | None = None) -> Identity:
        """Who somebody is: at their home, or at the tenant named."""
        wanted = at or self.home(name)
        return next(each for each in self.identities[name] if each.tenant_name == wanted)

    def actor(self, name: str, *, at: str | None = None) -> Actor:
        """Somebody acting as themselves, from an address of the documentation range."""
        return Actor.of(self.identity(name, at=at), ORIGIN)

    def membership_id(self, name: str, *, at: str | None = None) -> int:
        """The membership of somebody at home, or at the tenant named."""
        return self.identity(name, at=at).membership_id

    def home(self, name: str) -> str:
        """The name of the tenant that keeps somebody's record."""
        home_id = self.people[name].home_tenant_id
        return next(place.name for place in self.places.values() if place.id == home_id)

    def user(self, name: str) -> Person:
        """The person."""
        return self.people[name]

    def tenant(self, name: str) -> Place:
        """The tenant."""
        return self.places[name]

    def extension(self, tenant: str, number: str) -> Line:
        """The extension with that number at a tenant."""
        return self.lines[self.places[tenant].id, number]

    def phone_system_id(self, tenant: str) -> int:
        """The one PBX of a tenant."""
        return self.phone_systems[tenant]

    def product_id(self, name: str) -> int:
        """The product: "Softphone" or "Desk"."""
        return self.products[name]

    def app_id(self, client_id: str) -> int:
        """The app with this client id."""
        return self.apps[client_id]


async def read_cast(store: Store, secrets: dict[str, str]) -> Cast:
    """Everybody in a freshly seeded store."""
    async with house_work(store, SEEDED) as session:
        tenants = list(await session.scalars(sa.select(Tenant)))
        users = list(await session.scalars(sa.select(User)))
        memberships = list(await session.scalars(sa.select(Membership.id).order_by(Membership.id)))
        extensions = list(await session.scalars(sa.select(Extension)))
        by_tenant = {tenant.id: tenant.name for tenant in tenants}
        identities: dict[str, list[Identity]] = {}
        for membership_id in memberships:
            for identity in await live_identities(session, membership_id=membership_id):
                identities.setdefault(first_name(identity.name), []).append(identity)
        systems = await session.execute(sa.select(PhoneSystem.tenant_id, PhoneSystem.id))
        products = await session.scalars(sa.select(Product))
        apps = await session.scalars(sa.select(App))
        numbers = await session.scalars(sa.select(InboundNumber))
        teams = await session.scalars(sa.select(Team))
        recordings = await session.scalars(sa.select(Recording))
        return Cast(
            identities,
            {first_name(user.name): Person(user.id, user.name, user.email, user.home_tenant_id) for user in users},
            {
                tenant.name: Place(tenant.id, tenant.name, tenant.kind, tenant.slug, tenant.path, tenant.parent_id)
                for tenant in tenants
            },
            {
                (line.tenant_id, line.number): Line(
                    line.id, line.number, line.tenant_id, line.phone_system_id, line.membership_id
                )
                for line in extensions
            },
            {by_tenant[tenant_id]: system_id for tenant_id, system_id in systems},
            {product.name: product.id for product in products},
            {app.client_id: app.id for app in apps},
            secrets,
            {number.e164: number.id for number in numbers},
            {team.name: team.id for team in teams},
            {str(recording.external_id): recording.id for recording in recordings},
        )


def first_name(name: str) -> str:
    """How the stories call somebody."""
    return name.split()[0]


def work_as(
    store: Store, actor: Actor, now: datetime = NOW, *, writes: bool = True
) -> AbstractAsyncContextManager[AsyncSession]:
    """A session of somebody at work, fenced to their reach."""
    return store.work(actor, actor.reach(), now, writes=writes)


def house_work(store: Store, now: datetime = NOW) -> AbstractAsyncContextManager[AsyncSession]:
    """A session of the house itself, without a fence: to set a scene, or to look behind it."""
    return store.work(Actor.house("the story"), Reach.everywhere("tests"), now)


async def bind(
    store: Store,
    cast: Cast,
    name: str,
    tenant: str,
    number: str,
    now: datetime = NOW,
    *,
    apps: Sequence[str] | None = None,
    reason: str | None = None,
    ends_at: datetime | None = None,
    at: str | None = None,
) -> int:
    """Somebody binds themselves to an extension; returns the binding's id, raises what refused it."""
    actor = cast.actor(name, at=at)
    async with work_as(store, actor, now) as session:
        user = await session.get_one(User, cast.user(name).id)
        extension = await find_extension(session, cast.extension(tenant, number).id)
        chosen = [await session.get_one(App, cast.app_id(app)) for app in apps] if apps is not None else None
        binding = await Binding.make(session, actor, user, extension, now, apps=chosen, reason=reason, ends_at=ends_at)
        return binding.id


async def impersonate(
    store: Store,
    cast: Cast,
    name: str,
    subject: str,
    now: datetime = NOW,
    *,
    at: str | None = None,
    app: str | None = None,
    mode: str = "full",
    actor: Actor | None = None,
) -> int:
    """Somebody stands in for somebody (at home, or `at` a company), in the panel or at an app; the row's id."""
    acting = actor or cast.actor(name)
    async with work_as(store, acting, now) as session:
        there = await session.get_one(Membership, cast.membership_id(subject, at=at))
        app_id = cast.app_id(app) if app is not None else None
        asked = Asked.of(WHY, mode=mode, app_id=app_id)
        return (await Impersonation.start(session, acting, there, asked, now)).id
