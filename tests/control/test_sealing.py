"""Sealing in the serving process, and what it publishes: the note and the key for anybody, a page for readers."""

import asyncio

import pytest

from control import metrics
from control.house import House
from control.sealing import look, sealing
from tenants.signed_notes import NoteKey
from tests.control.visits import House as Pages


@pytest.fixture
def house(pages: Pages) -> House:
    found: House = pages.panel.app.state.house
    return found


def pending() -> float:
    return metrics.PENDING._value.get()


async def test_a_look_seals_what_waits_and_then_finds_nothing(pages: Pages, house: House) -> None:
    assert await look(house) > 0
    assert pending() > 0
    pages.clock.pass_(seconds=1)
    while await look(house):
        pass
    assert pending() == 0


async def test_the_task_goes_on_after_a_fault(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = asyncio.Event()
    calls = 0

    async def breaks(_: House) -> int:
        nonlocal calls
        calls += 1
        if calls > 2:
            looks.set()
        raise OSError("the database is away")

    monkeypatch.setattr("control.sealing.look", breaks)
    async with sealing(house, every=0):
        await asyncio.wait_for(looks.wait(), 5)


async def test_anybody_fetches_the_note_and_the_key(pages: Pages, house: House) -> None:
    stranger = pages.panel.stranger()
    for path in ("/.well-known/trail/checkpoint", "/.well-known/trail/key"):
        assert (await stranger.open(path)).status_code == 404
    await look(house)
    note = await stranger.open("/.well-known/trail/checkpoint")
    key = await stranger.open("/.well-known/trail/key")
    assert note.headers["content-type"].startswith("text/plain")
    checkpoint = NoteKey.read(key.text).open(note.text)
    assert checkpoint.origin == "localhost:8000/trail"
    assert checkpoint.size > 0


async def test_axel_reads_how_to_check_it(pages: Pages, house: House) -> None:
    axel = await pages.visit("Axel")
    assert "Nothing is sealed yet" in await axel.read("/checkpoint")
    await look(house)
    shown = await axel.read("/checkpoint")
    assert "localhost:8000/trail" in shown
    assert "understudy trail verify trail.jsonl --key" in shown
    assert 'href="/checkpoint"' in await axel.get("/history")
