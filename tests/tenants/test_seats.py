"""Seats: limits narrow downward, the last one is taken once, and a refusal names no more than the reader reaches."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.phones import Extension, Licence, Product
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal
from tenants.seats import SeatLimit, seats_used
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Tenant
from tests.cast import NOW, Cast, bind, house_work, work_as


async def limit(store: Store, cast: Cast, who: str, place: str, seats: int | None, product: str = "Desk") -> None:
    """Somebody sets a limit of seats at a place."""
    async with work_as(store, cast.actor(who)) as session:
        tenant = await session.get_one(Tenant, cast.tenant(place).id)
        wanted = await session.get_one(Product, cast.product_id(product))
        await SeatLimit.set(session, cast.actor(who), tenant, wanted, seats, NOW)


async def grant(store: Store, cast: Cast, who: str, place: str, number: str, product: str = "Desk") -> None:
    """Somebody gives an extension a product."""
    async with work_as(store, cast.actor(who)) as session:
        line = await session.get_one(Extension, cast.extension(place, number).id)
        await Licence.grant(session, line, await session.get_one(Product, cast.product_id(product)), NOW)


async def used(session: AsyncSession, cast: Cast, place: str, product: str = "Desk") -> int:
    number = cast.product_id(product)
    return (await seats_used(session, cast.tenant(place).path, [number])).get(number, 0)


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does, except where a story asks for another."""
    return str(request.param)


# Who sets a limit


async def test_olaf_limits_bakery_and_boris_may_only_lower_it(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Olaf", "Bakery", 5)
    await limit(store, cast, "Boris", "Bakery", 4)
    for wider in (5, None):
        with pytest.raises(NotPermitted) as refused:
            await limit(store, cast, "Boris", "Bakery", wider)
        assert refused.value.rule == "level"
    await limit(store, cast, "Olaf", "Bakery", None)


async def test_boris_narrows_where_nobody_had_a_limit(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Boris", "Bakery", 2)
    with pytest.raises(Conflict, match="Bakery has 2, and 2 are in use"):
        await grant(store, cast, "Boris", "Bakery", "203")


async def test_ada_of_the_platform_sets_and_widens_her_own(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Ada", "Acme", 6)
    with pytest.raises(Conflict, match="Acme has 6"):
        await grant(store, cast, "Ada", "Bakery", "203")
    await limit(store, cast, "Ada", "Acme", 7)
    await grant(store, cast, "Ada", "Bakery", "203")


async def test_no_limit_is_above_the_one_above_it(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Nora", "Oak", 4)
    with pytest.raises(Invalid, match="Oak has 4 seats in all"):
        await limit(store, cast, "Nora", "Bakery", 5)
    with pytest.raises(Invalid, match="set above you"):
        await limit(store, cast, "Boris", "Bakery", 5)
    await limit(store, cast, "Olaf", "Bakery", 4)


async def test_a_limit_elsewhere_does_not_exist(store: Store, cast: Cast) -> None:
    zoo = Tenant(id=cast.tenant("Zoo").id, path=cast.tenant("Zoo").path, name="Zoo")
    async with work_as(store, cast.actor("Olaf")) as session:
        desk = await session.get_one(Product, cast.product_id("Desk"))
        with pytest.raises(OutOfReach):
            await SeatLimit.set(session, cast.actor("Ada"), zoo, desk, 1, NOW)
        session.expunge_all()


@pytest.mark.parametrize("seats", [-1, 1_000_001])
async def test_what_is_no_limit(store: Store, cast: Cast, seats: int) -> None:
    with pytest.raises(Invalid):
        await limit(store, cast, "Olaf", "Bakery", seats)


async def test_every_limit_is_told_with_before_and_after(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Olaf", "Bakery", 5)
    await limit(store, cast, "Olaf", "Bakery", 5)
    await limit(store, cast, "Boris", "Bakery", 3)
    async with work_as(store, cast.actor("Boris")) as session:
        told = sa.select(Entry).where(Entry.record_type == "seat_limits").order_by(Entry.id)
        entries = list(await session.scalars(told))
    assert [(each.record_name, each.changes["seats"]) for each in entries] == [
        ("Desk at Bakery", [None, 5]),
        ("Desk at Bakery", [5, 3]),
    ]


# Taking a seat


async def test_the_limit_counts_everything_below_it(store: Store, cast: Cast) -> None:
    """Bakery has two Desks and Clinic one: Oak's three are taken."""
    await limit(store, cast, "Nora", "Oak", 3)
    with pytest.raises(Conflict, match="Oak has 3, and 3 are in use") as refused:
        await grant(store, cast, "Olaf", "Bakery", "203")
    assert (refused.value.rule, refused.value.status) == ("seats", 409)
    await grant(store, cast, "Olaf", "Bakery", "203", "Softphone")


async def test_boris_is_told_no_name_and_no_number_of_what_is_above_him(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Nora", "Oak", 3)
    with pytest.raises(Conflict) as refused:
        await grant(store, cast, "Boris", "Bakery", "203")
    assert refused.value.sentence == "No seat of Desk is left: the limit is set above you. Ask them for more."


async def test_a_seat_that_comes_back_is_free(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Olaf", "Bakery", 2)
    async with work_as(store, cast.actor("Boris")) as session:
        bens = sa.select(Licence).where(
            Licence.extension_id == cast.extension("Bakery", "202").id, Licence.product_id == cast.product_id("Desk")
        )
        await (await session.scalars(bens)).one().withdraw(session, NOW)
    await grant(store, cast, "Boris", "Bakery", "203")


async def test_a_limit_below_what_is_used_takes_nothing_and_gives_nothing(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Olaf", "Bakery", 1)
    async with house_work(store) as session:
        assert await used(session, cast, "Bakery") == 2
    with pytest.raises(Conflict, match="Bakery has 1, and 2 are in use"):
        await grant(store, cast, "Boris", "Bakery", "203")


async def test_a_binding_uses_no_seat(store: Store, cast: Cast) -> None:
    await limit(store, cast, "Olaf", "Bakery", 2)
    await bind(store, cast, "Olaf", "Bakery", "201")
    async with house_work(store) as session:
        assert (await used(session, cast, "Bakery"), await used(session, cast, "Acme")) == (2, 6)


async def test_nothing_is_given_to_an_extension_out_of_use(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        await (await session.get_one(Extension, cast.extension("Bakery", "203").id)).discard(session, NOW)
    with pytest.raises(Conflict, match="discarded"):
        await grant(store, cast, "Boris", "Bakery", "203")


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
async def test_of_two_who_take_the_last_seat_at_once_one_gets_it(store: Store, cast: Cast) -> None:
    """Olaf at Bakery and Clara at Clinic: the limit is Oak's, and neither locks the other's company."""
    async with work_as(store, cast.actor("Clara")) as session:
        line, desk = cast.extension("Clinic", "301").id, cast.product_id("Desk")
        coras = sa.select(Licence).where(Licence.extension_id == line, Licence.product_id == desk)
        await (await session.scalars(coras)).one().withdraw(session, NOW)
    await limit(store, cast, "Nora", "Oak", 3)

    async def take(who: str, place: str, number: str) -> str:
        try:
            await grant(store, cast, who, place, number)
        except Refusal as refusal:
            return refusal.rule
        return "taken"

    told = await asyncio.gather(take("Olaf", "Bakery", "203"), take("Clara", "Clinic", "301"))
    assert sorted(told) == ["seats", "taken"]
    async with house_work(store) as session:
        assert await used(session, cast, "Oak") == 3


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_two_who_set_the_first_limit_at_once_both_succeed(store: Store, cast: Cast) -> None:
    await asyncio.gather(*(limit(store, cast, who, "Bakery", seats) for who, seats in (("Olaf", 5), ("Nora", 6))))
    async with house_work(store) as session:
        kept = list(await session.scalars(sa.select(SeatLimit.seats)))
    assert kept in ([5], [6])
