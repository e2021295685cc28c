"""Breaking the glass on the pages: from the question that refuses Ada, past Axel's yes, to Bea who ends it."""

import sqlalchemy as sa

from bindings.impersonation import Impersonation
from tenants.actor import Actor
from tenants.break_glasses import BreakGlass
from tenants.letters import Letter, LetterKind
from tenants.people import Membership, User
from tenants.protections import tighten
from tenants.roles import Role
from tenants.tree import Tenant
from tests.cast import SEEDED, WHY, house_work
from tests.control.pages.visit import words
from tests.control.visits import House

REASON = "the oven calls the fire brigade"


async def never(pages: House) -> None:
    """Bakery lets nobody stand in; Axel is an admin of the platform by now."""
    async with house_work(pages.store, SEEDED) as session:
        axel = await session.get_one(Membership, pages.cast.membership_id("Axel"))
        await axel.change_role(session, Actor.house("a story"), Role.ADMIN, SEEDED)
    async with house_work(pages.store) as session:
        await tighten(session, await session.get_one(Tenant, pages.cast.tenant("Bakery").id), {"stand_ins": "never"})
        bea = await session.get_one(User, pages.cast.user("Bea").id)
        await bea.change(session, notices_muted=True)


async def test_ada_asks_axel_says_yes_bea_is_told_and_ends_it(pages: House) -> None:
    await never(pages)
    membership = str(pages.cast.membership_id("Bea"))
    ada, axel, bea = await pages.visit("Ada"), await pages.visit("Axel"), await pages.visit("Bea")
    question = f"/impersonations/new?membership={membership}"
    form = f"/break-glass/new?membership={membership}"
    assert form in await ada.get(question)
    asked = await ada.post("/break-glass", at=form, membership=membership, reason=REASON)
    assert asked.headers["location"] == "/break-glass"
    assert "Waits for a second person" in await ada.read("/break-glass")
    async with house_work(pages.store) as session:
        number = (await session.scalars(sa.select(BreakGlass.id))).one()
    approve = f"/break-glass/{number}/approve"
    assert approve not in await ada.get("/break-glass")
    back = await ada.post(approve, at="/break-glass", status=403)
    assert "Somebody else has to approve" in words(back)
    await axel.post(approve, at="/break-glass")
    async with house_work(pages.store) as session:
        letters = sa.select(Letter.kind, Letter.address).order_by(Letter.id)
        assert list(map(tuple, await session.execute(letters))) == [
            (LetterKind.GLASS_BROKEN, "bea@bakery.example"),
            (LetterKind.GLASS_BROKEN_FOR, "boris@bakery.example"),
        ], "though Bea wants no letters about who stands in for her"
    await ada.post("/impersonations", at=question, membership=membership, reason=WHY)
    home = await bea.read("/home")
    assert "The glass is broken for you" in home
    assert REASON in home
    await bea.post(f"/break-glass/{number}/end", at="/home")
    over = await ada.get("/home", status=409)
    assert "has ended" in over
    assert "the rules of Bakery, or a consent" in over
    async with house_work(pages.store) as session:
        assert (await session.scalars(sa.select(Impersonation.ended_cause))).one() == "policy"


async def test_boris_reads_it_and_turns_it_down(pages: House) -> None:
    await never(pages)
    membership = str(pages.cast.membership_id("Bea"))
    ada, boris = await pages.visit("Ada"), await pages.visit("Boris")
    await ada.post("/break-glass", at="/break-glass", membership=membership, reason=REASON)
    page = f"/companies/{pages.cast.tenant('Bakery').id}/consents"
    assert REASON in await boris.read(page)
    async with house_work(pages.store) as session:
        number = (await session.scalars(sa.select(BreakGlass.id))).one()
    await boris.post(f"/break-glass/{number}/end", at=page)
    assert "Waits for a second person" not in await ada.read("/break-glass")


async def test_it_is_for_the_platforms_admins(pages: House) -> None:
    await never(pages)
    membership = str(pages.cast.membership_id("Bea"))
    nora, ada = await pages.visit("Nora"), await pages.visit("Ada")
    assert 'href="/break-glass"' in await ada.get("/home")
    assert "/break-glass" not in await nora.get("/home")
    assert "/break-glass" not in await nora.get(f"/impersonations/new?membership={membership}")
    await nora.get("/break-glass", status=403)
    await nora.post("/break-glass", at="/users", status=403, membership=membership, reason=REASON)


async def test_without_a_reason_the_form_comes_back(pages: House) -> None:
    await never(pages)
    ada, membership = await pages.visit("Ada"), str(pages.cast.membership_id("Bea"))
    form = f"/break-glass/new?membership={membership}"
    back = await ada.post("/break-glass", at=form, status=422, membership=membership, reason="fire")
    assert "10 characters" in words(back)
