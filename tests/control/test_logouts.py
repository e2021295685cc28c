"""Apps are told that a login has ended: soon, once, again where they did not answer, and none waits for another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bindings.apps import App
from bindings.handoff import hand_off
from bindings.impersonation import find_impersonation
from bindings.keys import KeyRing
from bindings.login import Login, end_logins_of, start_login
from bindings.logout_tokens import LEASE, LOGOUT_TYPE, PAUSES
from bindings.resolving import Granted, resolve
from control import logouts
from control.house import House
from control.logouts import AT_ONE_APP, Teller, telling
from control.outbound import Answer, Hitch, NotDelivered, Outbound
from control.settings import Settings
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import ORIGIN, Cast, Clock, house_work, impersonate, work_as
from tests.conftest import ON_BOTH
from tests.control.receiver import Receiver, listening

PANEL = "http://localhost:8000"
SECRET_KEY = b"the secret key of a story, 32 bytes and more"


class Apps(Outbound):
    """The other ends: each address answers as a story says, and keeps what it was told."""

    def __init__(self) -> None:
        super().__init__(loopback=True)
        self.told: list[tuple[str, str]] = []
        self.under_way = 0
        self.turned = asyncio.Event()
        self.answers: dict[str, Callable[[], int]] = {}
        self.held: dict[str, asyncio.Event] = {}

    async def post_form(self, url: str, fields: Mapping[str, str]) -> Answer:
        """Keep it, wait if the story says so, and answer."""
        self.told.append((url, fields["logout_token"]))
        self.under_way += 1
        self.turned.set()
        try:
            if url in self.held:
                await self.held[url].wait()
            return Answer(self.answers.get(url, lambda: 200)(), b"")
        finally:
            self.under_way -= 1
            self.turned.set()

    def count(self, url: str) -> int:
        return len([each for each, _ in self.told if each == url])


@dataclass
class Story:
    """A house whose apps are told."""

    store: Store
    cast: Cast
    clock: Clock
    folder: Path
    apps: Apps = field(default_factory=Apps)

    @property
    def house(self) -> House:
        url = str(self.store.url)
        return House(Settings(url, url, self.folder, PANEL, SECRET_KEY), self.store, lambda: self.clock.now)

    def teller(self) -> Teller:
        return Teller(self.house, self.apps)

    async def registered(self, app: str, address: str) -> str:
        async with house_work(self.store, self.clock.now) as session:
            row = await session.get_one(App, self.cast.app_id(app))
            await row.change(session, backchannel_logout_uri=address)
        return address

    async def logged_in(self, name: str = "Bea", app: str = "softphone") -> str:
        now = self.clock.now
        async with house_work(self.store, now) as session:
            sign_in, _ = await SignIn.start(session, self.cast.identity(name), ORIGIN, "a browser", now)
        async with work_as(self.store, self.cast.actor(name), now) as session:
            client = await session.get_one(App, self.cast.app_id(app))
            granted = await resolve(session, sign_in.user_id, client, now)
            assert isinstance(granted, Granted)
            return (await start_login(session, granted, client, sign_in, "openid", now)).id

    async def ended(self, name: str = "Bea") -> None:
        async with house_work(self.store, self.clock.now) as session:
            await end_logins_of(session, self.cast.user(name).id, "signed_out_everywhere", self.clock.now)

    async def row(self, sid: str) -> Login:
        async with house_work(self.store, self.clock.now) as session:
            return await session.get_one(Login, sid)

    async def left(self) -> int:
        async with house_work(self.store, self.clock.now) as session:
            open_ones = sa.select(sa.func.count(Login.id)).where(Login.ended_at.is_not(None), Login.told_at.is_(None))
            return await session.scalar(open_ones.where(Login.tell)) or 0


@pytest.fixture
def story(store: Store, cast: Cast, clock: Clock, tmp_path: Path) -> Story:
    return Story(store, cast, clock, tmp_path)


async def round_of(teller: Teller, clock: Clock) -> int:
    sent = await teller.look(clock.now)
    await teller.arrive()
    return sent


async def until(apps: Apps, under_way: int) -> None:
    """Let the loop turn until so many posts are on their way."""
    async with asyncio.timeout(20):
        while apps.under_way != under_way:
            apps.turned.clear()
            await apps.turned.wait()


@ON_BOTH
async def test_an_app_is_told_once_and_its_yes_is_written_down(story: Story) -> None:
    address = await story.registered("softphone", "https://softphone.example/logout")
    sid = await story.logged_in()
    await story.ended()
    teller = story.teller()
    assert await round_of(teller, story.clock) == 1
    assert await round_of(teller, story.clock) == 0
    [(url, token)] = story.apps.told
    claims = await KeyRing(story.store, SECRET_KEY).verify(token, story.clock.now, LOGOUT_TYPE)
    assert claims is not None
    assert (url, claims["iss"], claims["aud"], claims["sid"]) == (address, PANEL, "softphone", sid)
    assert claims["sub"] == str(story.cast.membership_id("Bea"))
    row = await story.row(sid)
    assert (row.told_at, row.tell_error, row.tell_tries) == (story.clock.now, None, 1)


@ON_BOTH
async def test_stopping_an_impersonation_tells_the_app_it_was_at(story: Story) -> None:
    address = await story.registered("softphone", "https://softphone.example/logout")
    olaf, now = story.cast.actor("Olaf"), story.clock.now
    stand_id = await impersonate(story.store, story.cast, "Olaf", "Bea", now, app="softphone")
    async with work_as(story.store, olaf, now) as session:
        stand = await find_impersonation(session, stand_id)
        app = await session.get_one(App, story.cast.app_id("softphone"))
        await hand_off(session, olaf, stand, app, None, now)
    teller = story.teller()
    assert await round_of(teller, story.clock) == 0
    async with work_as(story.store, olaf, now) as session:
        await (await find_impersonation(session, stand_id)).stop(session, olaf, now)
    assert await round_of(teller, story.clock) == 1
    assert story.apps.count(address) == 1


@pytest.mark.parametrize("status", [400, 301, 307, 404, 500, 503, 201])
async def test_only_200_and_204_are_a_yes(story: Story, status: int) -> None:
    address = await story.registered("softphone", "https://softphone.example/logout")
    sid = await story.logged_in()
    await story.ended()
    story.apps.answers[address] = lambda: status
    teller = story.teller()
    await round_of(teller, story.clock)
    row = await story.row(sid)
    assert (row.told_at, row.tell_error) == (None, f"status {status}")
    story.apps.answers[address] = lambda: 204
    story.clock.pass_(seconds=PAUSES[0].total_seconds())
    await round_of(teller, story.clock)
    assert (await story.row(sid)).told_at == story.clock.now


async def test_what_did_not_arrive_is_tried_again_and_not_before_its_time(story: Story) -> None:
    address = await story.registered("softphone", "https://softphone.example/logout")
    sid = await story.logged_in()
    await story.ended()

    def nobody() -> int:
        raise NotDelivered(Hitch.CONNECTION)

    story.apps.answers[address] = nobody
    teller = story.teller()
    await round_of(teller, story.clock)
    assert (await story.row(sid)).tell_error == "connection"
    story.clock.pass_(seconds=1)
    assert await round_of(teller, story.clock) == 0
    story.clock.pass_(seconds=1)
    assert await round_of(teller, story.clock) == 1
    assert story.apps.count(address) == 2
    one, other = (token for _, token in story.apps.told)
    assert one != other, "each try is a token of its own"


@ON_BOTH
async def test_of_four_processes_each_login_is_told_by_one(story: Story) -> None:
    address = await story.registered("softphone", "https://softphone.example/logout")
    for _ in range(12):
        await story.logged_in()
    await story.ended()
    tellers = [story.teller() for _ in range(4)]
    while await story.left():
        await asyncio.gather(*(round_of(each, story.clock) for each in tellers))
    assert story.apps.count(address) == 12
    assert len({token for _, token in story.apps.told}) == 12


async def test_an_app_that_hangs_holds_up_nobody_and_takes_little_room(story: Story) -> None:
    dead = await story.registered("softphone", "https://softphone.example/logout")
    alive = await story.registered("desk-client", "https://desk.example/logout")
    story.apps.held[dead] = asyncio.Event()
    for _ in range(3 * AT_ONE_APP):
        await story.logged_in()
    for _ in range(3):
        await story.logged_in(app="desk-client")
    await story.ended()
    teller = story.teller()
    async with asyncio.timeout(20):
        while story.apps.count(alive) < 3:
            await teller.look(story.clock.now)
            await asyncio.sleep(0)
    await until(story.apps, AT_ONE_APP)
    assert await teller.look(story.clock.now) == 0
    assert (story.apps.count(dead), story.apps.count(alive)) == (AT_ONE_APP, 3)
    story.apps.held[dead].set()
    await teller.arrive()


async def test_an_app_that_failed_is_asked_alone_until_it_answers(story: Story) -> None:
    address = await story.registered("softphone", "https://softphone.example/logout")
    story.apps.answers[address] = lambda: 503
    sids = [await story.logged_in() for _ in range(2 * AT_ONE_APP)]
    await story.ended()
    teller = story.teller()
    assert await round_of(teller, story.clock) == AT_ONE_APP
    assert await round_of(teller, story.clock) == 1
    story.apps.answers[address] = lambda: 200
    assert await round_of(teller, story.clock) == 1
    assert await round_of(teller, story.clock) == len(sids) - AT_ONE_APP - 2


async def test_who_dies_on_the_way_only_delays_it(story: Story) -> None:
    address = await story.registered("softphone", "https://softphone.example/logout")
    story.apps.held[address] = asyncio.Event()
    sid = await story.logged_in()
    await story.ended()
    first = story.teller()
    await first.look(story.clock.now)
    await until(story.apps, 1)
    await first.arrive(within=0)
    assert (await story.row(sid)).told_at is None
    del story.apps.held[address]
    other = story.teller()
    assert await round_of(other, story.clock) == 0
    story.clock.pass_(seconds=LEASE.total_seconds())
    assert await round_of(other, story.clock) == 1
    assert (await story.row(sid)).told_at == story.clock.now


async def test_a_row_that_cannot_be_written_is_told_again_and_the_rest_goes_on(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story.registered("softphone", "https://softphone.example/logout")
    sid = await story.logged_in()
    await story.ended()

    async def away(*_: Any) -> None:
        raise OSError("the database is away")

    teller = story.teller()
    with monkeypatch.context() as patch:
        patch.setattr(logouts, "note", away)
        assert await round_of(teller, story.clock) == 1
    assert (await story.row(sid)).told_at is None
    story.clock.pass_(seconds=LEASE.total_seconds())
    assert await round_of(teller, story.clock) == 1
    assert (await story.row(sid)).told_at == story.clock.now


async def test_no_transaction_is_open_while_an_app_is_waited_for(story: Story) -> None:
    address = await story.registered("softphone", "https://softphone.example/logout")
    story.apps.held[address] = asyncio.Event()
    await story.logged_in()
    await story.ended()
    teller = story.teller()
    await teller.look(story.clock.now)
    await until(story.apps, 1)
    # There is one writer on SQLite: it is free.
    async with asyncio.timeout(5), story.store.writer.begin() as connection:
        await connection.execute(sa.text("SELECT 1"))
    story.apps.held[address].set()
    await teller.arrive()


async def test_a_private_address_is_not_asked_and_the_page_will_say_so(story: Story) -> None:
    await story.registered("softphone", "https://10.0.0.7/logout")
    sid = await story.logged_in()
    await story.ended()
    await round_of(Teller(story.house, Outbound(loopback=False)), story.clock)
    row = await story.row(sid)
    assert (row.told_at, row.tell_error) == (None, "address")


@asynccontextmanager
async def receiving(story: Story) -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        await story.registered("softphone", receiver.address)
        yield receiver


async def test_the_task_of_a_serving_process_tells_over_real_sockets_and_ends_when_asked(story: Story) -> None:
    async with receiving(story) as receiver:
        sid = await story.logged_in()
        await story.ended()
        async with asyncio.timeout(20), telling(story.house):
            await receiver.heard.wait()
        assert set(receiver.came[0].form) == {"logout_token"}
        # The end of the task waited for the answer, and for the line about it.
        assert (await story.row(sid)).told_at == story.clock.now
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "logouts"]


async def test_nobody_is_told_of_what_goes_on(story: Story) -> None:
    await story.registered("softphone", "https://softphone.example/logout")
    await story.logged_in()
    story.clock.now += timedelta(hours=1)
    assert await round_of(story.teller(), story.clock) == 0
