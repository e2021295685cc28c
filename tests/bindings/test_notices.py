"""Notices: who stood in for somebody is told once, as their company wants it, unless they want no such letters."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bindings.apps import App
from bindings.binding import live_binding
from bindings.login import begin_login
from bindings.notices import GATHERED, QUIET, AccessNotice, any_untold, take_untold
from bindings.proposal import accept, propose
from bindings.resolving import Granted, resolve
from tenants.actor import Via
from tenants.people import User
from tenants.phones import find_extension
from tenants.policy import Notice
from tenants.refusals import NotPermitted
from tenants.store import Store
from tenants.tree import Tenant
from tests.cast import NOW, Cast, Clock, bind, house_work, impersonate, work_as

Told = list[tuple[str, list[tuple[str, str]]]]


class Bakery:
    """Bakery, whose people are told, and the house that tells them."""

    def __init__(self, store: Store, cast: Cast, clock: Clock) -> None:
        self.store, self.cast, self.clock = store, cast, clock

    async def wants(self, notice: Notice, tenant: str = "Bakery") -> None:
        async with house_work(self.store) as session:
            row = await session.get_one(Tenant, self.cast.tenant(tenant).id)
            await row.change(session, policy_notice=int(notice))

    async def become(self, name: str, subject: str = "Bea") -> None:
        await impersonate(self.store, self.cast, name, subject, self.clock.now, at="Bakery")

    async def log_in(self, name: str = "Olaf") -> None:
        async with house_work(self.store, self.clock.now) as session:
            app = await session.get_one(App, self.cast.app_id("softphone"))
            outcome = await resolve(session, self.cast.user(name).id, app, self.clock.now)
            assert isinstance(outcome, Granted)
            connection = await session.connection()
            actor = self.cast.actor(name)
            await begin_login(connection, actor, outcome, app, None, "openid", self.clock.now)

    async def tell(self) -> Told:
        """What is told now: at once or gathered, and by whom, how."""
        async with house_work(self.store, self.clock.now) as session:
            if not await any_untold(session, self.clock.now):
                return []
            return [
                (
                    f"{each.subject.user.name} {'at once' if each.at_once else 'gathered'}",
                    [(row.actor_name, row.via) for row in each.rows],
                )
                for each in await take_untold(session, self.clock.now)
            ]

    async def rows(self) -> list[AccessNotice]:
        async with house_work(self.store) as session:
            return list(await session.scalars(sa.select(AccessNotice).order_by(AccessNotice.id)))


@pytest.fixture
def bakery(store: Store, cast: Cast, clock: Clock) -> Bakery:
    return Bakery(store, cast, clock)


async def test_nothing_is_noted_where_the_company_asks_for_none(bakery: Bakery) -> None:
    await bakery.become("Olaf")
    await bind(bakery.store, bakery.cast, "Olaf", "Bakery", "201")
    await bakery.log_in()
    assert await bakery.rows() == []


async def test_at_once_she_is_told_when_he_starts(bakery: Bakery) -> None:
    await bakery.wants(Notice.AT_ONCE)
    await bakery.become("Olaf")
    assert await bakery.tell() == [("Bea Bell at once", [("Olaf Olsen", "impersonation")])]
    assert await bakery.tell() == []


async def test_a_rule_from_above_counts(bakery: Bakery) -> None:
    await bakery.wants(Notice.AT_ONCE, "Oak")
    await bakery.become("Olaf")
    assert len(await bakery.tell()) == 1


async def test_a_binding_and_each_login_through_it_are_told(bakery: Bakery) -> None:
    await bakery.wants(Notice.DIGEST)
    await bind(bakery.store, bakery.cast, "Olaf", "Bakery", "201", reason="her calls do not ring")
    await bakery.log_in()
    bakery.clock.now += GATHERED
    assert await bakery.tell() == [("Bea Bell gathered", [("Olaf Olsen", "binding"), ("Olaf Olsen", "login")])]
    assert [row.reason for row in await bakery.rows()] == ["her calls do not ring"] * 2


async def test_a_proposal_is_told_when_it_is_accepted_and_not_before(bakery: Bakery) -> None:
    await bakery.wants(Notice.AT_ONCE)
    store, cast = bakery.store, bakery.cast
    async with work_as(store, cast.actor("Olaf")) as session:
        opal = await session.get_one(User, cast.user("Opal").id)
        extension = await find_extension(session, cast.extension("Bakery", "201").id)
        await propose(session, cast.actor("Olaf"), opal, extension, NOW)
    assert await bakery.rows() == []
    async with work_as(store, cast.actor("Opal")) as session:
        binding = await live_binding(session, cast.user("Opal").id, None)
        assert binding is not None
        await accept(session, cast.actor("Opal"), binding, NOW)
    assert await bakery.tell() == [("Bea Bell at once", [("Opal Orr", "binding")])]


async def test_within_the_hour_the_rest_waits_for_the_digest(bakery: Bakery) -> None:
    await bakery.wants(Notice.AT_ONCE)
    await bakery.become("Olaf")
    await bakery.tell()
    bakery.clock.pass_(minutes=30)
    await bakery.become("Olaf")
    await bakery.become("Opal")
    assert await bakery.tell() == [("Bea Bell at once", [("Opal Orr", "impersonation")])]
    bakery.clock.now = NOW + QUIET
    assert await bakery.tell() == []
    await bakery.become("Olaf")
    assert await bakery.tell() == [("Bea Bell at once", [("Olaf Olsen", "impersonation")])]
    bakery.clock.now = NOW + timedelta(minutes=30) + GATHERED
    assert await bakery.tell() == [("Bea Bell gathered", [("Olaf Olsen", "impersonation")])]
    assert await bakery.tell() == []


async def test_the_digest_is_one_letter_a_day_for_each_person(bakery: Bakery) -> None:
    await bakery.wants(Notice.DIGEST)
    for hours in range(0, 30, 6):
        bakery.clock.now = NOW + timedelta(hours=hours)
        await bakery.become("Olaf")
        await bakery.become("Opal", "Ben")
        told = await bakery.tell()
        assert [who for who, _ in told] == (["Bea Bell gathered", "Ben Bond gathered"] if hours == 24 else [])
    assert [len(rows) for _, rows in told] == [5, 5]


async def test_the_muted_and_the_discarded_are_told_nothing_then_or_later(bakery: Bakery) -> None:
    await bakery.wants(Notice.AT_ONCE)
    cast = bakery.cast
    async with work_as(bakery.store, cast.actor("Bea")) as session:
        bea = await session.get_one(User, cast.user("Bea").id)
        await bea.mute_notices(session, cast.actor("Bea"), muted=True)
    await bakery.become("Olaf")
    await bakery.become("Opal", "Ben")
    async with work_as(bakery.store, cast.actor("Ada")) as session:
        await (await session.get_one(User, cast.user("Ben").id)).discard(session, cast.actor("Ada"), NOW)
    assert await bakery.tell() == []
    assert all(row.told_at is not None for row in await bakery.rows())
    async with work_as(bakery.store, cast.actor("Bea")) as session:
        bea = await session.get_one(User, cast.user("Bea").id)
        await bea.mute_notices(session, cast.actor("Bea"), muted=False)
    bakery.clock.now += GATHERED
    assert await bakery.tell() == []


@pytest.mark.parametrize("name", ["Boris", "Olaf", "Ada", "Olaf as Bea"])
async def test_nobody_mutes_them_for_her(bakery: Bakery, name: str) -> None:
    cast = bakery.cast
    actor = cast.actor(name.split()[0])
    if name.endswith("Bea"):
        actor = replace(actor, apparent=cast.identity("Bea"), via=Via.IMPERSONATION, stand_in_id=77)
    async with work_as(bakery.store, actor) as session:
        bea = await session.get_one(User, cast.user("Bea").id)
        with pytest.raises(NotPermitted, match="Only the person themselves"):
            await bea.mute_notices(session, actor, muted=True)


async def test_ben_at_clinic_is_told_by_clinics_rules(bakery: Bakery) -> None:
    await bakery.wants(Notice.AT_ONCE)
    await impersonate(bakery.store, bakery.cast, "Olaf", "Ben", at="Clinic")
    assert await bakery.rows() == []


async def test_of_many_processes_one_tells(bakery: Bakery) -> None:
    await bakery.wants(Notice.AT_ONCE)
    await bakery.become("Olaf")
    await bakery.become("Opal", "Ben")
    told = await asyncio.gather(*(bakery.tell() for _ in range(6)))
    assert sorted(who for each in told for who, _ in each) == ["Bea Bell at once", "Ben Bond at once"]


async def test_a_teller_that_falls_leaves_it_to_the_next(bakery: Bakery) -> None:
    await bakery.wants(Notice.AT_ONCE)
    await bakery.become("Olaf")

    async def fall() -> None:
        async with house_work(bakery.store) as session:
            assert await take_untold(session, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fall()
    assert len(await bakery.tell()) == 1
