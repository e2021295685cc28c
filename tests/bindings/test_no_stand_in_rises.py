"""No stand-in holds a right that its actor may not lend or its subject does not have, whatever happens meanwhile."""

import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding, staleness
from bindings.facts import fetch_facts
from bindings.guard import Act, Refused, judge
from bindings.impersonation import IMPERSONATION, TOKEN, Asked, Impersonation
from tenants.actor import Actor, Identity, Via
from tenants.identities import live_identities
from tenants.people import Membership, User, find_membership
from tenants.phones import Extension, find_extension
from tenants.refusals import Refusal
from tenants.roles import Permission, Role
from tenants.store import Store
from tenants.trail import record
from tenants.tree import Scope, Suspension, Tenant
from tenants.verbs import Verb
from tests.bindings.worlds import OUTRANKED, World, worlds, write
from tests.cast import NOW, ORIGIN, Cast, house_work

P = Permission
EVERYTHING = frozenset(P)
OWN = frozenset({P.OWN_ACCOUNT})
MANAGING = frozenset(
    {P.MANAGE_PEOPLE, P.MANAGE_POLICY, P.MANAGE_APPS, P.MANAGE_TENANTS, P.INVITE_MEMBERS, P.KEEP_TEAMS}
)
LENDS = {
    Role.ADMIN: EVERYTHING,
    Role.OPERATOR: EVERYTHING - MANAGING,
    Role.SUPERVISOR: OWN,
    Role.AUDITOR: frozenset(),
    Role.MEMBER: frozenset(),
}
"""What each role may lend, by hand from product.md section 3."""


class Undone(Exception):
    """Ends a story and takes back what it wrote."""


@pytest.fixture
def backend() -> str:
    """The rules are one function over facts that both databases are asked for elsewhere."""
    return "sqlite"


def test_what_each_role_may_lend_is_what_the_documents_say() -> None:
    """Every actor for every subject: the intersection, and not one right beside it."""
    for true, apparent, permission in itertools.product(Role, Role, P):
        actor = Actor(somebody(1, true), somebody(2, apparent), Via.IMPERSONATION, stand_in_id=1)
        own = Actor.of(somebody(2, apparent))
        assert actor.may(permission) == (own.may(permission) and permission in LENDS[true])


def somebody(number: int, role: Role) -> Identity:
    return Identity(number, number, "N", "n@n.example", role, 5, "Five", "reseller", "/1/5/")


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(world=worlds())
async def test_in_every_world_rights_and_reach_are_lent_and_never_grow(store: Store, cast: Cast, world: World) -> None:
    """Whoever is allowed to stand in reaches nothing that they, or for a profile its sponsor, do not reach."""
    with contextlib.suppress(Undone):
        async with house_work(store) as session:
            await write(world, session, await session.get_one(Tenant, cast.tenant("Acme").id), NOW)
            house = await House.read(session, NOW)
            for one, other in itertools.permutations(world.memberships, 2):
                found = await fetch_facts(session, Act.IMPERSONATE, one, subject_membership_id=other)
                assert found is not None
                if judge(found.facts) is None:
                    house.require_nothing_gained(one, other)
            raise Undone


@dataclass
class House:
    """The rows of people and places as they are now, and what the documents make of them."""

    members: dict[int, sa.Row[Any]]
    people: dict[int, sa.Row[Any]]
    places: dict[int, sa.Row[Any]]
    shut: set[tuple[int, str]]

    @classmethod
    async def read(cls, session: AsyncSession, now: datetime) -> "House":
        """Look at the tables, without any of the house's own questions."""

        async def rows(table: sa.Table) -> dict[int, sa.Row[Any]]:
            return {row.id: row for row in await session.execute(sa.select(*table.c))}

        shut = await session.execute(
            sa.select(Suspension.tenant_id, Suspension.scope).where(Suspension.lifted_at.is_(None))
        )
        return cls(
            await rows(Membership.__table__),
            await rows(User.__table__),
            await rows(Tenant.__table__),
            {(tenant_id, scope) for tenant_id, scope in shut},
        )

    def path(self, member: int) -> str:
        """Where somebody is in the tree."""
        return str(self.places[self.members[member].tenant_id].path)

    def there(self, member: int) -> bool:
        """Neither they nor their membership are discarded, and a sponsor they need is there, and above."""
        row = self.members[member]
        if row.discarded_at is not None or self.people[row.user_id].discarded_at is not None:
            return False
        if row.sponsor_id is None:
            return True
        above = self.path(row.sponsor_id)
        higher = self.path(member) != above and self.path(member).startswith(above)
        return higher and self.there(row.sponsor_id) and not self.closed(row.sponsor_id)

    def closed(self, member: int) -> bool:
        """Their tenant is discarded or suspended, or what is above it."""
        home = self.members[member].tenant_id
        for place in (int(number) for number in self.path(member).strip("/").split("/")):
            if self.places[place].discarded_at is not None or (place, "all") in self.shut:
                return True
        return (home, "staff") in self.shut

    def allowed(self, actor: int, subject: int, act: Act, mode: str = "full") -> bool:
        """Whether the documents let one stand in for the other now (sections 3 and 4, without teams and rules)."""
        one, other = self.members[actor], self.members[subject]
        here, there = self.path(actor), self.path(subject)
        roles = {Role.ADMIN, Role.OPERATOR} | ({Role.SUPERVISOR} if act is not Act.BIND else set())
        looks = mode == "look" and act is not Act.BIND and here != there
        if not self.there(actor) or self.closed(actor) or not self.there(subject):
            return False
        if (self.closed(subject) and not looks) or Role(one.role) not in roles or one.user_id == other.user_id:
            return False
        if there == "/1/" and other.role == Role.ADMIN:
            return False
        if here != there:
            return there.startswith(here) and Role(one.role) is not Role.SUPERVISOR and one.sponsor_id is None
        return one.sponsor_id is not None or Role(other.role) in OUTRANKED[Role(one.role)]

    def require_nothing_gained(self, actor: int, subject: int) -> None:
        """The rights are the subject's that the actor lends; the reach lies within the actor's own."""
        one, other = self.identity(actor), self.identity(subject)
        stand = Actor(one, other, Via.IMPERSONATION, ORIGIN, stand_in_id=1)
        held = {permission for permission in P if stand.may(permission)}
        assert held <= LENDS[one.role]
        assert held <= {permission for permission in P if Actor.of(other).may(permission)}
        # A profile ranks as its sponsor, so that it is their reach that bounds it.
        sponsor = self.members[actor].sponsor_id
        limits = [Actor.of(self.identity(each)).reach() for each in (actor, sponsor) if each is not None]
        for place in self.places.values():
            if stand.reach().holds(str(place.path)):
                assert any(limit.holds(str(place.path)) for limit in limits)
        assert stand.reach().user_id == 0
        assert stand.reach().membership_id == other.membership_id

    def identity(self, member: int) -> Identity:
        """Somebody as the house knows them."""
        row = self.members[member]
        place, person = self.places[row.tenant_id], self.people[row.user_id]
        sponsor = None
        if row.sponsor_id is not None:
            sponsor = str(self.places[self.members[row.sponsor_id].tenant_id].name)
        return Identity(
            member, row.user_id, person.name, person.email, Role(row.role), place.id, place.name, place.kind,
            place.path, sponsor,
        )  # fmt: skip


# What happens meanwhile

PAIRS = (
    ("Olaf", "Boris"),
    ("Olaf", "Bea"),
    ("Opal", "Boris"),
    ("Opal", "Bea"),
    ("Bruno", "Bea"),
    ("Bruno", "Ben"),
    ("Boris", "Bruno"),
    ("Nora", "Olaf"),
    ("Ada", "Nora"),
    ("Pia", "Dan"),
    ("Paul", "Dina"),
)
"""Who could stand in for whom, to begin with."""

Numbers = tuple[int, int, int]
STEPS = (
    "start",
    "exchange",
    "bind",
    "rise",
    "role",
    "leave",
    "come_back",
    "suspend",
    "lift",
    "move",
    "give",
    "end",
    "wait",
)


Thing = TypeVar("Thing")


def pick(items: list[Thing], number: int) -> Thing:
    """One of them, by any number."""
    return items[number % len(items)]


@dataclass
class Meanwhile:
    """One story on the seeded house: things happen, and after each every stand-in is asked for what it holds."""

    session: AsyncSession
    cast: Cast
    now: datetime

    async def happen(self, step: str, numbers: Numbers) -> None:
        """One step, in a savepoint of its own; what is refused changes nothing."""
        deed: Callable[[int, int, int], Awaitable[None]] = getattr(self, step)
        with contextlib.suppress(Refusal):
            async with self.session.begin_nested():
                await deed(*numbers)
        self.session.sync_session.info["actor"] = Actor.house("the story")

    async def as_somebody(self, membership_id: int) -> Actor | None:
        found = await live_identities(self.session, membership_id=membership_id)
        return Actor.of(found[0], ORIGIN) if found else None

    @property
    def everybody(self) -> list[int]:
        return sorted(each.membership_id for places in self.cast.identities.values() for each in places)

    @property
    def lines(self) -> list[int]:
        return sorted(line.id for line in self.cast.lines.values())

    @property
    def places(self) -> list[int]:
        return sorted(place.id for place in self.cast.places.values())

    async def stands(self) -> list[Impersonation]:
        live = sa.select(Impersonation).where(Impersonation.ended_at.is_(None)).order_by(Impersonation.id)
        return list(await self.session.scalars(live))

    async def start(self, pair: int, anybody: int, mode: int) -> None:
        await self._begin(IMPERSONATION, pair, anybody, mode)

    async def exchange(self, pair: int, anybody: int, mode: int) -> None:
        await self._begin(TOKEN, pair, anybody, mode)

    async def _begin(self, kind: str, pair: int, anybody: int, mode: int) -> None:
        who, whom = PAIRS[pair % len(PAIRS)]
        subject = self.cast.membership_id(whom, at="Bakery") if whom == "Ben" else self.cast.membership_id(whom)
        if anybody % 4 == 0:
            subject = pick(self.everybody, anybody)
        actor = await self.as_somebody(self.cast.membership_id(who))
        if actor is not None:
            asked = Asked.of("asked for help", mode=("full", "look")[mode % 2])
            await Impersonation.start(
                self.session, actor, await find_membership(self.session, subject), asked, self.now, kind=kind
            )

    async def bind(self, who: int, line: int, _: int) -> None:
        actor = await self.as_somebody(pick(self.everybody, who))
        if actor is not None and actor.true is not None:
            user = await self.session.get_one(User, actor.true.user_id)
            extension = await find_extension(self.session, pick(self.lines, line))
            await Binding.make(self.session, actor, user, extension, self.now, reason="asked for help")

    async def rise(self, stand: int, how: int, whom: int) -> None:
        """Somebody who stands in tries to gain by it: a start, a binding, a role. Each is refused."""
        stands = await self.stands()
        if not stands:
            return
        row = pick(stands, stand)
        actor, subject = [await self.as_somebody(each) for each in (row.actor_membership_id, row.subject_membership_id)]
        if actor is None or subject is None:
            return
        acting = replace(actor, apparent=subject.true, via=Via.IMPERSONATION, stand_in_id=row.id)
        self.session.sync_session.info["actor"] = acting
        attempt = (self._begin_another, self._bind_further, self._promote)[how % 3]
        with pytest.raises(Refusal):
            await attempt(acting, whom)
        raise Refused("nested", 409, "What was begun in the attempt is taken back.")

    async def _begin_another(self, acting: Actor, whom: int) -> None:
        other = await find_membership(self.session, pick(self.everybody, whom))
        await Impersonation.start(self.session, acting, other, Asked.of("asked for help"), self.now)

    async def _bind_further(self, acting: Actor, whom: int) -> None:
        user = await self.session.get_one(User, acting.true.user_id if acting.true else 0)
        extension = await find_extension(self.session, pick(self.lines, whom))
        await Binding.make(self.session, acting, user, extension, self.now, reason="asked for help")

    async def _promote(self, acting: Actor, whom: int) -> None:
        other = await find_membership(self.session, pick(self.everybody, whom))
        role = Role.ADMIN if other.role != Role.ADMIN else Role.MEMBER
        await other.change_role(self.session, acting, role, self.now)

    async def role(self, whose: int, which: int, _: int) -> None:
        member = await find_membership(self.session, pick(self.everybody, whose))
        member.role = pick(list(Role), which).value
        record(self.session, Verb.MEMBERSHIP_CHANGED, member)
        await self.session.flush()

    async def leave(self, whose: int, _: int, __: int) -> None:
        await self._stay(whose, self.now)

    async def come_back(self, whose: int, _: int, __: int) -> None:
        await self._stay(whose, None)

    async def _stay(self, whose: int, until: datetime | None) -> None:
        member = await find_membership(self.session, pick(self.everybody, whose))
        if (member.discarded_at is None) != (until is None):
            member.discarded_at = until
            record(self.session, Verb.MEMBERSHIP_CHANGED, member)
            await self.session.flush()

    async def suspend(self, which: int, scope: int, _: int) -> None:
        tenant = await self.session.get_one(Tenant, pick(self.places, which))
        await tenant.suspend(self.session, self.cast.actor("Ada"), (Scope.STAFF, Scope.ALL)[scope % 2], "x", self.now)

    async def lift(self, which: int, _: int, __: int) -> None:
        live = list(await self.session.scalars(sa.select(Suspension).where(Suspension.lifted_at.is_(None))))
        if live:
            await pick(live, which).lift(self.session, self.cast.actor("Ada"), self.now)

    async def move(self, which: int, where: int, _: int) -> None:
        tenant = await self.session.get_one(Tenant, pick(self.places, which))
        await tenant.move(
            self.session, self.cast.actor("Ada"), await self.session.get_one(Tenant, pick(self.places, where))
        )

    async def give(self, line: int, whom: int, _: int) -> None:
        extension = await find_extension(self.session, pick(self.lines, line))
        there = [
            each
            for each in self.everybody
            if (await find_membership(self.session, each)).tenant_id == extension.tenant_id
        ]
        await extension.change(self.session, membership=await find_membership(self.session, pick(there, whom)))

    async def end(self, which: int, _: int, __: int) -> None:
        stands = await self.stands()
        if stands:
            await pick(stands, which).end(self.session, "stopped", self.now)

    async def wait(self, minutes: int, _: int, __: int) -> None:
        self.now += timedelta(minutes=minutes % 30)

    async def nobody_has_risen(self) -> int:
        """Ask every stand-in as each use does; how many still hold."""
        house, holding = await House.read(self.session, self.now), 0
        for row in await self.stands():
            refused, found = await row.refused(self.session, self.now)
            if row.over(self.now) is None and refused is None:
                assert found is not None
                assert house.allowed(row.actor_membership_id, row.subject_membership_id, row.act, row.mode)
                house.require_nothing_gained(row.actor_membership_id, row.subject_membership_id)
                holding += 1
        for binding in await self.session.scalars(sa.select(Binding).where(Binding.ended_at.is_(None))):
            if await staleness(self.session, binding, self.now) is None:
                assert house.allowed(binding.membership_id, binding.subject_membership_id, Act.BIND)
                line = await self.session.get_one(Extension, binding.extension_id)
                assert line.membership_id == binding.subject_membership_id
                holding += 1
        return holding


numbers = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
begun = st.lists(st.tuples(st.sampled_from(("start", "exchange", "bind")), numbers), min_size=1, max_size=4)
happened = st.lists(st.tuples(st.sampled_from(STEPS), numbers), min_size=2, max_size=9)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(first=begun, then=happened)
async def test_no_sequence_of_starts_moves_and_changes_lets_a_stand_in_rise(
    store: Store, cast: Cast, first: list[tuple[str, Numbers]], then: list[tuple[str, Numbers]]
) -> None:
    """Nothing here ends what it should: the guard, asked at each use, is enough."""
    with contextlib.suppress(Undone):
        async with house_work(store) as session:
            story = Meanwhile(session, cast, NOW)
            for step, given_numbers in (*first, *then):
                await story.happen(step, given_numbers)
                await story.nobody_has_risen()
            raise Undone


async def test_the_story_is_not_empty(store: Store, cast: Cast) -> None:
    """What the sequences begin with does hold, and goes when it should."""
    with contextlib.suppress(Undone):
        async with house_work(store) as session:
            story = Meanwhile(session, cast, NOW)
            for pair in range(len(PAIRS)):
                await story.happen("start", (pair, 1, 0))
            assert await story.nobody_has_risen() == len({who for who, _ in PAIRS})
            await story.happen("suspend", (story.places.index(cast.tenant("North").id), 1, 0))
            assert await story.nobody_has_risen() == 2
            raise Undone
