"""Suspending on the pages: what stops is told before it stops, and who may lift it is told to who may not."""

from tenants.tree import Suspension
from tests.cast import bind, house_work
from tests.control.pages.visit import words
from tests.control.visits import House

UNPAID = {"scope": "all", "reason": "unpaid since June"}


async def test_olaf_sees_what_stops_and_suspends_bakery(pages: House) -> None:
    olaf, boris, bakery = await pages.visit("Olaf"), await pages.visit("Boris"), pages.cast.tenant("Bakery").id
    await bind(pages.store, pages.cast, "Olaf", "Bakery", "201")
    assert f'href="/companies/{bakery}/suspend"' in await olaf.get(f"/companies/{bakery}")
    asked = await olaf.read(f"/companies/{bakery}/suspend")
    assert "People 5" in asked
    assert "Sign-ins to the panel 1" in asked
    assert "Bindings 1" in asked
    answer = await olaf.post(f"/companies/{bakery}/suspend", at=f"/companies/{bakery}/suspend", **UNPAID)
    assert answer.headers["location"] == f"/companies/{bakery}/suspensions"
    assert (await boris.ask(f"/companies/{bakery}")).status_code == 303, "Boris is led to the sign-in page"
    assert "unpaid since June" in await olaf.read(f"/companies/{bakery}/suspensions")
    assert "Suspended with everything below" in await olaf.read(f"/companies/{bakery}")


async def test_a_branch_tells_both_what_its_people_do_and_what_is_below(pages: House) -> None:
    nora, oak = await pages.visit("Nora"), pages.cast.tenant("Oak").id
    asked = await nora.read(f"/companies/{oak}/suspend")
    assert "People 2 10" in asked
    assert "Companies and organizations below 0 2" in asked


async def test_a_reason_of_less_than_ten_letters_brings_the_form_back(pages: House) -> None:
    olaf, bakery = await pages.visit("Olaf"), pages.cast.tenant("Bakery").id
    at = f"/companies/{bakery}/suspend"
    back = await olaf.post(at, at=at, status=422, scope="staff", reason="unpaid")
    assert "at least 10 characters" in words(back)
    assert "unpaid</textarea>" in back.text
    await olaf.post(at, at=at, status=422, scope="galaxy", reason="unpaid since June")
    async with house_work(pages.store) as session:
        assert (await session.scalars(Suspension.__table__.select())).first() is None


async def test_nobody_suspends_their_own_organization(pages: House) -> None:
    boris, bakery = await pages.visit("Boris"), pages.cast.tenant("Bakery").id
    assert "/suspend" not in await boris.get(f"/companies/{bakery}")
    assert (await boris.ask(f"/companies/{bakery}/suspend")).status_code == 409


async def test_olaf_is_told_that_nora_has_to_lift_what_she_set(pages: House) -> None:
    """C14: set above him."""
    nora, olaf, bakery = await pages.visit("Nora"), await pages.visit("Olaf"), pages.cast.tenant("Bakery").id
    for who in (nora, olaf):
        await who.post(f"/companies/{bakery}/suspend", at=f"/companies/{bakery}/suspend", **UNPAID)
    async with house_work(pages.store) as session:
        [noras, olafs] = list(await session.scalars(Suspension.__table__.select().order_by(Suspension.id)))
    seen = await olaf.get(f"/companies/{bakery}/suspensions")
    assert f"/suspensions/{olafs}/lift" in seen
    assert f"/suspensions/{noras}/lift" not in seen
    assert "Only a level above yours may lift this" in seen
    at = f"/companies/{bakery}/suspensions"
    await olaf.post(f"/suspensions/{noras}/lift", at=at, status=403)
    await olaf.post(f"/suspensions/{olafs}/lift", at=at)
    assert "closed" not in await olaf.read("/companies")
    await nora.post(f"/suspensions/{noras}/lift", at=at)
    assert "Not suspended" in await olaf.read(at)


async def test_elsa_finds_no_suspension_of_bakery(pages: House) -> None:
    elsa, bakery = await pages.visit("Elsa"), pages.cast.tenant("Bakery").id
    for path in (f"/companies/{bakery}/suspensions", f"/companies/{bakery}/suspend", f"/companies/{bakery}/move"):
        assert (await elsa.ask(path)).status_code == 404
