"""A login that has ended is due to be told, once at a time and until it is acknowledged, and the token says so."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bindings.apps import App
from bindings.binding import Binding
from bindings.keys import KeyRing, read_header
from bindings.login import Login, end_logins_of, start_login
from bindings.logout_tokens import (
    EVENT,
    LEASE,
    LOGOUT_TYPE,
    PAUSES,
    UNREGISTERED,
    Due,
    Outcome,
    deliveries,
    logout_token,
    note,
    take,
    untold,
)
from bindings.resolving import Granted, resolve
from bindings.tokens import Issuer
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import NOW, ORIGIN, Cast, bind, house_work, work_as

ISSUER = "https://panel.example"
SECRET_KEY = b"the secret key of a story, 32 bytes and more"


async def asks_to_be_told(
    store: Store, cast: Cast, app: str = "softphone", address: str | None = "https://app.example/"
) -> None:
    async with house_work(store) as session:
        row = await session.get_one(App, cast.app_id(app))
        await row.change(session, backchannel_logout_uri=address)


async def logged_in(store: Store, cast: Cast, name: str = "Bea", app: str = "softphone", now: datetime = NOW) -> str:
    """Somebody's login to an app; gives its sid."""
    async with house_work(store, now) as session:
        sign_in, _ = await SignIn.start(session, cast.identity(name), ORIGIN, "a browser", now)
    async with work_as(store, cast.actor(name), now) as session:
        client = await session.get_one(App, cast.app_id(app))
        granted = await resolve(session, sign_in.user_id, client, now)
        assert isinstance(granted, Granted)
        return (await start_login(session, granted, client, sign_in, "openid", now)).id


async def ended(store: Store, cast: Cast, name: str = "Bea", now: datetime = NOW) -> None:
    async with house_work(store, now) as session:
        await end_logins_of(session, cast.user(name).id, "signed_out_everywhere", now)


async def due(store: Store, now: datetime = NOW, busy: tuple[int, ...] = ()) -> list[str]:
    async with store.hot.connect() as connection:
        return [sid for sid, _ in await untold(connection, now, busy, 100)]


async def taken(store: Store, sids: list[str], now: datetime = NOW) -> list[Due]:
    async with store.writer.begin() as connection:
        return await take(connection, sids, now)


async def noted(store: Store, each: Due, trouble: str | None, now: datetime = NOW) -> Outcome:
    async with store.writer.begin() as connection:
        return await note(connection, each, trouble, now)


async def row_of(store: Store, sid: str) -> Login:
    async with house_work(store) as session:
        return await session.get_one(Login, sid)


async def test_only_what_has_ended_at_an_app_that_asked_is_due(store: Store, cast: Cast) -> None:
    for app in ("softphone", "desk-client"):
        await asks_to_be_told(store, cast, app, address=None)
    before = await logged_in(store, cast)
    await asks_to_be_told(store, cast)
    told, other = await logged_in(store, cast), await logged_in(store, cast, app="desk-client")
    open_one = await logged_in(store, cast, "Ben")
    assert await due(store) == []
    await ended(store, cast)
    assert await due(store) == [told]
    assert not {before, other, open_one} & set(await due(store))
    assert await due(store, busy=(cast.app_id("softphone"),)) == []


async def test_releasing_a_binding_makes_its_logins_due(store: Store, cast: Cast) -> None:
    await asks_to_be_told(store, cast)
    binding_id = await bind(store, cast, "Olaf", "Bakery", "201")
    sid = await logged_in(store, cast, "Olaf")
    async with work_as(store, cast.actor("Olaf")) as session:
        await (await session.get_one(Binding, binding_id)).release(session, cast.actor("Olaf"), NOW)
    assert await due(store) == [sid]
    [mine] = await taken(store, [sid])
    assert mine.subject_id == cast.membership_id("Bea")


async def test_who_took_it_has_it_until_the_lease_is_over(store: Store, cast: Cast) -> None:
    await asks_to_be_told(store, cast)
    sid = await logged_in(store, cast)
    await ended(store, cast)
    [mine] = await taken(store, [sid])
    assert (mine.sid, mine.client_id, mine.address, mine.tries) == (sid, "softphone", "https://app.example/", 1)
    assert await due(store) == []
    assert await taken(store, [sid]) == []
    later = NOW + LEASE
    assert await due(store, later) == [sid]
    [theirs] = await taken(store, [sid], later)
    assert theirs.tries == 2
    # The first one failed long ago and does not put off the second one's try; it would be heard if it had arrived.
    await noted(store, mine, "time", later)
    assert (await row_of(store, sid)).tell_error is None
    await noted(store, mine, None, later)
    assert (await row_of(store, sid)).told_at == later


async def test_of_ten_at_once_each_login_is_taken_by_one(store: Store, cast: Cast) -> None:
    await asks_to_be_told(store, cast)
    sids = [await logged_in(store, cast) for _ in range(20)]
    await ended(store, cast)
    hands = await asyncio.gather(*(taken(store, sids) for _ in range(10)))
    assert sorted(each.sid for hand in hands for each in hand) == sorted(sids)


async def test_it_is_tried_for_a_day_and_then_given_up_and_says_why(store: Store, cast: Cast) -> None:
    await asks_to_be_told(store, cast)
    sid, now = await logged_in(store, cast), NOW
    await ended(store, cast)
    for count, pause in enumerate(PAUSES, 1):
        [mine] = await taken(store, [sid], now)
        assert await noted(store, mine, "status 503", now) is Outcome.WAITING
        row = await row_of(store, sid)
        assert (row.tell_tries, row.tell_at, row.tell_error, row.told_at) == (count, now + pause, "status 503", None)
        assert await due(store, now + pause - timedelta(seconds=1)) == []
        now += pause
    assert timedelta(hours=23) < now - NOW < timedelta(hours=26)
    [mine] = await taken(store, [sid], now)
    assert await noted(store, mine, "status 503", now) is Outcome.GIVEN_UP
    row = await row_of(store, sid)
    assert (row.told_at, row.tell_error) == (now, "status 503")
    assert await due(store, now + timedelta(days=9)) == []


async def test_an_app_that_takes_no_logouts_any_more_is_given_up_at_once(store: Store, cast: Cast) -> None:
    await asks_to_be_told(store, cast)
    sid = await logged_in(store, cast)
    await asks_to_be_told(store, cast, address=None)
    await ended(store, cast)
    [mine] = await taken(store, [sid])
    assert mine.address is None
    assert await noted(store, mine, UNREGISTERED) is Outcome.GIVEN_UP
    assert await due(store, NOW + timedelta(days=1)) == []


async def test_a_later_success_leaves_no_trouble_behind(store: Store, cast: Cast) -> None:
    await asks_to_be_told(store, cast)
    sid = await logged_in(store, cast)
    await ended(store, cast)
    [mine] = await taken(store, [sid])
    await noted(store, mine, "connection")
    [again] = await taken(store, [sid], NOW + PAUSES[0])
    assert await noted(store, again, None, NOW + PAUSES[0]) is Outcome.ACKNOWLEDGED
    row = await row_of(store, sid)
    assert (row.told_at, row.tell_error, row.tell_tries) == (NOW + PAUSES[0], None, 2)


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
async def test_the_token_names_login_and_event_and_holds_no_nonce(store: Store, cast: Cast, alg: str) -> None:
    issuer = Issuer(ISSUER, store, KeyRing(store, SECRET_KEY))
    each = Due("9f2c", 1, "softphone", "https://app.example/", alg, 41, NOW, 1)
    token = await logout_token(issuer, each, NOW)
    header = read_header(token)
    assert (header["typ"], header["alg"]) == (LOGOUT_TYPE, alg)
    claims = await issuer.keys.verify(token, NOW, LOGOUT_TYPE)
    assert claims is not None
    seconds = int(NOW.timestamp())
    assert claims | {"jti": ""} == {
        "iss": ISSUER,
        "aud": "softphone",
        "iat": seconds,
        "exp": seconds + 120,
        "jti": "",
        "sub": "41",
        "sid": "9f2c",
        "events": {EVENT: {}},
    }
    again = await issuer.keys.verify(await logout_token(issuer, each, NOW), NOW, LOGOUT_TYPE)
    assert again is not None
    assert again["jti"] != claims["jti"]


async def test_a_logout_token_opens_nothing(store: Store, cast: Cast) -> None:
    issuer = Issuer(ISSUER, store, KeyRing(store, SECRET_KEY))
    token = await logout_token(issuer, Due("9f2c", 1, "softphone", None, "ES256", 41, NOW, 1), NOW)
    for typ in ("JWT", "at+jwt"):
        assert await issuer.keys.verify(token, NOW, typ) is None


async def test_how_far_it_came_is_told_to_those_whose_people_it_was(store: Store, cast: Cast) -> None:
    await asks_to_be_told(store, cast)
    sid = await logged_in(store, cast)
    await ended(store, cast)
    [mine] = await taken(store, [sid])

    async def told(name: str) -> list[Any]:
        async with work_as(store, cast.actor(name), writes=False) as session:
            rows = await deliveries(session, Login.app_id == cast.app_id("softphone"), 10)
            return [(each.app_name, each.sid, each.outcome, each.tries, each.trouble) for each in rows]

    assert await told("Boris") == [("Softphone", sid, Outcome.WAITING, 1, None)]
    await noted(store, mine, "time")
    assert await told("Olaf") == [("Softphone", sid, Outcome.WAITING, 1, "time")]
    [again] = await taken(store, [sid], NOW + PAUSES[0])
    await noted(store, again, None, NOW + PAUSES[0])
    assert await told("Ada") == [("Softphone", sid, Outcome.ACKNOWLEDGED, 2, None)]
    for name in ("Clara", "Elsa", "Pia", "Ben"):
        assert await told(name) == [], name


async def test_a_small_index_answers_what_is_due(store: Store) -> None:
    if not store.embedded:
        return  # it weighs costs, and a table of a few rows is read as it is
    asked: list[tuple[str, Any]] = []

    def listen(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    engine = store.hot.sync_engine
    sa.event.listen(engine, "before_cursor_execute", listen)
    try:
        await due(store, busy=(1, 2))
    finally:
        sa.event.remove(engine, "before_cursor_execute", listen)
    async with store.hot.connect() as connection:
        statement, parameters = asked[-1]
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
    assert ["USING INDEX ix_logins_to_tell" in str(step) for step in plan] == [True], plan
