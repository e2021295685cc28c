"""Inbound numbers: written in any way, single within a company, and routed to its own extensions alone."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.numbers import InboundNumber, digits_sought, e164_of, find_number, international, region_of
from tenants.phone_endings import discard_extension, discard_phone_system, what_goes
from tenants.phones import Extension, Licence, PhoneSystem
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Tenant
from tests.cast import NOW, Cast, house_work, work_as

LONDON = "+442079460123"


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does here."""
    return str(request.param)


async def add(
    session: AsyncSession, cast: Cast, place: str, number: str = LONDON, to: Extension | None = None
) -> InboundNumber:
    tenant = await session.get_one(Tenant, cast.tenant(place).id)
    return await InboundNumber.add(session, tenant, number, NOW, extension=to, note="Front desk")


async def line(session: AsyncSession, cast: Cast, place: str, number: str) -> Extension:
    return await session.get_one(Extension, cast.extension(place, number).id)


# How people write them


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+44 20 7946 0123", None),
        ("(020) 7946-0123", "GB"),
        ("0044 20 7946 0123", "GB"),
        ("tel:+44-20-7946-0123", None),
        ("＋４４２０７９４６０１２３", None),
        ("+٤٤٢٠٧٩٤٦٠١٢٣", None),
    ],
)
def test_one_number_in_many_ways(text: str, region: str | None) -> None:
    assert e164_of(text, region) == LONDON
    assert international(LONDON) == "+44 20 7946 0123"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("", None),
        ("020 7946 0123", None),
        ("201", "GB"),
        ("hello", "GB"),
        ("+44 20 7946 0123 ext 5", None),
        ("+999 1234567", None),
        ("+" + "4" * 41, None),
        ("1" * 5000, "GB"),
        ("+44 20\x00 7946 0123", None),
        ("020 7946 0123", "Nowhere"),
    ],
)
def test_what_is_no_number(text: str, region: str | None) -> None:
    with pytest.raises(Invalid):
        e164_of(text, region)


def test_a_search_looks_for_digits_in_any_format() -> None:
    assert digits_sought("020 7946-01") == "20794601"
    assert digits_sought("+44 (0)20") == "44020"
    assert digits_sought("desk 2") is None
    assert digits_sought("00") is None


def test_a_country_is_proposed_by_the_time_zone() -> None:
    assert (region_of("Europe/London"), region_of("Etc/UTC"), region_of("Nowhere")) == ("GB", None, None)


# Whose they are


async def test_a_neighbours_number_is_added_without_a_hint(store: Store, cast: Cast) -> None:
    """C: Clinic has it already, and Boris learns nothing of that."""
    async with work_as(store, cast.actor("Clara")) as session:
        await add(session, cast, "Clinic")
    async with work_as(store, cast.actor("Boris")) as session:
        made = await add(session, cast, "Bakery")
        assert (made.e164, made.note) == (LONDON, "Front desk")


async def test_the_same_number_twice_in_one_company_is_refused_until_the_first_is_discarded(
    store: Store, cast: Cast
) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        first = await add(session, cast, "Bakery")
        with pytest.raises(Invalid, match="here already") as refused:
            await add(session, cast, "Bakery", "0044 20 7946 0123".replace("0044", "+44"))
        assert refused.value.field == "number"
        await first.discard(session, NOW)
        second = await add(session, cast, "Bakery")
        with pytest.raises(Conflict, match="added anew"):
            await first.undiscard(session)
        await second.discard(session, NOW)
        await first.undiscard(session)
        with pytest.raises(Conflict):
            await first.undiscard(session)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_two_who_add_the_same_number_at_once(store: Store, cast: Cast) -> None:
    async def once() -> str:
        try:
            async with work_as(store, cast.actor("Boris")) as session:
                await add(session, cast, "Bakery")
        except Invalid as refusal:
            return refusal.field or ""
        return "added"

    assert sorted(await asyncio.gather(once(), once())) == ["added", "number"]


async def test_it_rings_only_at_an_extension_of_its_own_company(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        with pytest.raises(Invalid) as refused:
            await add(session, cast, "Bakery", to=await line(session, cast, "Clinic", "301"))
        assert refused.value.field == "extension"
        await add(session, cast, "Bakery", to=await line(session, cast, "Bakery", "201"))


async def test_the_database_itself_keeps_a_number_in_its_company(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        made = await add(session, cast, "Bakery")
        with pytest.raises(sa.exc.IntegrityError):
            await made.change(session, extension_id=cast.extension("Clinic", "301").id)
        await session.rollback()


async def test_zoos_number_does_not_exist_for_olaf(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        zoos = await add(session, cast, "Zoo")
    async with work_as(store, cast.actor("Olaf")) as session:
        with pytest.raises(OutOfReach):
            await find_number(session, zoos.id)


async def test_additions_edits_and_deactivations_are_told(store: Store, cast: Cast) -> None:
    """Seed 002: what is audited."""
    async with work_as(store, cast.actor("Boris")) as session:
        made = await add(session, cast, "Bakery")
        shop = await line(session, cast, "Bakery", "203")
        await made.change(session, extension=shop, note="Shop")
        await made.change(session, note=" Shop ")
        await made.discard(session, NOW)
        with pytest.raises(Conflict):
            await made.change(session, note="Too late")
        await made.undiscard(session)
    async with work_as(store, cast.actor("Amos")) as session:
        told = (
            sa.select(Entry).where(Entry.record_type == "numbers", Entry.record_id == str(made.id)).order_by(Entry.id)
        )
        entries = [(each.verb, each.changes) for each in await session.scalars(told)]
    assert [verb for verb, _ in entries] == [
        "number.created",
        "number.changed",
        "number.discarded",
        "number.undiscarded",
    ]
    assert entries[1][1] == {"extension_id": [None, shop.id], "note": ["Front desk", "Shop"]}


# What goes with an extension, and with a phone system


async def test_discarding_201_gives_its_seats_back_and_lets_its_number_ring_nowhere(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        beas = await line(session, cast, "Bakery", "201")
        number = await add(session, cast, "Bakery", to=beas)
        goes = await what_goes(session, beas)
        assert (goes.licences, goes.numbers) == (2, 2)
        await discard_extension(session, beas, NOW)
        live = sa.select(sa.func.count(Licence.id)).where(
            Licence.extension_id == beas.id, Licence.discarded_at.is_(None)
        )
        assert (await session.scalar(live), number.extension_id) == (0, None)
        with pytest.raises(Invalid):
            await number.change(session, extension=beas)


async def test_a_number_that_comes_back_does_not_ring_at_an_extension_out_of_use(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        beas = await line(session, cast, "Bakery", "201")
        number = await add(session, cast, "Bakery", to=beas)
        await number.discard(session, NOW)
        await discard_extension(session, beas, NOW)
        await number.undiscard(session)
        assert number.extension_id is None


async def test_a_phone_system_goes_empty_or_with_all_that_is_on_it(store: Store, cast: Cast) -> None:
    """B28: and its short name is free again."""
    async with work_as(store, cast.actor("Boris")) as session:
        pbx = await session.get_one(PhoneSystem, cast.phone_system_id("Bakery"))
        with pytest.raises(Conflict) as refused:
            await discard_phone_system(session, pbx, NOW)
        assert refused.value.rule == "in_use"
        assert (await what_goes(session, pbx)).extensions == 3
        await discard_phone_system(session, pbx, NOW, with_extensions=True)
        assert (await what_goes(session, pbx)).licences == 0
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        again = await PhoneSystem.create(session, bakery, "Bakery PBX", "b.example", NOW)
        assert again.slug == "bakery-pbx"
        with pytest.raises(Conflict):
            await Extension.create(session, pbx, "201", NOW)
        with pytest.raises(Conflict):
            await pbx.discard(session, NOW)
