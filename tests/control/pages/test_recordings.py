"""Call recordings as pages: who finds which, what is noted, and what stays within the company."""

import re

import pytest

from control.spreadsheets import csv_cell
from tests.control.pages.visit import Panel, words

PRIVATE, OPEN = "bakery-2", "bakery-1"
THEIRS = "+442079460902"
"""The other party of Bea's private call."""


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does here."""
    return str(request.param)


def on(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'<a class="who" href="/recordings/(\d+)">', text)]


def numbers(panel: Panel, *names: str) -> list[int]:
    return [panel.cast.recordings[name] for name in names]


async def test_everybody_finds_their_own(panel: Panel) -> None:
    seen = {
        "Bea": numbers(panel, "bakery-2", "bakery-1"),
        "Bruno": numbers(panel, "bakery-3", "bakery-2", "bakery-1"),
        "Pia": numbers(panel, "dairy-1"),
        "Zoe": [],
    }
    for name, expected in seen.items():
        assert on((await panel.visit(name, "/recordings")).shown.text) == expected, name
    zoe = await panel.visit("Zoe", f"/recordings/{panel.cast.recordings[OPEN]}")
    assert zoe.shown.status_code == 404


async def test_filters_narrow_and_stay_in_the_address(panel: Panel) -> None:
    olaf = await panel.visit("Olaf")
    bea = str(panel.cast.membership_id("Bea"))
    for asked, expected in (
        ({"person": bea, "direction": "in"}, ["bakery-1"]),
        ({"q": "202"}, ["bakery-3"]),
        ({"q": "0903"}, ["bakery-3"]),
        ({"private": "1"}, ["bakery-2"]),
        ({"to": "2026-09-21"}, ["bakery-1"]),
        ({"from": "2026-09-22", "sort": "length"}, ["bakery-2", "bakery-3"]),
        ({"disposition": "sale"}, []),
        ({"disposition": "none", "sort": "-length"}, ["bakery-1", "bakery-3", "bakery-2"]),
    ):
        assert on((await olaf.open("/recordings", **asked)).text) == numbers(panel, *expected), asked
    assert (await olaf.open("/recordings", direction="sideways")).status_code == 422


async def test_bruno_notes_and_history_keeps_what_he_wrote_to_itself(panel: Panel) -> None:
    path = f"/recordings/{panel.cast.recordings[OPEN]}"
    bruno = await panel.visit("Bruno", path)
    form = {"notes": "Wants a refund.\r\nCall back.", "disposition": "complaint", "_seen": bruno.hidden("_seen")}
    saved = words(await bruno.follow(await bruno.send(path, form)))
    assert "Wants a refund." in saved
    olaf = await panel.visit("Olaf", f"{path}/history")
    assert "Bruno Brook changed the recording" in words(olaf.shown)
    assert "refund" not in words(olaf.shown)
    second = await olaf.send(path, form | {"notes": "Nothing", "disposition": ""})
    assert (second.status_code, "changed while you were editing" in words(second)) == (409, True)
    assert (await bruno.send(path, {"notes": "x" * 4001})).status_code == 422
    assert (await bruno.send(path, {"disposition": "nonsense"})).status_code == 422


async def test_bea_marks_her_call_as_private_and_no_more(panel: Panel) -> None:
    path = f"/recordings/{panel.cast.recordings[OPEN]}"
    bea = await panel.visit("Bea", path)
    assert 'name="notes"' not in bea.shown.text
    assert (await bea.send(path, {"notes": "Mine"})).status_code == 403
    assert "is private now" in words(await bea.follow(await bea.send(f"{path}/private", {"private": "1"})))
    assert (await bea.open(f"{path}/history")).status_code == 403
    olaf = await panel.visit("Olaf", path)
    assert "79460901" not in olaf.shown.text
    assert (await olaf.send(f"{path}/private", {"private": "0"})).status_code == 403
    assert (await olaf.send(path, {"notes": "Over it"})).status_code == 403


async def test_a_private_one_is_masked_on_every_page(panel: Panel) -> None:
    number = panel.cast.recordings[PRIVATE]
    for name in ("Olaf", "Opal", "Amos"):
        visit = await panel.visit(name)
        for path in ("/recordings", f"/recordings/{number}", f"/recordings/{number}/history", "/recordings?format=csv"):
            page = await visit.open(path)
            assert (page.status_code, THEIRS[3:] in page.text) == (200, False), (name, path)
        assert number not in on((await visit.open("/recordings", q="0902")).text)


async def test_olaf_looks_into_it_once_and_that_is_told_to_bakery(panel: Panel) -> None:
    path = f"/recordings/{panel.cast.recordings[PRIVATE]}"
    olaf = await panel.visit("Olaf", path)
    assert "Look into it" in words(olaf.shown)
    assert "under your name" in words(await olaf.open(f"{path}/reveal"))
    shown = await olaf.send(f"{path}/reveal")
    assert (shown.status_code, THEIRS in shown.text, shown.headers["cache-control"]) == (200, True, "no-store")
    assert THEIRS not in (await olaf.open(path)).text
    assert (await olaf.send(f"/recordings/{panel.cast.recordings[OPEN]}/reveal")).status_code == 409
    boris = await panel.visit("Boris", f"{path}/history")
    assert "Olaf Olsen looked into the private recording" in words(boris.shown)
    for name in ("Opal", "Amos"):
        assert (await (await panel.visit(name)).send(f"{path}/reveal")).status_code == 403


async def test_the_file_is_what_is_shown_and_is_written_down(panel: Panel) -> None:
    boris = await panel.visit("Boris")
    file = (await boris.open("/recordings", direction="out", format="csv")).text.splitlines()
    assert len(file) == 2
    assert csv_cell(THEIRS) in file[1]
    assert "exported call recordings" in words(await boris.open("/history"))


async def test_a_discarded_one_is_in_no_list(panel: Panel) -> None:
    number = panel.cast.recordings[OPEN]
    boris = await panel.visit("Boris", f"/recordings/{number}")
    assert (await boris.send(f"/recordings/{number}/discard")).status_code == 303
    assert number not in on((await boris.open("/recordings")).text)
    assert "Discarded" in words(await boris.open(f"/recordings/{number}"))
