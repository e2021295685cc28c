"""The facts of the guard, as one statement fetches them: the cast's, and those of a thousand random worlds."""

import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.facts import Found, fetch_facts
from bindings.guard import Act, judge
from tenants.people import Membership, User
from tenants.phones import Extension, PhoneSystem
from tenants.policy import StandIns
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import record
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.bindings.worlds import World, judged, within_reach, worlds, write
from tests.cast import NOW, Cast, house_work, work_as


class Undone(Exception):
    """Ends a story and takes back what it wrote."""


@dataclass
class Guard:
    """Asks the guard about people by name."""

    store: Store
    cast: Cast

    async def facts(self, act: Act, actor: str, *, subject: str | None = None, line: str = "", **others: Any) -> Found:
        extension = self.cast.extension(*line.split()).id if line else None
        async with self.store.hot.connect() as connection:
            found = await fetch_facts(
                connection,
                act,
                self.cast.membership_id(actor),
                subject_membership_id=self.cast.membership_id(subject) if subject else None,
                extension_id=extension,
                **others,
            )
        assert found is not None
        return found

    async def answer(self, actor: str, subject: str, act: Act = Act.IMPERSONATE, **others: str) -> str | None:
        refused = judge((await self.facts(act, actor, subject=subject, **others)).facts)
        return refused.rule if refused else None


@pytest.fixture
def guard(store: Store, cast: Cast) -> Guard:
    return Guard(store, cast)


async def profile(store: Store, cast: Cast, name: str, at: str) -> int:
    """Somebody above makes their own profile in a company: sponsored by their membership at home."""
    async with house_work(store) as session:
        row = Membership(
            user_id=cast.user(name).id,
            tenant_id=cast.tenant(at).id,
            role=Role.OPERATOR.value,
            sponsor_id=cast.membership_id(name),
            created_at=NOW,
        )
        session.add(row)
        record(session, Verb.MEMBERSHIP_CREATED, row)
        await session.flush()
        return row.id


# The cast


async def test_an_extension_leads_to_its_user(guard: Guard, cast: Cast) -> None:
    found = await guard.facts(Act.BIND, "Pia", line="Dairy 101")
    assert found.facts.subject is not None
    assert found.facts.subject.membership_id == cast.membership_id("Dan")
    assert (found.extension_number, found.extension_membership_id) == ("101", cast.membership_id("Dan"))
    assert found.extension_live
    assert judge(found.facts) is None


async def test_an_extension_without_a_user_has_a_place_all_the_same(guard: Guard, cast: Cast) -> None:
    found = await guard.facts(Act.BIND, "Olaf", line="Bakery 203")
    assert found.facts.subject is None
    assert found.facts.place_path == cast.tenant("Bakery").path
    refused = judge(found.facts)
    assert refused is not None
    assert refused.rule == "unassigned"


@pytest.mark.parametrize(
    ("actor", "subject", "rule"),
    [
        ("Pia", "Dan", None),
        ("Paul", "Dan", None),
        ("Olaf", "Bea", None),
        ("Olaf", "Zoe", "reach"),
        ("Elsa", "Zoe", "layer"),
        ("Bruno", "Bea", None),  # an admin made him lead of Front
        ("Bruno", "Boris", "permission"),
        ("Amos", "Bea", "permission"),
        ("Paul", "Pia", "rank"),
        ("Pia", "Pia", "self"),
    ],
)
async def test_the_cast(guard: Guard, actor: str, subject: str, rule: str | None) -> None:
    assert await guard.answer(actor, subject) == rule


async def test_whom_nobody_knows_has_no_facts(store: Store, cast: Cast) -> None:
    olaf, bea = cast.membership_id("Olaf"), cast.membership_id("Bea")
    async with store.hot.connect() as connection:
        assert await fetch_facts(connection, Act.BIND, 10**15, subject_membership_id=bea) is None
        assert await fetch_facts(connection, Act.BIND, olaf, subject_membership_id=10**15) is None
        assert await fetch_facts(connection, Act.BIND, olaf, extension_id=10**15) is None
        assert await fetch_facts(connection, Act.BIND, olaf) is None


async def test_a_named_subject_is_asked_about_whoever_has_the_extension_now(guard: Guard, cast: Cast) -> None:
    found = await guard.facts(Act.BIND, "Olaf", subject="Bea", line="Bakery 202")
    assert found.facts.subject is not None
    assert found.facts.subject.membership_id == cast.membership_id("Bea")
    assert found.extension_membership_id == cast.membership_id("Ben")


async def test_a_discarded_extension_or_pbx_is_not_live(guard: Guard, store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        bea, zoe = cast.extension("Bakery", "201").id, cast.phone_system_id("Zoo")
        await (await session.get_one(Extension, bea)).discard(session, NOW)
        system = await session.get_one(PhoneSystem, zoe)
        system.discarded_at = NOW
        record(session, Verb.PHONE_SYSTEM_DISCARDED, system)
    assert not (await guard.facts(Act.BIND, "Olaf", line="Bakery 201")).extension_live
    assert not (await guard.facts(Act.BIND, "Elsa", line="Zoo 201")).extension_live
    assert (await guard.facts(Act.BIND, "Olaf", line="Bakery 202")).extension_live


async def test_policy_is_inherited_and_the_tightest_holds(guard: Guard, store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Nora")) as session:
        await (await session.get_one(Tenant, cast.tenant("North").id)).change(session, policy_reason=1)
        await (await session.get_one(Tenant, cast.tenant("Bakery").id)).change(
            session, policy_stand_ins=StandIns.NEVER.value, policy_binding_days=7
        )
        await (await session.get_one(Tenant, cast.tenant("Oak").id)).change(session, policy_binding_days=30)
    policy = (await guard.facts(Act.BIND, "Olaf", subject="Bea")).facts.policy
    assert (policy.stand_ins, policy.reason, policy.binding_days) == (StandIns.NEVER, 1, 7)
    assert await guard.answer("Olaf", "Bea", reason="Bea's headset does not ring") == "policy"
    assert await guard.answer("Olaf", "Cora") == "policy"
    assert await guard.answer("Olaf", "Cora", reason="Cora's headset does not ring") is None
    assert await guard.answer("Pia", "Dan") is None


async def test_a_suspension_closes_and_lifting_opens(guard: Guard, store: Store, cast: Cast) -> None:
    nora = cast.actor("Nora")
    async with work_as(store, nora) as session:
        oak = await session.get_one(Tenant, cast.tenant("Oak").id)
        suspension = await oak.suspend(session, nora, Scope.ALL, "unpaid", NOW)
    assert await guard.answer("Olaf", "Bea") == "live"  # his own organization
    assert await guard.answer("Nora", "Bea") == "live"  # hers
    assert await guard.answer("Nora", "Bea", mode="look") is None
    async with work_as(store, nora) as session:
        await (await session.get_one(type(suspension), suspension.id)).lift(session, nora, NOW)
    assert await guard.answer("Olaf", "Bea") is None


async def test_staff_closed_is_not_what_lies_below(guard: Guard, store: Store, cast: Cast) -> None:
    nora = cast.actor("Nora")
    async with work_as(store, nora) as session:
        oak = await session.get_one(Tenant, cast.tenant("Oak").id)
        await oak.suspend(session, nora, Scope.STAFF, "unpaid", NOW)
    assert await guard.answer("Olaf", "Bea") == "live"
    assert await guard.answer("Nora", "Bea") is None
    assert await guard.answer("Nora", "Opal") == "live"


async def test_a_discarded_person_is_not_live_anywhere(guard: Guard, store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        for name in ("Opal", "Cora"):
            user = await session.get_one(User, cast.user(name).id)
            user.discarded_at = NOW
            record(session, Verb.USER_DISCARDED, user)
    assert await guard.answer("Opal", "Bea") == "live"
    assert await guard.answer("Olaf", "Cora") == "live"


# The sponsored profile (seed 000)


async def test_elsas_profile_in_zoo_is_zoe(store: Store, cast: Cast) -> None:
    mine = await profile(store, cast, "Elsa", at="Zoo")
    assert await asked(store, mine, cast.membership_id("Zoe")) is None


@pytest.mark.parametrize("end", ["membership", "person", "closed", "moved"])
async def test_elsas_profile_is_dead_at_once(store: Store, cast: Cast, end: str) -> None:
    """C7: Elm closed, Elsa discarded, or Zoo moved away from Elm."""
    mine = await profile(store, cast, "Elsa", at="Zoo")
    async with house_work(store) as session:
        if end == "membership":
            row = await session.get_one(Membership, cast.membership_id("Elsa"))
            row.discarded_at = NOW
            record(session, Verb.MEMBERSHIP_DISCARDED, row)
        elif end == "person":
            person = await session.get_one(User, cast.user("Elsa").id)
            person.discarded_at = NOW
            record(session, Verb.USER_DISCARDED, person)
        elif end == "closed":
            elm = await session.get_one(Tenant, cast.tenant("Elm").id)
            await elm.suspend(session, cast.actor("Sven"), Scope.STAFF, "unpaid", NOW)
        else:
            zoo = await session.get_one(Tenant, cast.tenant("Zoo").id)
            oak = await session.get_one(Tenant, cast.tenant("Oak").id)
            zoo.parent_id, zoo.path = oak.id, f"{oak.path}{zoo.id}/"
            record(session, Verb.TENANT_CHANGED, zoo)
    assert await asked(store, mine, cast.membership_id("Zoe")) == "live"


async def asked(store: Store, actor: int, subject: int, act: Act = Act.BIND) -> str | None:
    async with store.hot.connect() as connection:
        found = await fetch_facts(connection, act, actor, subject_membership_id=subject)
    assert found is not None
    refused = judge(found.facts)
    return refused.rule if refused else None


# Every world


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(world=worlds())
async def test_in_every_world_the_guard_agrees_with_the_documents(store: Store, cast: Cast, world: World) -> None:
    with contextlib.suppress(Undone):
        async with house_work(store) as session:
            root = await session.get_one(Tenant, cast.tenant("Acme").id)
            await write(world, session, root, NOW)
            for act in (Act.BIND, Act.IMPERSONATE):
                await ask_about_everybody(session, world, act)
            raise Undone


async def ask_about_everybody(session: AsyncSession, world: World, act: Act) -> None:
    for actor, subject in itertools.product(range(len(world.posts)), repeat=2):
        one, other = world.memberships[actor], world.memberships[subject]
        found = await fetch_facts(session, act, one, subject_membership_id=other)
        assert found is not None
        refused = judge(found.facts)
        assert (refused.rule if refused else None) == judged(world, actor, subject, act)
        # Said again without the rules: whoever is allowed, reaches.
        assert refused is not None or within_reach(world, actor, subject)
