"""Phones: an extension and its person are of one company, numbers are single per PBX, admins of apps are made once."""

import asyncio
import contextlib

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.people import Membership
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.store import Store
from tenants.tree import Tenant
from tests.cast import NOW, Cast, house_work, work_as


async def line(session: AsyncSession, cast: Cast, tenant: str, number: str) -> Extension:
    return await session.get_one(Extension, cast.extension(tenant, number).id)


async def system(session: AsyncSession, cast: Cast, tenant: str) -> PhoneSystem:
    return await session.get_one(PhoneSystem, cast.phone_system_id(tenant))


async def licences(session: AsyncSession, cast: Cast, tenant: str, product: str) -> dict[str, Licence]:
    """The live licences for a product at a tenant, by number."""
    rows = await session.execute(
        sa.select(Extension.number, Licence)
        .join(Licence, Licence.extension_id == Extension.id)
        .where(
            Licence.tenant_id == cast.tenant(tenant).id,
            Licence.product_id == cast.product_id(product),
            Licence.discarded_at.is_(None),
        )
    )
    return {row[0]: row[1] for row in rows}


# Extensions


@pytest.mark.parametrize("number", ["", "20a", "+44201", "1" * 21, "２０１", "2 01", "201\n"])
async def test_what_is_no_number_is_refused(store: Store, cast: Cast, number: str) -> None:
    with pytest.raises(Invalid):
        async with work_as(store, cast.actor("Boris")) as session:
            await Extension.create(session, await system(session, cast, "Bakery"), number, NOW)


async def test_a_number_is_single_on_its_pbx_and_free_elsewhere(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        with pytest.raises(Invalid):
            await Extension.create(session, await system(session, cast, "Bakery"), "201", NOW)
        await Extension.create(session, await system(session, cast, "Clinic"), "201", NOW)


async def test_a_discarded_number_is_free_again_and_is_another_extension(store: Store, cast: Cast) -> None:
    """B27, B28."""
    async with work_as(store, cast.actor("Boris")) as session:
        old = await line(session, cast, "Bakery", "201")
        await old.discard(session, NOW)
        new = await Extension.create(session, await system(session, cast, "Bakery"), "201", NOW)
        assert new.id != old.id
        assert (old.number, new.membership_id) == ("201", None)
        with pytest.raises(Conflict):
            await old.discard(session, NOW)


async def test_two_at_once_do_not_both_get_the_number(store: Store, cast: Cast) -> None:
    async def add() -> None:
        with contextlib.suppress(Invalid, sa.exc.IntegrityError):
            async with work_as(store, cast.actor("Boris")) as session:
                await Extension.create(session, await system(session, cast, "Bakery"), "300", NOW)

    await asyncio.gather(*(add() for _ in range(8)))
    async with house_work(store) as session:
        assert await session.scalar(sa.select(sa.func.count(Extension.id)).where(Extension.number == "300")) == 1


async def test_an_extension_belongs_to_somebody_of_the_same_company(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        shop = await line(session, cast, "Bakery", "203")
        cora = await session.get_one(Membership, cast.membership_id("Cora"))
        ben = await session.get_one(Membership, cast.membership_id("Ben"))
        with pytest.raises(Invalid):
            await shop.change(session, membership=cora)
        await shop.change(session, membership=ben)
        assert shop.membership_id == ben.id


@pytest.mark.parametrize("field", ["membership_id", "phone_system_id"])
async def test_the_database_itself_keeps_an_extension_in_its_company(store: Store, cast: Cast, field: str) -> None:
    clinics = {"membership_id": cast.membership_id("Cora"), "phone_system_id": cast.phone_system_id("Clinic")}
    with pytest.raises(sa.exc.IntegrityError):
        async with house_work(store) as session:
            await (await line(session, cast, "Bakery", "203")).change(session, **{field: clinics[field]})


async def test_an_extension_goes_to_nobody_who_has_left(store: Store, cast: Cast) -> None:
    boris = cast.actor("Boris")
    async with work_as(store, boris) as session:
        bea = await session.get_one(Membership, cast.membership_id("Bea"))
        await bea.discard(session, boris, NOW)
        shop = await line(session, cast, "Bakery", "203")
        with pytest.raises(Invalid):
            await shop.change(session, membership=bea)


async def test_an_extension_may_belong_to_nobody(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        beas = await line(session, cast, "Bakery", "201")
        await beas.change(session, membership=None)
        assert beas.membership_id is None


# Phone systems


@pytest.mark.parametrize("host", ["", "http://pbx", "pbx example", "-pbx.example", "pbx_.example", "x" * 254, "a..b"])
async def test_what_is_no_host_is_refused(store: Store, cast: Cast, host: str) -> None:
    with pytest.raises(Invalid):
        async with work_as(store, cast.actor("Boris")) as session:
            await (await system(session, cast, "Bakery")).change(session, host=host)


async def test_a_pbx_is_renamed_and_keeps_its_owner(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        pbx = await system(session, cast, "Bakery")
        await pbx.change(session, name="Main PBX", host="MAIN.pbx.example")
        assert (pbx.name, pbx.host, pbx.tenant_id) == ("Main PBX", "main.pbx.example", cast.tenant("Bakery").id)


async def test_a_second_pbx_of_the_same_short_name_is_refused(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        with pytest.raises(Invalid):
            await PhoneSystem.create(session, bakery, "Bakery PBX", "b.example", NOW)
        await PhoneSystem.create(session, bakery, "Second PBX", "b.example", NOW)


# Licences, and who is admin of an app


async def test_the_first_own_holder_is_the_app_admin(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        desk = await licences(session, cast, "Bakery", "Desk")
        assert {number: licence.app_admin for number, licence in desk.items()} == {"201": True, "202": False}


async def test_nobody_becomes_app_admin_by_themselves(store: Store, cast: Cast) -> None:
    """C24: Bea's licence goes and comes back; Ben was next."""
    async with work_as(store, cast.actor("Boris")) as session:
        desk = await licences(session, cast, "Bakery", "Desk")
        await desk["201"].withdraw(session, NOW)
        product = await session.get_one(Product, cast.product_id("Desk"))
        await Licence.grant(session, await line(session, cast, "Bakery", "201"), product, NOW)
        after = await licences(session, cast, "Bakery", "Desk")
        assert {number: licence.app_admin for number, licence in after.items()} == {"201": False, "202": False}
        await after["202"].set_app_admin(session, True)
        assert after["202"].app_admin


async def test_an_extension_without_a_person_makes_no_admin(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        product = await session.get_one(Product, cast.product_id("Desk"))
        shop = await Licence.grant(session, await line(session, cast, "Bakery", "203"), product, NOW)
        assert not shop.app_admin


async def test_a_licence_is_held_once(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        product = await session.get_one(Product, cast.product_id("Desk"))
        with pytest.raises(Conflict):
            await Licence.grant(session, await line(session, cast, "Bakery", "201"), product, NOW)
        desk = await licences(session, cast, "Bakery", "Desk")
        await desk["201"].withdraw(session, NOW)
        with pytest.raises(Conflict):
            await desk["201"].withdraw(session, NOW)
        with pytest.raises(Conflict):
            await desk["201"].set_app_admin(session, True)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_two_first_licences_at_once_make_one_admin(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        product = await Product.create(session, "Fax", NOW)

    async def grant(number: str) -> None:
        async with work_as(store, cast.actor("Boris")) as session:
            extension = await line(session, cast, "Bakery", number)
            await Licence.grant(session, extension, await session.get_one(Product, product.id), NOW)

    await asyncio.gather(grant("201"), grant("202"))
    async with house_work(store) as session:
        admins = sa.select(sa.func.count(Licence.id)).where(Licence.product_id == product.id, Licence.app_admin)
        assert await session.scalar(admins) == 1


async def test_the_catalogue_is_read_by_everybody_and_changed_by_the_platform(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Bea")) as session:
        assert set(await session.scalars(sa.select(Product.name))) == {"Softphone", "Desk"}
    with pytest.raises(OutOfReach):
        async with work_as(store, cast.actor("Olaf")) as session:
            await Product.create(session, "Fax", NOW)
    async with work_as(store, cast.actor("Ada")) as session:
        await Product.create(session, "Fax", NOW)
