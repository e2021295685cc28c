"""Shared Signals: an app that asks for it is pushed a signed event when a login of its ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bindings.apps import App
from bindings.keys import KeyRing, read_header
from bindings.login import Login, end_logins_of, start_login
from bindings.logout_tokens import PAUSES
from bindings.resolving import Granted, resolve
from bindings.signal_streams import DISABLED, PAUSED, SESSION_REVOKED, set_status
from bindings.signals import SET_TYPE, ask_for_signals
from control.house import House
from control.logouts import Teller
from control.outbound import Answer, Hitch, NotDelivered, Outbound
from control.settings import Settings
from tenants.refusals import Invalid
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry
from tests.cast import ORIGIN, Cast, Clock, house_work, work_as
from tests.control.visits import House as Panel

PANEL = "http://localhost:8000"
SECRET_KEY = b"the secret key of a story, 32 bytes and more"
ENDS = "https://softphone.example/events"
LOGOUTS = "https://softphone.example/logout"


class Ends(Outbound):
    """The app's end: it answers as a story says, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(loopback=True)
        self.came: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.answers: dict[str, Callable[[], int]] = {ENDS: lambda: 202, LOGOUTS: lambda: 200}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Keep it, and answer."""
        self.came.append((url, body, headers))
        return Answer(self.answers[url](), b"")

    @property
    def told(self) -> list[str]:
        return [url for url, _, _ in self.came]


@dataclass
class Story:
    """A house whose softphone asks for security events."""

    store: Store
    cast: Cast
    clock: Clock
    folder: Path
    ends: Ends = field(default_factory=Ends)

    async def asks(self, uri: str | None = ENDS, token: str | None = None) -> App:
        async with house_work(self.store, self.clock.now) as session:
            app = await session.get_one(App, self.cast.app_id("softphone"))
            await ask_for_signals(session, SECRET_KEY, app, uri, token)
            return app

    async def logged_in(self, name: str = "Bea") -> str:
        now = self.clock.now
        async with house_work(self.store, now) as session:
            sign_in, _ = await SignIn.start(session, self.cast.identity(name), ORIGIN, "a browser", now)
        async with work_as(self.store, self.cast.actor(name), now) as session:
            client = await session.get_one(App, self.cast.app_id("softphone"))
            granted = await resolve(session, sign_in.user_id, client, now)
            assert isinstance(granted, Granted)
            return (await start_login(session, granted, client, sign_in, "openid", now)).id

    async def ended(self, name: str = "Bea") -> None:
        async with house_work(self.store, self.clock.now) as session:
            await end_logins_of(session, self.cast.user(name).id, "signed_out_everywhere", self.clock.now)

    async def round(self) -> int:
        url = str(self.store.url)
        house = House(Settings(url, url, self.folder, PANEL, SECRET_KEY), self.store, lambda: self.clock.now)
        teller = Teller(house, self.ends)
        sent = await teller.look(self.clock.now)
        await teller.arrive()
        return sent

    async def row(self, sid: str) -> Login:
        async with house_work(self.store, self.clock.now) as session:
            return await session.get_one(Login, sid)


@pytest.fixture
async def story(store: Store, cast: Cast, clock: Clock, tmp_path: Path) -> Story:
    """The softphone of this story is told by nothing else, unless it says so."""
    async with house_work(store, clock.now) as session:
        app = await session.get_one(App, cast.app_id("softphone"))
        await app.change(session, backchannel_logout_uri=None)
    return Story(store, cast, clock, tmp_path)


async def test_the_app_is_pushed_an_event_of_the_session_that_ended(story: Story) -> None:
    await story.asks(token="the-apps-own")
    sid = await story.logged_in()
    await story.ended()
    assert await story.round() == 1
    assert await story.round() == 0
    [(url, body, headers)] = story.ends.came
    assert (url, headers["Content-Type"], headers["Authorization"]) == (
        ENDS,
        "application/secevent+jwt",
        "Bearer the-apps-own",
    )
    claims = await KeyRing(story.store, SECRET_KEY).verify(body.decode(), story.clock.now, SET_TYPE)
    assert claims is not None
    assert read_header(body.decode())["typ"] == "secevent+jwt"
    assert (claims["iss"], claims["aud"]) == (PANEL, "softphone")
    assert claims["sub_id"]["session"] == {"format": "opaque", "id": sid}
    user = {"format": "iss_sub", "iss": PANEL, "sub": str(story.cast.membership_id("Bea"))}
    assert claims["sub_id"]["user"] == user
    assert claims["events"] == {SESSION_REVOKED: {"event_timestamp": int(story.clock.now.timestamp())}}
    assert {"jti", "iat", "txn"} < claims.keys()
    assert not {"sub", "exp", "nonce", "sid"} & claims.keys()
    assert (await story.row(sid)).told_at == story.clock.now


async def test_no_token_is_sent_where_none_was_given(story: Story) -> None:
    await story.asks()
    await story.logged_in()
    await story.ended()
    await story.round()
    [(_, _, headers)] = story.ends.came
    assert "Authorization" not in headers


async def test_who_did_not_take_it_is_told_again_as_the_same_event(story: Story) -> None:
    await story.asks()
    story.ends.answers[ENDS] = lambda: 400
    sid = await story.logged_in()
    await story.ended()
    await story.round()
    assert (await story.row(sid)).tell_error == "status 400"
    story.ends.answers[ENDS] = lambda: 202
    story.clock.now += PAUSES[0]
    await story.round()
    keys = KeyRing(story.store, SECRET_KEY)
    claims = [await keys.verify(body.decode(), story.clock.now, SET_TYPE) for _, body, _ in story.ends.came]
    assert len({each["jti"] for each in claims if each}) == 1
    assert (await story.row(sid)).told_at == story.clock.now


async def test_both_ways_are_told_and_neither_waits_for_the_other(story: Story) -> None:
    app = await story.asks()
    async with house_work(story.store) as session:
        row = await session.get_one(App, app.id)
        await row.change(session, backchannel_logout_uri=LOGOUTS)

    def away() -> int:
        raise NotDelivered(Hitch.CONNECTION)

    story.ends.answers[LOGOUTS] = away
    sid = await story.logged_in()
    await story.ended()
    await story.round()
    assert sorted(story.ends.told) == [ENDS, LOGOUTS]
    assert (await story.row(sid)).tell_error == Hitch.CONNECTION.value


async def test_an_app_that_never_asked_is_told_nothing(story: Story) -> None:
    await story.logged_in()
    await story.ended()
    assert await story.round() == 0


async def test_the_token_is_kept_sealed_and_only_for_its_address(story: Story) -> None:
    app = await story.asks(token="the-apps-own")
    assert app.signals_token is not None
    assert "the-apps-own" not in app.signals_token
    async with house_work(story.store) as session:
        entry = await session.get_one(Entry, app.last_entry_id)
        assert entry.changes["signals_token"] == "changed"
    assert (await story.asks()).signals_token == app.signals_token
    assert (await story.asks("https://elsewhere.example/")).signals_token is None
    assert (await story.asks(None)).signals_uri is None


@pytest.mark.parametrize("token", ["two words", "ä", "x" * 1001, "line\nbreak"])
async def test_a_token_that_no_header_holds_is_refused(story: Story, token: str) -> None:
    with pytest.raises(Invalid) as refused:
        await story.asks(token=token)
    assert refused.value.field == "signals_token"


async def test_ada_asks_for_it_on_the_apps_page_and_inside_is_no_address(pages: Panel) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}/signals"
    await ada.post(here, at=here, status=422, signals_uri="https://192.168.0.1/")
    await ada.post(here, at=here, signals_uri=ENDS, signals_token="the-apps-own")
    html = await ada.get(here)
    assert ENDS in html
    assert "the-apps-own" not in html
    olaf = await pages.visit("Olaf")
    await olaf.get(here, status=403)
    for status, said in ((PAUSED, "has paused its stream"), (DISABLED, "has disabled its stream")):
        async with house_work(pages.store) as session:
            await set_status(session, await session.get_one(App, pages.cast.app_id("softphone")), status)
        assert said in await ada.read(here)


async def test_what_is_pushed_is_published(pages: Panel) -> None:
    known = (await pages.panel.stranger().http.get("/.well-known/ssf-configuration")).json()
    assert known["delivery_methods_supported"] == ["urn:ietf:rfc:8935"]
    assert known["jwks_uri"].startswith(known["issuer"])
