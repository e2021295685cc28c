"""Ten companies within an hour by one person: it is written down, and the admins of their organization are told."""

import asyncio
from typing import Any

import sqlalchemy as sa

from bindings.alarms import QUIET
from bindings.impersonation import MANY
from tenants.actor import Actor
from tenants.letters import LetterKind
from tenants.people import Membership, User
from tenants.roles import Role
from tenants.trail import Entry
from tenants.tree import Kind, Tenant
from tenants.verbs import Verb
from tests.cast import house_work
from tests.conftest import ON_BOTH
from tests.control.pages.post import letters_to
from tests.control.pages.test_standing_in import WHY
from tests.control.visits import House, Reader

OLAFS = "olaf@oak.example"


async def shops(house: House, count: int) -> list[str]:
    """New customers of Oak, in each of which Bea is a member: her memberships."""
    made = []
    async with house_work(house.store, house.clock.now) as session:
        oak = await session.get_one(Tenant, house.cast.tenant("Oak").id)
        bea = await session.get_one(User, house.cast.user("Bea").id)
        for each in range(count):
            shop = await Tenant.found(session, oak, Kind.CUSTOMER, f"Shop {each}", None, house.clock.now)
            joined = await Membership.create(session, Actor.house("story"), bea, shop, Role.MEMBER, house.clock.now)
            made.append(str(joined.id))
    return made


async def go_into(who: Reader, membership: str) -> Any:
    """Start there and, so that the browser may start again, stop."""
    await who.visit.open("/account")
    answer = await who.visit.send("/impersonations", {"membership": membership, "reason": WHY})
    assert answer.status_code == 303
    await who.post("/impersonations/stop", at="/home")


async def alarms(house: House) -> list[Entry]:
    async with house_work(house.store, house.clock.now) as session:
        wanted = sa.select(Entry).where(Entry.verb == Verb.MANY_COMPANIES).order_by(Entry.id)
        return list(await session.scalars(wanted))


async def told(house: House, address: str) -> list[dict[str, str]]:
    """The letters of alarm that went to somebody."""
    return [said for kind, said in await letters_to(house.panel, address) if kind is LetterKind.MANY_COMPANIES]


async def test_t14_b32_at_the_tenth_company_within_an_hour_oak_is_told_once(pages: House) -> None:
    places = await shops(pages, MANY + 1)
    opal = await pages.visit("Opal")
    for each in places[: MANY - 1]:
        await go_into(opal, each)
    # The same company again is no further one.
    await go_into(opal, places[0])
    assert await alarms(pages) == []
    await go_into(opal, places[MANY - 1])
    (line,) = await alarms(pages)
    assert (line.actor_name, line.tenant_id) == ("Opal Orr", pages.cast.tenant("Oak").id)
    assert line.details["companies"] == MANY
    (letter,) = await told(pages, OLAFS)
    assert (letter["who"], letter["count"], letter["tenant"]) == ("Opal Orr", str(MANY), "Oak")
    # Not at every further start.
    await go_into(opal, places[MANY])
    await go_into(opal, places[1])
    assert len(await alarms(pages)) == 1
    assert len(await told(pages, OLAFS)) == 1
    olaf = await pages.visit("Olaf")
    assert "went into unusually many companies within an hour" in await olaf.read("/history")


async def test_b32_spread_over_more_than_an_hour_it_is_no_alarm(pages: House) -> None:
    places = await shops(pages, MANY)
    opal = await pages.visit("Opal")
    for each in places[: MANY // 2]:
        await go_into(opal, each)
    pages.clock.pass_(minutes=60)
    opal = await pages.visit("Opal")
    for each in places[MANY // 2 :]:
        await go_into(opal, each)
    assert await alarms(pages) == []


async def test_the_next_time_it_is_many_again_it_is_told_again(pages: House) -> None:
    places = await shops(pages, MANY)
    for _ in range(2):
        opal = await pages.visit("Opal")
        for each in places:
            await go_into(opal, each)
        pages.clock.now += QUIET
    assert len(await alarms(pages)) == 2


async def test_an_admin_who_does_it_is_told_too_it_may_be_somebody_else(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    for each in await shops(pages, MANY):
        await go_into(olaf, each)
    assert len(await told(pages, OLAFS)) == 1


@ON_BOTH
async def test_t14_of_two_starts_at_once_one_raises_it(pages: House) -> None:
    places = await shops(pages, MANY + 1)
    first, second = await pages.visit("Opal"), await pages.visit("Opal")
    for each in places[: MANY - 1]:
        await go_into(first, each)
    for browser in (first, second):
        await browser.visit.open("/account")
    said = ({"membership": each, "reason": WHY} for each in places[MANY - 1 :])
    answers = await asyncio.gather(
        *(browser.visit.send("/impersonations", form) for browser, form in zip((first, second), said, strict=True))
    )
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(await alarms(pages)) == 1
