"""Seats as pages: the Licences tab of a company, taking the last one, and what goes with a phone system."""

import pytest

from tests.control.pages.visit import Panel, Visit, words


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does here."""
    return str(request.param)


async def limit(panel: Panel, name: str, place: str, seats: str, product: str = "Desk") -> tuple[Visit, int]:
    """Somebody fills in the limit of a product on a company's Licences tab."""
    path = f"/companies/{panel.cast.tenant(place).id}/licences"
    visit = await panel.visit(name, path)
    answer = await visit.send(path, {"product": str(panel.cast.product_id(product)), "seats": seats})
    if answer.status_code == 303:
        await visit.follow(answer)
    return visit, answer.status_code


async def test_olaf_limits_bakery_and_everybody_reads_where_it_comes_from(panel: Panel) -> None:
    assert (await limit(panel, "Nora", "Oak", "4"))[1] == 303
    olaf, status = await limit(panel, "Olaf", "Bakery", "3")
    told = words(olaf.shown)
    assert (status, "Desk is limited to 3" in told) == (303, True)
    assert "Desk Used here 2" in told or "Desk 2 2 3, set here" in told
    boris = words((await panel.visit("Boris", f"/companies/{panel.cast.tenant('Bakery').id}/licences")).shown)
    assert "Also limited above you" in boris
    assert "Oak" not in boris
    amos = await panel.visit("Amos", f"/companies/{panel.cast.tenant('Bakery').id}/licences")
    assert 'name="seats"' not in amos.shown.text


@pytest.mark.parametrize("seats", ["-1", "many", "1000001", "٣"])
async def test_what_is_no_limit_comes_back_in_its_form(panel: Panel, seats: str) -> None:
    assert (await limit(panel, "Olaf", "Bakery", seats))[1] == 422


async def test_boris_lowers_his_own_and_cannot_lift_it(panel: Panel) -> None:
    assert (await limit(panel, "Boris", "Bakery", "2"))[1] == 303
    assert (await limit(panel, "Boris", "Bakery", ""))[1] == 403
    assert (await limit(panel, "Olaf", "Bakery", ""))[1] == 303


async def test_the_page_of_an_extension_says_that_no_seat_is_left(panel: Panel) -> None:
    await limit(panel, "Olaf", "Bakery", "2")
    line = panel.cast.extension("Bakery", "203").id
    boris = await panel.visit("Boris", f"/extensions/{line}")
    desk = str(panel.cast.product_id("Desk"))
    refused = await boris.send(f"/extensions/{line}/licences", {"product": desk})
    assert (refused.status_code, "Bakery has 2, and 2 are in use" in words(refused)) == (409, True)


async def test_an_app_tells_who_uses_the_seats_of_its_product(panel: Panel) -> None:
    olaf = words((await panel.visit("Olaf", f"/apps/{panel.cast.app_id('desk-client')}")).shown)
    assert "Seats of Desk in use" in olaf
    assert "Bakery 2 Clinic 1" in olaf
    assert "Zoo" not in olaf


async def test_a_phone_system_is_discarded_with_what_is_on_it_after_a_tick(panel: Panel) -> None:
    path = f"/phone-systems/{panel.cast.phone_system_id('Bakery')}/discard"
    boris = await panel.visit("Boris", path)
    told = words(boris.shown)
    assert "3 extensions are on it. 4 licences end" in told
    assert "One inbound number rings nowhere" in told
    refused = await boris.send(path)
    assert (refused.status_code, "Nothing was discarded" in words(refused)) == (409, True)
    assert (await boris.follow(await boris.send(path, {"with_extensions": "1"}))).status_code == 200
    assert "Nowhere" in words(await boris.open("/numbers", q="0101"))
    assert (await boris.send(path, {"with_extensions": "1"})).status_code == 409


async def test_discarding_an_extension_says_what_goes_with_it(panel: Panel) -> None:
    line = panel.cast.extension("Bakery", "201").id
    boris = await panel.visit("Boris", f"/extensions/{line}/discard")
    assert "2 licences end" in words(boris.shown)
    assert (await boris.send(f"/extensions/{line}/discard")).status_code == 303
    assert "Nowhere" in words(await boris.open("/numbers", q="0101"))
