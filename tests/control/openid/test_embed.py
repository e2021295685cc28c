"""The banner for apps that are not ours: its script, its frame with the hints it asks by, and the link that stops."""

import asyncio
import gzip
import re
from datetime import timedelta
from html import unescape

import httpx
import pytest
import sqlalchemy as sa

from bindings.codes import Code
from bindings.hints import give_hint
from bindings.impersonation import Asked, Impersonation
from control.stop_links import stop_link
from tenants.people import User, find_membership
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.cast import WHY, bind, house_work
from tests.control.openid.opening import end_as_house, open_as, taken, the_row
from tests.control.openid.story import Client, Panel

SPENT = "/embed/acting"


async def as_bea(panel: Panel, softphone: Client) -> tuple[dict[str, str], int]:
    """Olaf is Bea at the softphone: what its banner is told, and which impersonation it is."""
    opened = await open_as(panel, "Olaf", "Bea")
    token = (await taken(softphone, opened))["access_token"]
    return (await softphone.acting(token)).json(), opened.id


def hint_of(said: dict[str, str]) -> str:
    """What the frame finds in its fragment."""
    return said["frame_url"].partition("#")[2]


async def ask(panel: Panel, hint: str, client_id: str = "softphone", **more: str) -> httpx.Response:
    """As the frame asks."""
    return await panel.browser().post(SPENT, data={"client_id": client_id, "hint": hint} | more)


async def test_the_script_is_for_every_page_and_renewed_within_minutes(panel: Panel) -> None:
    browser = panel.browser()
    for name in ("acting.js", "frame.js"):
        answer = await browser.get(f"/embed/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "public, max-age=300"
        again = await browser.get(f"/embed/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert (await browser.get("/embed/other.js")).status_code == 404
    assert "set-cookie" not in answer.headers


async def test_the_script_is_small(panel: Panel) -> None:
    content = (await panel.browser().get("/embed/acting.js")).content
    assert len(gzip.compress(content)) < 4096


async def test_the_frame_is_for_pages_of_its_app_alone(panel: Panel) -> None:
    answer = await panel.browser().get("/embed/frame", params={"client_id": "softphone"})
    policy = answer.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors http://softphone.localhost:8001")
    assert "script-src 'self'" in policy
    assert "x-frame-options" not in answer.headers
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
    assert re.findall(r"<script\b(?![^>]*\bsrc=)", answer.text) == []


@pytest.mark.parametrize("client_id", ["", "nobody", "softphone'; frame-ancestors *", "x" * 500])
async def test_there_is_no_frame_of_no_app(panel: Panel, client_id: str) -> None:
    answer = await panel.browser().get("/embed/frame", params={"client_id": client_id})
    assert answer.status_code == 404
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_error_pages_are_guarded_like_any_other(panel: Panel) -> None:
    for path in ("/no/such/page", "/stop/1.forged", "/oauth/authorize", "/users/1", "/api/v1/users"):
        headers = (await panel.browser().get(path, headers={"Accept": "text/html"})).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff"), path


async def test_a_frame_asks_by_one_hint_after_the_other(panel: Panel, softphone: Client) -> None:
    said, number = await as_bea(panel, softphone)
    first = await ask(panel, hint_of(said), event="seen")
    assert (first.status_code, first.json()["subject"]) == (200, said["subject"])
    assert "frame_url" not in first.json()
    assert (await the_row(panel, number)).banner_at is None
    panel.clock.pass_(seconds=140)
    second = await ask(panel, first.json()["hint"], event="seen", banner="shown")
    assert second.status_code == 200
    row = await the_row(panel, number)
    assert (row.banner_at, row.beat_at) == (panel.clock.now, panel.clock.now)
    assert "access-control-allow-origin" not in second.headers


async def test_t26_a_hint_is_good_once_of_twenty_who_try(panel: Panel, softphone: Client) -> None:
    hint = hint_of((await as_bea(panel, softphone))[0])
    answers = await asyncio.gather(*(ask(panel, hint) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 19]
    async with house_work(panel.store) as session:
        assert len((await session.scalars(sa.select(Code).where(Code.purpose == "frame"))).all()) == 1


async def test_a_hint_is_dead_after_a_minute(panel: Panel, softphone: Client) -> None:
    hint = hint_of((await as_bea(panel, softphone))[0])
    panel.clock.pass_(seconds=60)
    assert (await ask(panel, hint)).json()["error"] == "invalid_grant"


async def test_a_hint_is_for_its_app_and_made_by_the_house(panel: Panel, softphone: Client) -> None:
    said, _ = await as_bea(panel, softphone)
    forged = [give_hint(b"another key", 1, "sid", panel.clock.now), "", "a.b.c.d.e", hint_of(said)[:-1] + "ä"]
    app_id, rest = hint_of(said).split(".", 1)
    for hint in (*forged, f"{int(app_id) + 1}.{rest}"):
        assert (await ask(panel, hint)).json()["error"] == "invalid_grant", hint
    assert (await ask(panel, hint_of(said), "desk-client")).json()["error"] == "invalid_grant"


async def test_t27_a_hint_opens_nothing_else(panel: Panel, softphone: Client) -> None:
    hint = hint_of((await as_bea(panel, softphone))[0])
    assert (await softphone.post("/oauth/token", grant_type="urn:understudy:handoff", handoff=hint)).status_code == 400
    assert (await softphone.redeem(hint)).status_code == 400
    assert (await softphone.acting(hint)).status_code == 401
    opened = await open_as(panel, "Olaf", "Bea")
    assert (await ask(panel, opened.code)).status_code == 400


async def test_only_the_frame_itself_asks(panel: Panel, softphone: Client) -> None:
    hint = hint_of((await as_bea(panel, softphone))[0])
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://localhost:8000", 200)):
        answer = await panel.browser().post(
            SPENT, data={"client_id": "softphone", "hint": hint}, headers={"Origin": origin}
        )
        assert answer.status_code == status, origin


async def test_a_frame_is_told_that_it_has_ended(panel: Panel, softphone: Client) -> None:
    said, number = await as_bea(panel, softphone)
    await end_as_house(panel, number, "ended_by_admin")
    assert (await ask(panel, hint_of(said))).status_code == 401


async def test_the_frame_shows_a_binding_too(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", reason="she asked for help")
    token = (await softphone.log_in(await panel.sign_in("Pia"))).access
    said = (await ask(panel, hint_of((await softphone.acting(token)).json()), event="seen")).json()
    assert (said["kind"], said["subject"]["name"]) == ("binding", "Dan Dale")


# --- The stop link


async def ended_by(panel: Panel) -> list[tuple[str, str, str]]:
    """How history tells of the end: what, who, why."""
    async with house_work(panel.store) as session:
        ends = sa.select(Entry).where(Entry.verb.in_([Verb.IMPERSONATION_STOPPED, Verb.IMPERSONATION_ENDED]))
        return [(each.verb, each.actor_name, each.details["cause"]) for each in await session.scalars(ends)]


async def test_t9_looking_at_a_stop_link_ends_nothing(panel: Panel, softphone: Client) -> None:
    said, number = await as_bea(panel, softphone)
    scanner = panel.browser()
    page = await scanner.get(said["stop_url"])
    assert page.status_code == 200
    assert "Olaf Olsen is signed in as Bea Bell at Bakery" in unescape(page.text)
    assert page.headers["referrer-policy"] == "no-referrer"
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE"):
        await scanner.request(method, said["stop_url"])
    assert (await the_row(panel, number)).over(panel.clock.now) is None


async def test_pressing_stop_ends_it_whoever_holds_the_link(panel: Panel, softphone: Client) -> None:
    said, number = await as_bea(panel, softphone)
    stranger = panel.browser()
    answer = await stranger.post(said["stop_url"])
    assert answer.status_code == 200
    assert "has ended" in answer.text
    assert (await the_row(panel, number)).ended_cause == "stopped"
    assert await ended_by(panel) == [(Verb.IMPERSONATION_STOPPED, "Olaf Olsen", "stopped")]
    assert (await stranger.post(said["stop_url"])).status_code == 200
    assert "has ended" in (await stranger.get(said["stop_url"])).text
    assert len(await ended_by(panel)) == 1


async def test_olaf_is_led_back_to_where_he_began_and_nobody_else_is(panel: Panel) -> None:
    actor = panel.cast.actor("Olaf")
    for name, status in (("Pia", 200), ("Olaf", 303)):
        async with panel.store.work(actor, actor.reach(), panel.clock.now) as session:
            bea = await find_membership(session, panel.cast.membership_id("Bea", at="Bakery"))
            asked = Asked.of(WHY, app_id=panel.cast.app_id("softphone"), back="/users?q=bea")
            stand = await Impersonation.start(session, actor, bea, asked, panel.clock.now)
        answer = await (await panel.sign_in(name)).post(stop_link(panel.app.state.house, stand.id))
        assert (answer.status_code, answer.headers.get("location")) == (
            status,
            "/users?q=bea" if status == 303 else None,
        )
        assert (await the_row(panel, stand.id)).ended_cause == "stopped"


async def test_what_is_over_is_told_as_it_was(panel: Panel, softphone: Client) -> None:
    said, number = await as_bea(panel, softphone)
    panel.clock.pass_(minutes=30)
    assert "has ended" in (await panel.browser().get(said["stop_url"])).text
    assert await ended_by(panel) == []
    assert (await panel.browser().post(said["stop_url"])).status_code == 200
    row = await the_row(panel, number)
    assert (row.ended_cause, row.ended_at) == ("expired", row.created_at + timedelta(minutes=20))
    assert [cause for _, _, cause in await ended_by(panel)] == ["expired"]


async def test_a_mark_that_is_not_ours_finds_nothing(panel: Panel, softphone: Client) -> None:
    said, number = await as_bea(panel, softphone)
    mark = said["stop_url"].rpartition(".")[2]
    forged = (f"{number}.{'0' * 32}", f"{number + 1}.{mark}", f"{number}.{mark}0")
    for ticket in (*forged, str(number), f"{number}.", f".{mark}", "ä.ö"):
        for method in ("GET", "POST"):
            answer = await panel.browser().request(method, f"/stop/{ticket}", headers={"Accept": "text/html"})
            assert answer.status_code == 404, (method, ticket)
    assert (await the_row(panel, number)).over(panel.clock.now) is None


async def test_t63_names_on_the_stop_page_are_text(panel: Panel, softphone: Client) -> None:
    name = "<img src=x onerror=alert(1)>"
    async with house_work(panel.store) as session:
        await (await session.get_one(User, panel.cast.user("Bea").id)).change(session, name=name)
    said, _ = await as_bea(panel, softphone)
    page = (await panel.browser().get(said["stop_url"])).text
    assert "<img" not in page
    assert name in unescape(page)
