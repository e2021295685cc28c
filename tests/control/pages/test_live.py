"""The stream that tells a page of changes: to whom, of what, and that it is over when its visitor is somebody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from bindings import role_change
from bindings.impersonation import find_impersonation
from control.streams import MOST_OF_ONE, Streams
from tenants.people import Membership
from tenants.refusals import TooMany
from tenants.roles import Role
from tenants.sign_in import SignIn
from tests.cast import house_work, impersonate, work_as
from tests.conftest import ON_BOTH
from tests.control.pages.test_standing_in import become
from tests.control.visits import House, Reader

LIVE = "/impersonations/live"
SEEN = sa.select(SignIn.last_seen_at).order_by(SignIn.id)


@dataclass
class Listening:
    """A browser that listens: what it hears, word by word, until the stream ends."""

    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    status: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> dict[str, Any]:
        """What the browser says: nothing, until it goes."""
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """What the server says."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        for line in message.get("body", b"").decode().splitlines():
            if line.startswith("event: "):
                self.heard.put_nowait(line.removeprefix("event: "))
        if not message.get("more_body"):
            self.heard.put_nowait("over")
            self.left.set()

    async def next(self) -> str:
        """The next word; a story that waits for none fails."""
        async with asyncio.timeout(20):
            return await self.heard.get()

    async def over(self) -> None:
        """Listen until the stream ends; a look that was under way may still tell of what ended it."""
        while await self.next() != "over":
            pass


@asynccontextmanager
async def listening(pages: House, reader: Reader) -> AsyncIterator[Listening]:
    """Somebody's page listens, with looks as quick as they can be."""
    pages.panel.app.state.house.streams = Streams(every=0.001, ticks=1_000_000)
    browser = Listening()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": LIVE,
        "raw_path": LIVE.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost:8000"),
            (b"accept", b"text/event-stream"),
            (b"cookie", f"{pages.panel.cookie}={reader.visit.secret}".encode()),
        ],
        "client": ("192.0.2.7", 40000),
        "server": ("localhost", 8000),
    }
    app: Any = pages.panel.app
    task = asyncio.create_task(app(scope, browser.receive, browser.send))
    try:
        yield browser
    finally:
        browser.left.set()
        async with asyncio.timeout(20):
            await task


async def olaf_is_bea(pages: House) -> int:
    return await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery")


async def end(pages: House, number: int) -> None:
    boris = pages.cast.actor("Boris")
    async with work_as(pages.store, boris, pages.clock.now) as session:
        await (await find_impersonation(session, number)).stop(session, boris, pages.clock.now)


@ON_BOTH
async def test_boris_hears_of_a_start_and_of_its_end(pages: House) -> None:
    boris = await pages.visit("Boris")
    async with listening(pages, boris) as browser:
        assert await browser.next() == "open"
        number = await olaf_is_bea(pages)
        assert await browser.next() == "changed"
        await end(pages, number)
        assert await browser.next() == "changed"
    assert browser.status == 200


async def test_boris_hears_that_time_is_over_though_nobody_writes_it_down(pages: House) -> None:
    boris = await pages.visit("Boris")
    await olaf_is_bea(pages)
    async with listening(pages, boris) as browser:
        assert await browser.next() == "open"
        pages.clock.pass_(minutes=20)
        assert await browser.next() == "changed"


async def test_clara_hears_nothing_of_bakery(pages: House) -> None:
    clara = await pages.visit("Clara")
    async with listening(pages, clara) as browser:
        assert await browser.next() == "open"
        number = await olaf_is_bea(pages)
        await end(pages, number)
        # What is in her reach is the first that she hears of.
        await impersonate(pages.store, pages.cast, "Olaf", "Cora", pages.clock.now, at="Clinic")
        assert await browser.next() == "changed"
        assert browser.heard.empty()


@pytest.mark.parametrize("name", ["Bea", "Dan"])
async def test_a_member_is_not_let_in(pages: House, name: str) -> None:
    member = await pages.visit(name)
    await member.get(LIVE, status=403)


async def test_t64_a_stream_is_over_with_its_sign_in(pages: House) -> None:
    boris = await pages.visit("Boris")
    async with listening(pages, boris) as browser:
        assert await browser.next() == "open"
        await boris.post("/sign-out", at="/account")
        await browser.over()


async def test_t64_a_stream_is_over_when_olaf_becomes_boris_and_when_he_stops(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    async with listening(pages, olaf) as browser:
        assert await browser.next() == "open"
        await become(olaf, pages, "Boris", at="Bakery")
        await browser.over()
    async with listening(pages, olaf) as browser:
        assert await browser.next() == "open"
        await olaf.post("/impersonations/stop", at="/home")
        await browser.over()


async def test_t16_a_stream_opened_while_standing_in_is_closed_after_twenty_minutes(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    async with listening(pages, olaf) as browser:
        assert await browser.next() == "open"
        pages.clock.pass_(minutes=20)
        await browser.over()
    answer = await olaf.ask(LIVE)
    assert answer.status_code == 409


async def test_a_stream_is_over_with_the_right_to_it(pages: House) -> None:
    bruno = await pages.visit("Bruno")
    async with listening(pages, bruno) as browser:
        assert await browser.next() == "open"
        async with house_work(pages.store, pages.clock.now) as session:
            member = await session.get_one(Membership, pages.cast.membership_id("Bruno"))
            await role_change.change_role(session, pages.cast.actor("Boris"), member, Role.MEMBER, pages.clock.now)
        await browser.over()


async def test_listening_keeps_nobody_signed_in(pages: House) -> None:
    boris = await pages.visit("Boris")
    async with house_work(pages.store) as session:
        before = (await session.scalars(SEEN)).all()
    pages.clock.pass_(minutes=30)
    async with listening(pages, boris) as browser:
        assert await browser.next() == "open"
        await olaf_is_bea(pages)
        assert await browser.next() == "changed"
    await boris.get("/impersonations/rows")
    async with house_work(pages.store) as session:
        assert (await session.scalars(SEEN)).all() == before


async def test_who_goes_leaves_a_place(pages: House) -> None:
    boris = await pages.visit("Boris")
    async with listening(pages, boris) as browser:
        assert await browser.next() == "open"
        streams = pages.panel.app.state.house.streams
        assert len(streams) == 1
    assert len(streams) == 0


async def test_there_are_so_many_and_no_more() -> None:
    streams = Streams()
    places = [streams.place(7) for _ in range(MOST_OF_ONE)]
    for place in places:
        place.__enter__()
    with pytest.raises(TooMany):
        streams.require_room(7)
    streams.require_room(8)
    places[0].__exit__(None, None, None)
    streams.require_room(7)


async def test_it_ends_by_itself_and_with_the_process() -> None:
    assert [look async for look in Streams(every=0.0, ticks=3).looks()] == [0, 1, 2]
    leaving = Streams(every=3600.0)
    asyncio.get_running_loop().call_soon(leaving.leave)
    async with asyncio.timeout(20):
        assert [look async for look in leaving.looks()] == []


async def test_the_table_comes_alone_for_the_script_and_as_a_page_for_anybody_else(pages: House) -> None:
    number = await olaf_is_bea(pages)
    boris = await pages.visit("Boris")
    whole = await boris.get("/impersonations/rows")
    assert "<main" in whole
    alone = await boris.visit.http.get("/impersonations/rows?brief=1", headers={"X-Fragment": "1"})
    assert "<main" not in alone.text
    assert f'action="/impersonations/{number}/end"' in alone.text
    assert 'name="_csrf_token"' in alone.text
    await end(pages, number)
    assert "No one is signed in as someone else." in await boris.get("/impersonations/rows?brief=1")
