"""Loosening: only Bakery's own admins give up what Bakery set for itself, a day later, and no tightening is undone."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bindings.moving import move_tenant
from tenants.actor import Actor
from tenants.identities import live_identities
from tenants.loosenings import WAIT, Loosening, apply_due, waiting_in
from tenants.people import Membership
from tenants.policy import StandIns
from tenants.protections import Word, in_words, tighten
from tenants.refusals import Conflict, Invalid, NotPermitted
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Tenant, find_tenant
from tenants.verbs import Verb
from tests.cast import NOW, Cast, house_work, work_as

LATER = NOW + WAIT


class Bakery:
    """Bakery, which protects itself: nobody stands in, bindings last a week, a reason is asked for."""

    def __init__(self, store: Store, cast: Cast) -> None:
        self.store, self.cast = store, cast

    async def actor(self, name: str) -> Actor:
        async with house_work(self.store) as session:
            [identity] = await live_identities(session, membership_id=self.cast.membership_id(name))
        return Actor.of(identity)

    async def tenant(self, name: str = "Bakery") -> Tenant:
        async with house_work(self.store) as session:
            return await session.get_one(Tenant, self.cast.tenant(name).id)

    async def set(self, name: str = "Bakery", **columns: Any) -> None:
        async with house_work(self.store) as session:
            tenant = await session.get_one(Tenant, self.cast.tenant(name).id)
            await tenant.change(session, **{f"policy_{rule}": value for rule, value in columns.items()})

    async def ask(self, name: str, now: datetime = NOW, **wanted: Word) -> int:
        actor = await self.actor(name)
        async with work_as(self.store, actor, now) as session:
            tenant = await find_tenant(session, self.cast.tenant("Bakery").id)
            return (await Loosening.ask(session, actor, tenant, wanted, now)).id

    async def tighten(self, name: str, **wanted: Word) -> None:
        actor = await self.actor(name)
        async with work_as(self.store, actor) as session:
            await tighten(session, await find_tenant(session, self.cast.tenant("Bakery").id), wanted)

    async def cancel(self, name: str, number: int, now: datetime = NOW) -> None:
        actor = await self.actor(name)
        async with work_as(self.store, actor, now) as session:
            await (await session.get_one(Loosening, number)).cancel(session, now)

    async def settle(self, now: datetime = LATER) -> int:
        async with house_work(self.store, now) as session:
            return len(await apply_due(session, now)) if await Loosening.any_due(session, now) else 0

    async def rules(self) -> dict[str, Word]:
        return in_words(await self.tenant())

    async def told(self, *verbs: Verb) -> list[Entry]:
        async with house_work(self.store) as session:
            return list(await session.scalars(sa.select(Entry).where(Entry.verb.in_(verbs)).order_by(Entry.id)))


@pytest.fixture
async def bakery(store: Store, cast: Cast) -> Bakery:
    bakery = Bakery(store, cast)
    await bakery.set(stand_ins=2, reason=1, binding_days=7)
    return bakery


async def test_boris_waits_a_day_and_not_a_second_less(bakery: Bakery) -> None:
    await bakery.ask("Boris", stand_ins="allowed", binding_days=None)
    assert await bakery.settle(LATER - timedelta(seconds=1)) == 0
    assert (await bakery.rules())["stand_ins"] == "never"
    assert await bakery.settle() == 1
    rules = await bakery.rules()
    assert (rules["stand_ins"], rules["binding_days"], rules["reason"]) == ("allowed", None, True)
    verbs = (Verb.LOOSENING_ASKED, Verb.TENANT_CHANGED, Verb.LOOSENING_APPLIED)
    asked, changed, applied = (await bakery.told(*verbs))[-3:]
    assert (asked.actor_name, asked.record_name) == ("Boris Birch", "Bakery")
    assert changed.changes == {"policy_stand_ins": [2, 0], "policy_binding_days": [7, None]}
    assert (changed.via, applied.via, applied.occurred_at) == ("system", "system", LATER)
    assert await bakery.settle(LATER + timedelta(days=9)) == 0


async def test_c6_neither_olaf_nor_whom_he_made_admin_yesterday(bakery: Bakery) -> None:
    olaf = await bakery.actor("Olaf")
    async with work_as(bakery.store, olaf, NOW - timedelta(days=1)) as session:
        bruno = await session.get_one(Membership, bakery.cast.membership_id("Bruno"))
        await bruno.change_role(session, olaf, Role.ADMIN, NOW - timedelta(days=1))
    for name in ("Olaf", "Nora", "Ada", "Bruno"):
        with pytest.raises(NotPermitted, match="own admins") as refused:
            await bakery.ask(name, stand_ins="allowed")
        assert refused.value.rule == "policy"
    await bakery.ask("Bruno", now=NOW + timedelta(days=30), stand_ins="allowed")


async def test_what_is_asked_for_above_is_not_loosened_below(bakery: Bakery) -> None:
    await bakery.set("Oak", ticket=1)
    with pytest.raises(NotPermitted, match="An organization above asks for this") as refused:
        await bakery.ask("Boris", ticket=False)
    assert "Oak" not in str(refused.value)
    assert refused.value.rule == "policy"


@pytest.mark.parametrize(
    "wanted", [{}, {"stand_ins": "never"}, {"binding_days": 7}, {"binding_days": 3}, {"look": "look_only"}]
)
async def test_only_what_is_really_looser(bakery: Bakery, wanted: dict[str, Word]) -> None:
    with pytest.raises(Invalid):
        await bakery.ask("Boris", **wanted)
    with pytest.raises(Invalid):
        await bakery.ask("Boris", stand_ins="sometimes")


async def test_one_waits_at_a_time(bakery: Bakery) -> None:
    first = await bakery.ask("Boris", stand_ins="consent")
    with pytest.raises(Conflict, match="wait already"):
        await bakery.ask("Boris", reason=False)
    await bakery.cancel("Boris", first)
    await bakery.ask("Boris", reason=False)


@pytest.mark.parametrize("name", ["Boris", "Olaf", "Nora"])
async def test_whoever_manages_the_rules_there_or_above_cancels_it(bakery: Bakery, name: str) -> None:
    number = await bakery.ask("Boris", stand_ins="allowed")
    await bakery.cancel(name, number, LATER + timedelta(minutes=1))
    assert await bakery.settle() == 0
    assert (await bakery.rules())["stand_ins"] == "never"
    [entry] = await bakery.told(Verb.LOOSENING_CANCELLED)
    assert entry.actor_name.startswith(name)
    with pytest.raises(Conflict):
        await bakery.cancel("Boris", number)


async def test_what_was_tightened_meanwhile_stays_tight(bakery: Bakery) -> None:
    await bakery.set(stand_ins=1)
    await bakery.ask("Boris", stand_ins="allowed", binding_days=30, reason=False)
    await bakery.tighten("Olaf", stand_ins="never", binding_days=3)
    assert await bakery.settle() == 1
    rules = await bakery.rules()
    assert (rules["stand_ins"], rules["binding_days"], rules["reason"]) == ("never", 3, False)


async def test_nothing_is_left_of_it_when_everything_was_tightened(bakery: Bakery) -> None:
    await bakery.ask("Boris", binding_days=30)
    await bakery.tighten("Olaf", binding_days=3)
    assert await bakery.settle() == 0
    [entry] = await bakery.told(Verb.LOOSENING_CANCELLED)
    assert entry.details["cause"] == "tightened"
    assert (await bakery.rules())["binding_days"] == 3


async def test_nobody_stands_behind_it_when_boris_is_no_admin_any_more(bakery: Bakery) -> None:
    await bakery.ask("Boris", stand_ins="allowed")
    olaf = await bakery.actor("Olaf")
    async with work_as(bakery.store, olaf) as session:
        boris = await session.get_one(Membership, bakery.cast.membership_id("Boris"))
        await boris.change_role(session, olaf, Role.AUDITOR, NOW)
    assert await bakery.settle() == 0
    assert (await bakery.rules())["stand_ins"] == "never"
    [entry] = await bakery.told(Verb.LOOSENING_CANCELLED)
    assert entry.details["cause"] == "rights_lost"


async def test_after_a_move_the_frozen_rules_are_bakerys_own_and_loosened_the_same_way(bakery: Bakery) -> None:
    await bakery.set("Oak", ticket=1)
    number = await bakery.ask("Boris", reason=False)
    async with work_as(bakery.store, bakery.cast.actor("Ada")) as session:
        moved, under = [await find_tenant(session, bakery.cast.tenant(each).id) for each in ("Bakery", "Pine")]
        await move_tenant(session, bakery.cast.actor("Ada"), moved, under, NOW, expected_parent_id=moved.parent_id or 0)
    assert (await bakery.rules())["ticket"] is True
    await bakery.cancel("Boris", number)
    with pytest.raises(NotPermitted, match="own admins"):
        await bakery.ask("Pia", ticket=False)
    await bakery.ask("Boris", ticket=False)
    assert await bakery.settle() == 1
    assert (await bakery.rules())["ticket"] is False


async def test_a_rule_that_somebody_above_makes_tighter_too_stays_in_force(bakery: Bakery) -> None:
    await bakery.set("Oak", stand_ins=2)
    await bakery.ask("Boris", stand_ins="allowed")
    assert await bakery.settle() == 1
    assert (await bakery.tenant()).own_policy.stand_ins is StandIns.ALLOWED
    assert (await bakery.tenant("Oak")).own_policy.stand_ins is StandIns.NEVER


async def test_two_processes_put_it_in_force_once(bakery: Bakery) -> None:
    number = await bakery.ask("Boris", stand_ins="allowed")
    assert sum(await asyncio.gather(*(bakery.settle() for _ in range(6)))) == 1
    assert len(await bakery.told(Verb.LOOSENING_APPLIED)) == 1
    async with house_work(bakery.store, LATER) as session:
        assert (await session.get_one(Loosening, number)).applied_at == LATER
        assert await waiting_in(session, bakery.cast.tenant("Bakery").id) is None


async def test_of_cancel_and_effect_at_the_same_moment_one_happens(bakery: Bakery) -> None:
    number = await bakery.ask("Boris", stand_ins="allowed")

    async def cancelled() -> int:
        try:
            await bakery.cancel("Olaf", number, LATER)
        except Conflict:
            return 0
        return 1

    by_hand, by_itself = await asyncio.gather(cancelled(), bakery.settle())
    assert by_hand + by_itself == 1
    assert (await bakery.rules())["stand_ins"] == ("never" if by_hand else "allowed")


async def test_two_ask_at_once_and_one_waits(bakery: Bakery) -> None:
    async def attempt(**wanted: Word) -> int:
        try:
            await bakery.ask("Boris", **wanted)
        except (Conflict, sa.exc.IntegrityError):
            return 0
        return 1

    assert sum(await asyncio.gather(attempt(reason=False), attempt(stand_ins="allowed"))) == 1
