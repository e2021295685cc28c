"""A binding's own page tells its story: who, whom, why, until when, what was done through it, and its history."""

import pytest

from bindings.binding import find_binding
from tests.cast import bind, house_work
from tests.control.logins import log_in
from tests.control.visits import House

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

WHY = "Ticket 4417, no ring"


async def test_it_tells_who_whom_why_and_the_logins_made_through_it(pages: House) -> None:
    number = await bind(pages.store, pages.cast, "Olaf", "Bakery", "201", reason=WHY)
    await log_in(pages, "Olaf")
    said = await (await pages.visit("Boris")).read(f"/bindings/{number}")
    for part in ("Olaf Olsen opens the apps as Bea Bell", "ext 201 at Bakery", WHY, "Until released", "Every app"):
        assert part in said
    assert "Softphone 09:00" in said
    assert "Olaf Olsen , signed in as Bea Bell , logged in to Softphone" in said
    assert "Olaf Olsen bound to Bea Bell, ext 201 at Bakery" in said


async def test_after_its_end_it_says_how_it_ended_and_what_it_was(pages: House) -> None:
    number = await bind(pages.store, pages.cast, "Olaf", "Bakery", "201", reason=WHY)
    olaf = await pages.visit("Olaf")
    await olaf.post(f"/bindings/{number}/release", at="/home")
    said = await olaf.read(f"/bindings/{number}")
    assert "Olaf Olsen opened the apps as Bea Bell" in said
    assert "Released" in said
    assert "ended the binding to Bea Bell" in said
    assert "Not used" not in said


async def test_the_subject_reads_it_and_a_colleague_does_not(pages: House) -> None:
    number = await bind(pages.store, pages.cast, "Olaf", "Bakery", "201", reason=WHY)
    await log_in(pages, "Olaf")
    said = await (await pages.visit("Bea")).read(f"/bindings/{number}")
    assert "Softphone 09:00" in said
    assert WHY in said
    assert "Search and export" not in said
    assert "192.0.2" not in said
    for name in ("Ben", "Zoe", "Elsa"):
        await (await pages.visit(name)).get(f"/bindings/{number}", status=404)


async def test_what_another_binding_of_the_subject_did_stands_elsewhere(pages: House) -> None:
    first = await bind(pages.store, pages.cast, "Olaf", "Bakery", "201")
    second = await bind(pages.store, pages.cast, "Opal", "Bakery", "201")
    await log_in(pages, "Opal")
    boris = await pages.visit("Boris")
    assert "Opal" not in await boris.read(f"/bindings/{first}")
    assert "Opal" in await boris.read(f"/bindings/{second}")
    async with house_work(pages.store) as session:
        assert (await find_binding(session, first)).ended_at is None
