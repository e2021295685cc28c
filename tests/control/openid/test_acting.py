"""What an app asks and tells by `/oauth/acting` while somebody stands in there: seen, gone, stopped; copied tabs."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from bindings.apps import App
from bindings.handoff import hand_off
from bindings.impersonation import Asked as Why
from bindings.impersonation import Impersonation
from bindings.login import Login
from tenants.people import find_membership
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.cast import NOW, WHY, bind, house_work
from tests.control.openid.opening import Opened, end_as_house, open_as, take_over, taken, the_row
from tests.control.openid.story import Client, Panel, app_of

HERE = "http://softphone.localhost:8001"


async def opened_as_bea(panel: Panel, softphone: Client) -> tuple[str, int]:
    """Olaf is Bea at the softphone: the access token of that tab, and which impersonation it is."""
    opened = await open_as(panel, "Olaf", "Bea")
    return str((await taken(softphone, opened))["access_token"]), opened.id


async def tell(app: Client, token: str, event: str, document: str | None = "one", **more: str) -> httpx.Response:
    """What a page tells of itself."""
    said = {"event": event} | ({"document": document} if document is not None else {}) | more
    return await app.http.post("/oauth/acting", data=said, headers={"Authorization": f"Bearer {token}"})


async def stopped(panel: Panel) -> list[tuple[str, str, dict[str, Any]]]:
    """How history tells of ends: what, by whom, with which details."""
    ends = [Verb.IMPERSONATION_STOPPED, Verb.IMPERSONATION_ENDED, Verb.LOGIN_ENDED]
    async with house_work(panel.store) as session:
        found = await session.scalars(sa.select(Entry).where(Entry.verb.in_(ends)).order_by(Entry.id))
        return [(entry.verb, entry.actor_name, dict(entry.details)) for entry in found]


async def test_an_app_is_told_who_is_who_why_and_how_to_stop(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    panel.clock.pass_(minutes=1)
    answer = await softphone.acting(token)
    said = answer.json()
    assert said["kind"] == "impersonation"
    assert said["subject"] == {"sub": str(panel.cast.membership_id("Bea", at="Bakery")), "name": "Bea Bell"}
    assert said["actor"] == {"sub": str(panel.cast.membership_id("Olaf")), "name": "Olaf Olsen"}
    assert (said["reason"], said["seconds_left"]) == (WHY, 19 * 60)
    assert said["ends_at"] == (NOW + timedelta(minutes=20)).isoformat()
    assert said["stop_url"].startswith(f"http://localhost:8000/stop/{number}.")
    assert said["frame_url"].startswith("http://localhost:8000/embed/frame?client_id=softphone#")
    assert answer.headers["cache-control"] == "no-store"


async def test_asking_notes_nothing(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    before = (await the_row(panel, number)).to_dict()
    panel.clock.pass_(minutes=1)
    assert (await softphone.acting(token)).status_code == 200
    assert (await the_row(panel, number)).to_dict() == before


async def test_a_page_that_is_there_and_shows_the_banner_is_noted(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    first = panel.clock.pass_(seconds=20)
    assert (await tell(softphone, token, "seen")).json()["subject"]["name"] == "Bea Bell"
    row = await the_row(panel, number)
    assert (row.beat_at, row.seen_at, row.banner_at, row.document) == (first, first, None, "one")
    second = panel.clock.pass_(seconds=20)
    assert (await tell(softphone, token, "seen", banner="shown")).status_code == 200
    row = await the_row(panel, number)
    assert (row.beat_at, row.banner_at) == (second, second)


async def test_no_sign_of_life_writes_history(panel: Panel, softphone: Client) -> None:
    token, _ = await opened_as_bea(panel, softphone)

    async def lines() -> int:
        async with house_work(panel.store) as session:
            return int((await session.execute(sa.select(sa.func.count()).select_from(Entry))).scalar_one())

    before = await lines()
    for event in ("seen", "goodbye", "seen"):
        await tell(softphone, token, event)
    assert await lines() == before


async def test_t16_a_tab_that_falls_silent_is_over_after_two_and_a_half_minutes(
    panel: Panel, softphone: Client
) -> None:
    token, _ = await opened_as_bea(panel, softphone)
    await tell(softphone, token, "seen")
    panel.clock.pass_(seconds=149)
    assert (await tell(softphone, token, "seen")).status_code == 200
    panel.clock.pass_(seconds=150)
    assert (await tell(softphone, token, "seen")).status_code == 401
    assert (await softphone.acting(token)).status_code == 401


async def test_t16_at_twenty_minutes_every_answer_is_no(panel: Panel, softphone: Client) -> None:
    token, _ = await opened_as_bea(panel, softphone)
    for _ in range(10):
        panel.clock.pass_(minutes=2)
        last = await tell(softphone, token, "seen")
    assert last.status_code == 401
    assert last.headers["www-authenticate"].startswith("Bearer")
    assert (await softphone.acting(token)).status_code == 401
    assert (await softphone.userinfo(token)).status_code == 401
    assert await softphone.introspect(token) == {"active": False}


async def test_a_closed_tab_is_over_after_ten_seconds(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    await tell(softphone, token, "seen")
    assert (await tell(softphone, token, "goodbye")).status_code == 204
    panel.clock.pass_(seconds=9)
    assert (await softphone.acting(token)).status_code == 200
    panel.clock.pass_(seconds=1)
    assert (await softphone.acting(token)).status_code == 401
    assert (await the_row(panel, number)).over(panel.clock.now) == ("tab_closed", panel.clock.now)


async def test_a_page_that_is_loaded_again_goes_on_under_its_new_name(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    await tell(softphone, token, "seen")
    await tell(softphone, token, "goodbye")
    panel.clock.pass_(seconds=2)
    assert (await tell(softphone, token, "seen", "two")).status_code == 200
    panel.clock.pass_(seconds=60)
    row = await the_row(panel, number)
    assert (row.document, row.goodbye_at, row.over(panel.clock.now)) == ("two", None, None)
    # The late goodbye of the page before is nobody's any more.
    assert (await tell(softphone, token, "goodbye", "one")).status_code == 204
    assert (await the_row(panel, number)).goodbye_at is None


async def test_b33_a_copied_tab_is_refused_and_notes_nothing(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    await tell(softphone, token, "seen")
    before = (await the_row(panel, number)).to_dict()
    panel.clock.pass_(seconds=20)
    answer = await tell(softphone, token, "seen", "two", banner="shown")
    assert (answer.status_code, answer.json()["error"]) == (409, "copied")
    assert (await tell(softphone, token, "goodbye", "two")).status_code == 204
    assert (await the_row(panel, number)).to_dict() == before
    assert (await tell(softphone, token, "seen", "one")).status_code == 200


async def test_b33_of_twenty_pages_at_once_one_holds_it(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    answers = await asyncio.gather(*(tell(softphone, token, "seen", f"page-{each}") for each in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 19]
    winner = next(each for each, answer in enumerate(answers) if answer.status_code == 200)
    assert (await the_row(panel, number)).document == f"page-{winner}"


async def test_a_page_without_a_name_holds_nothing_and_still_counts(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    assert (await tell(softphone, token, "seen", None)).status_code == 200
    assert (await tell(softphone, token, "seen", "one")).status_code == 200
    assert (await tell(softphone, token, "seen", None)).status_code == 200
    await tell(softphone, token, "goodbye", None)
    row = await the_row(panel, number)
    assert (row.document, row.goodbye_at) == ("one", None)


@pytest.mark.parametrize("document", ["", "a b", "<img>", "x" * 65, "seite-ä"])
async def test_what_is_no_name_of_a_page(panel: Panel, softphone: Client, document: str) -> None:
    token, number = await opened_as_bea(panel, softphone)
    answer = await tell(softphone, token, "seen", document)
    # An empty field is none at all (RFC 6749 section 3.1).
    assert answer.status_code == (200 if document == "" else 400)
    assert (await the_row(panel, number)).document is None


async def test_stop_at_the_app_is_olafs_stop(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    await tell(softphone, token, "seen")
    panel.clock.pass_(minutes=1)
    await tell(softphone, token, "seen")
    panel.clock.pass_(minutes=2)
    assert (await tell(softphone, token, "stop")).status_code == 204
    assert (await softphone.acting(token)).status_code == 401
    assert (await tell(softphone, token, "stop")).status_code == 401
    ((verb, actor, details),) = await stopped(panel)
    assert (verb, actor) == (Verb.IMPERSONATION_STOPPED, "Olaf Olsen")
    assert (details["cause"], details["seconds"]) == ("stopped", 180)
    assert (await the_row(panel, number)).ended_cause == "stopped"


async def test_twenty_stops_at_once_are_one(panel: Panel, softphone: Client) -> None:
    token, _ = await opened_as_bea(panel, softphone)
    answers = await asyncio.gather(*(tell(softphone, token, "stop") for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {204, 401}
    assert [verb for verb, _, _ in await stopped(panel)] == [Verb.IMPERSONATION_STOPPED]


async def test_stop_at_a_bound_app_ends_that_login_and_the_binding_stays(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", reason="she asked for help")
    pia = await panel.sign_in("Pia")
    token = (await softphone.log_in(pia)).access
    said = (await tell(softphone, token, "seen", banner="shown")).json()
    assert (said["kind"], said["subject"]["name"], said["ends_at"]) == ("binding", "Dan Dale", None)
    assert (said["seconds_left"], said["stop_url"]) == (None, "http://localhost:8000/bindings")
    assert (await tell(softphone, token, "goodbye")).status_code == 204
    panel.clock.pass_(minutes=5)
    assert (await softphone.acting(token)).status_code == 200
    assert (await tell(softphone, token, "stop")).status_code == 204
    assert (await softphone.acting(token)).status_code == 401
    assert (await softphone.acting((await softphone.log_in(pia)).access)).json()["subject"]["name"] == "Dan Dale"


async def test_who_is_themselves_has_nothing_to_show_or_stop(panel: Panel, softphone: Client) -> None:
    token = (await softphone.log_in(await panel.sign_in("Pia"))).access
    for event in ("seen", "goodbye", "stop"):
        answer = await tell(softphone, token, event)
        assert (answer.status_code, answer.content) == (204, b""), event
    assert (await softphone.acting(token)).status_code == 204


async def test_what_began_in_the_panel_is_not_ended_by_an_apps_page(panel: Panel, softphone: Client) -> None:
    actor = panel.cast.actor("Olaf")
    async with panel.store.work(actor, actor.reach(), panel.clock.now) as session:
        bea = await find_membership(session, panel.cast.membership_id("Bea", at="Bakery"))
        stand = await Impersonation.start(session, actor, bea, Why.of(WHY), panel.clock.now)
        app = await session.get_one(App, panel.cast.app_id("softphone"))
        opened = Opened(stand.id, await hand_off(session, actor, stand, app, None, panel.clock.now))
    token, number = (await taken(softphone, opened))["access_token"], stand.id
    panel.clock.pass_(seconds=20)
    await tell(softphone, token, "seen", "one", banner="shown")
    assert (await tell(softphone, token, "seen", "two")).status_code == 200
    await tell(softphone, token, "goodbye", "one")
    row = await the_row(panel, number)
    assert (row.banner_at, row.seen_at) == (panel.clock.now, panel.clock.now)
    assert (row.beat_at, row.goodbye_at, row.document) == (None, None, None)
    panel.clock.pass_(minutes=10)
    assert (await tell(softphone, token, "stop")).status_code == 204
    assert (await the_row(panel, number)).over(panel.clock.now) is None
    async with house_work(panel.store) as session:
        (login,) = await session.scalars(sa.select(Login).where(Login.impersonation_id == number))
        assert login.ended_cause == "logout"


@pytest.mark.parametrize("cause", ["replaced", "ended_by_admin", "signed_out_everywhere"])
async def test_whatever_ends_it_the_app_is_told_at_its_next_word(panel: Panel, softphone: Client, cause: str) -> None:
    token, number = await opened_as_bea(panel, softphone)
    await end_as_house(panel, number, cause)
    for event in ("seen", "goodbye", "stop"):
        assert (await tell(softphone, token, event)).status_code == 401, event
    assert (await the_row(panel, number)).ended_cause == cause


async def test_a_beacon_sends_its_token_in_the_form(panel: Panel, softphone: Client) -> None:
    token, number = await opened_as_bea(panel, softphone)
    goodbye = {"event": "goodbye", "document": "one", "access_token": token}
    assert (await softphone.http.post("/oauth/acting", data=goodbye)).status_code == 204
    assert (await the_row(panel, number)).goodbye_at == panel.clock.now
    both = await softphone.http.post("/oauth/acting", data=goodbye, headers={"Authorization": f"Bearer {token}"})
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    asked = await softphone.http.get("/oauth/acting", params={"access_token": token})
    assert asked.status_code == 401


@pytest.mark.parametrize("event", ["", "start", "SEEN"])
async def test_no_other_event_is_known(panel: Panel, softphone: Client, event: str) -> None:
    token, _ = await opened_as_bea(panel, softphone)
    answer = await tell(softphone, token, event)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "\x7f"])
async def test_nobody_tells_anything_without_a_token(panel: Panel, softphone: Client, token: str) -> None:
    for event in ("seen", "goodbye", "stop"):
        said = {"event": event, "access_token": token}
        assert (await softphone.http.post("/oauth/acting", data=said)).status_code == 401


async def test_pages_of_registered_apps_may_read_the_answer_and_no_others(panel: Panel, softphone: Client) -> None:
    token, _ = await opened_as_bea(panel, softphone)
    for origin, allowed in ((HERE, HERE), ("https://evil.example", None)):
        headers = {"Authorization": f"Bearer {token}", "Origin": origin}
        answer = await softphone.http.post("/oauth/acting", data={"event": "seen"}, headers=headers)
        assert answer.headers.get("access-control-allow-origin") == allowed
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        preflight = await softphone.http.options("/oauth/acting", headers=asked)
        assert preflight.headers.get("access-control-allow-origin") == allowed
        assert ("Authorization" in preflight.headers.get("access-control-allow-headers", "")) == (allowed is not None)


async def test_pages_of_an_app_that_was_registered_a_moment_ago_may_read_it_too(panel: Panel) -> None:
    origin = {"Origin": "https://phone.example"}
    before = await panel.browser().get("/oauth/acting", headers=origin)
    await app_of(panel, "Acme", "web-phone", kind="spa", uris=["https://phone.example/callback"])
    panel.clock.pass_(seconds=3)
    after = await panel.browser().get("/oauth/acting", headers=origin)
    allowed = [answer.headers.get("access-control-allow-origin") for answer in (before, after)]
    assert allowed == [None, "https://phone.example"]


async def test_t59_no_answer_and_no_entry_holds_a_token(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    token = (await taken(softphone, opened))["access_token"]
    answer = await tell(softphone, token, "seen")
    assert "eyJ" not in answer.text
    assert (await take_over(softphone, opened.code)).status_code == 400
