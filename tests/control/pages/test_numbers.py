"""Inbound numbers as pages: found in any format, added one by one or pasted, routed, discarded, and told."""

import re

import pytest

from tests.control.pages.visit import Panel, choices, words


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does here."""
    return str(request.param)


def numbers_on(text: str) -> list[str]:
    return re.findall(r'<a class="who num" href="/numbers/\d+">([^<]*)', text)


BAKERYS = ["+44 20 7946 0101", "+44 20 7946 0102"]


async def test_everybody_sees_those_of_their_own_companies(panel: Panel) -> None:
    assert numbers_on((await panel.visit("Olaf", "/numbers")).shown.text) == BAKERYS
    assert numbers_on((await panel.visit("Pia", "/numbers")).shown.text) == ["+44 20 7946 0201"]
    assert (await panel.visit("Bea", "/numbers")).shown.status_code == 403
    bakerys = panel.cast.numbers["+442079460101"]
    assert (await panel.visit("Pia", f"/numbers/{bakerys}")).shown.status_code == 404


@pytest.mark.parametrize("sought", ["020 7946-0101", "+44 20 7946 0101", "79460101", "front", "201"])
async def test_a_number_is_found_however_it_is_written(panel: Panel, sought: str) -> None:
    boris = await panel.visit("Boris")
    found = numbers_on((await boris.open("/numbers", q=sought)).text)
    assert found == BAKERYS[:1]


async def test_filters_narrow_and_the_file_holds_what_is_shown(panel: Panel) -> None:
    boris = await panel.visit("Boris")
    assert numbers_on((await boris.open("/numbers", rings="no")).text) == BAKERYS[1:]
    file = (await boris.open("/numbers", rings="yes", format="csv")).text.splitlines()
    assert [line.split(",")[:4] for line in file[1:]] == [["'+44 20 7946 0101", "'+442079460101", "Bakery", "201"]]


async def test_boris_adds_a_number_as_it_is_dialled_at_home(panel: Panel) -> None:
    boris = await panel.visit("Boris", f"/numbers/new?company={panel.cast.tenant('Bakery').id}")
    assert 'value="GB" selected' in boris.shown.text
    form = {"company": str(panel.cast.tenant("Bakery").id), "number": "020 7946 0555", "region": "GB"}
    line = str(panel.cast.extension("Bakery", "203").id)
    made = await boris.follow(await boris.send("/numbers/new", form | {"extension": line, "note": "Shop"}))
    assert "+44 20 7946 0555" in words(made)
    again = await boris.send("/numbers/new", form)
    assert (again.status_code, "is here already" in words(again)) == (422, True)
    wrong = await boris.send("/numbers/new", form | {"region": "", "number": "020 7946 0556"})
    assert (wrong.status_code, "with its country" in words(wrong)) == (422, True)


async def test_clara_gets_no_hint_that_bakery_has_the_number(panel: Panel) -> None:
    clara = await panel.visit("Clara")
    here = str(panel.cast.tenant("Clinic").id)
    made = await clara.send("/numbers/new", {"company": here, "number": "+442079460101"})
    assert made.status_code == 303


async def test_many_lines_at_once_each_with_its_outcome(panel: Panel) -> None:
    boris = await panel.visit("Boris", f"/numbers/lines?company={panel.cast.tenant('Bakery').id}")
    lines = "020 7946 0601, 201, Sales\n\n+44 20 7946 0101\nhello\n020 7946 0601\n020 7946 0602, 999\n0207 946 0603"
    form = {"company": str(panel.cast.tenant("Bakery").id), "lines": lines, "region": "GB"}
    told = words(await boris.send("/numbers/lines", form))
    assert "2 numbers were added" in told
    assert told.count("is here already") == 2
    assert "This is not a telephone number" in told
    assert "No extension of this company has this number" in told
    assert len(numbers_on((await boris.open("/numbers")).text)) == 4
    assert (await boris.send("/numbers/lines", form | {"lines": " \n"})).status_code == 422
    assert (await boris.send("/numbers/lines", form | {"lines": "1\n" * 501})).status_code == 422


async def test_a_number_is_routed_discarded_and_brought_back_and_all_of_it_is_told(panel: Panel) -> None:
    number = panel.cast.numbers["+442079460102"]
    boris = await panel.visit("Boris", f"/numbers/{number}")
    assert any("Bea Bell" in each for each in choices(boris.shown, "extension"))
    line = str(panel.cast.extension("Bakery", "201").id)
    saved = await boris.send(
        f"/numbers/{number}", {"extension": line, "note": "Orders", "_seen": boris.hidden("_seen")}
    )
    assert saved.status_code == 303
    zoos = await boris.send(f"/numbers/{number}", {"extension": str(panel.cast.extension("Zoo", "201").id)})
    assert zoos.status_code == 422
    assert (await boris.send(f"/numbers/{number}/discard")).status_code == 303
    assert numbers_on((await boris.open("/numbers")).text) == BAKERYS[:1]
    assert numbers_on((await boris.open("/numbers", state="discarded")).text) == BAKERYS[1:]
    assert (await boris.send(f"/numbers/{number}", {"note": "x"})).status_code == 409
    assert (await boris.send(f"/numbers/{number}/undiscard")).status_code == 303
    told = words(await boris.open(f"/numbers/{number}/history"))
    for said in ("added the number", "changed the number", "discarded the number", "brought back the number"):
        assert said in told
    assert "Boris Birch" in told
    assert "now Orders" in told


async def test_who_saves_second_is_told_what_changed(panel: Panel) -> None:
    number = panel.cast.numbers["+442079460101"]
    boris, olaf = await panel.visit("Boris", f"/numbers/{number}"), await panel.visit("Olaf", f"/numbers/{number}")
    line = str(panel.cast.extension("Bakery", "201").id)
    seen = {"extension": line, "_seen": boris.hidden("_seen")}
    assert (await boris.send(f"/numbers/{number}", seen | {"note": "Mine"})).status_code == 303
    second = await olaf.send(f"/numbers/{number}", seen | {"note": "His"})
    assert (second.status_code, "Mine" in words(second)) == (409, True)
