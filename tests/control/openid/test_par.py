"""An app pushes its request first (RFC 9126): what it is named, and that the name is good once."""

import asyncio
from typing import Any

import httpx
import sqlalchemy as sa

from bindings.pushed_requests import PREFIX, PushedRequest
from tests.cast import bind, house_work
from tests.control.openid.opening import GRANT
from tests.control.openid.story import ISSUER, NONCE, STATE, VERIFIER, Client, Panel, app_of, next_of, told


async def push(client: Client, **said: str | None) -> httpx.Response:
    """Push a request, as the app's server does."""
    fields = client.fields(**said)
    return await client.post("/oauth/par", **{name: value for name, value in fields.items() if name != "client_id"})


async def pushed(client: Client, **said: str | None) -> str:
    """The name of a request that passes."""
    answer = await push(client, **said)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["request_uri"])


async def go(browser: httpx.AsyncClient, uri: str, client_id: str = "softphone", **more: str) -> httpx.Response:
    """A browser comes with the name of a request."""
    return await browser.get("/oauth/authorize", params={"client_id": client_id, "request_uri": uri} | more)


async def test_a_pushed_request_is_kept_and_named_and_logs_in(panel: Panel, softphone: Client) -> None:
    answer = await push(softphone)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert answer.json()["expires_in"] == 60
    uri = answer.json()["request_uri"]
    assert uri.startswith("urn:ietf:params:oauth:request_uri:")
    said = told(await go(await panel.sign_in("Pia"), uri))
    assert (said["state"], said["iss"]) == (STATE, ISSUER)
    tokens = (await softphone.redeem(said["code"])).json()
    claims = await softphone.read(tokens["id_token"])
    assert (claims["name"], claims["nonce"]) == ("Pia Pine", NONCE)


async def test_only_its_hash_is_kept_and_no_secret_of_the_app(panel: Panel, softphone: Client) -> None:
    secret, softphone.secret = softphone.secret, None
    uri = await pushed(softphone, client_secret=secret)
    async with house_work(panel.store) as session:
        row = (await session.execute(sa.select(PushedRequest.__table__))).one()
    assert uri.removeprefix(PREFIX) not in str(row)
    assert str(secret) not in str(row)


async def test_the_client_proves_itself_first(panel: Panel, softphone: Client) -> None:
    for auth in (("softphone", "wrong"), ("nobody", softphone.secret or "")):
        answer = await softphone.http.post("/oauth/par", data=softphone.fields(client_id=None), auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    answer = await softphone.http.post("/oauth/par", data=softphone.fields())
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    other = softphone.fields(client_id="desk-admin")
    answer = await softphone.http.post("/oauth/par", data=other, auth=("softphone", softphone.secret or ""))
    assert answer.json()["error"] == "invalid_request"


WRONG: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"scope": "profile"}, "invalid_scope"),
    ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
    ({"redirect_uri": None}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"max_age": "soon"}, "invalid_request"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:another"}, "invalid_request"),
]


async def test_a_wrong_request_is_told_at_once(panel: Panel, softphone: Client) -> None:
    for wrong, error in WRONG:
        answer = await push(softphone, **wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, error), wrong
    async with house_work(panel.store) as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(PushedRequest.__table__)) == 0


async def test_a_browser_app_pushes_too_from_its_own_origin(panel: Panel) -> None:
    spa = await app_of(panel, "Acme", "web-phone", kind="spa")
    spa.http.headers["origin"] = "https://web-phone.example"
    answer = await push(spa)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, "https://web-phone.example")
    said = told(await go(await panel.sign_in("Pia"), answer.json()["request_uri"], "web-phone"))
    assert "code" in said


async def test_t26_twenty_come_with_one_name_and_one_is_given_a_code(panel: Panel, softphone: Client) -> None:
    uri, pia = await pushed(softphone), await panel.sign_in("Pia")
    answers = await asyncio.gather(*(go(pia, uri) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [302, *[400] * 19]
    winner = next(answer for answer in answers if answer.status_code == 302)
    assert (await softphone.redeem(told(winner)["code"])).status_code == 200
    assert (await go(pia, uri)).status_code == 400


async def test_it_is_dead_after_a_minute(panel: Panel, softphone: Client) -> None:
    uri = await pushed(softphone)
    panel.clock.pass_(seconds=60)
    answer = await go(await panel.sign_in("Pia"), uri)
    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_who_came_in_time_may_sign_in_meanwhile_and_reload(panel: Panel, softphone: Client) -> None:
    uri, nobody = await pushed(softphone), panel.browser()
    asked = await go(nobody, uri)
    assert asked.headers["location"].startswith("/sign-in?next=")
    assert "code_challenge" not in asked.headers["location"]
    panel.clock.pass_(minutes=5)
    assert (await go(nobody, uri)).headers["location"].startswith("/sign-in?next=")
    pia = await panel.sign_in("Pia", nobody)
    assert "code" in told(await pia.get(next_of(asked)))
    assert (await pia.get(next_of(asked))).status_code == 400


async def test_ten_minutes_after_it_was_pushed_it_is_over_however_often_somebody_came(
    panel: Panel, softphone: Client
) -> None:
    uri, nobody = await pushed(softphone), panel.browser()
    for _ in range(10):
        assert (await go(nobody, uri)).status_code == 302
        panel.clock.pass_(minutes=1)
    assert (await go(nobody, uri)).status_code == 400


async def test_another_app_cannot_use_it(panel: Panel, softphone: Client) -> None:
    uri, pia = await pushed(softphone), await panel.sign_in("Pia")
    assert (await go(pia, uri, "desk-client")).status_code == 400
    assert "code" in told(await go(pia, uri))


async def test_what_stands_beside_the_name_means_nothing(panel: Panel, softphone: Client) -> None:
    uri, pia = await pushed(softphone), await panel.sign_in("Pia")
    said = told(await go(pia, uri, redirect_uri="https://evil.example/", scope="openid", state="mine", nonce="mine"))
    tokens = (await softphone.redeem(said["code"])).json()
    assert (said["state"], tokens["scope"]) == (STATE, "openid profile email")
    assert (await softphone.read(tokens["id_token"]))["nonce"] == NONCE


async def test_a_fresh_proof_that_it_asks_for_is_asked_once(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    panel.clock.pass_(seconds=5)
    uri = await pushed(softphone, prompt="login", proved_since="1")
    assert (await go(pia, uri, proved_since="1")).headers["location"].startswith("/sign-in")
    onward = next_of(await go(pia, uri))
    panel.clock.pass_(seconds=5)
    assert (await pia.get(onward)).headers["location"].startswith("/sign-in")
    await panel.sign_in("Pia", pia)
    assert "code" in told(await pia.get(onward))


async def test_a_silent_one_answers_silently(panel: Panel, softphone: Client) -> None:
    uri = await pushed(softphone, prompt="none")
    assert told(await go(panel.browser(), uri))["error"] == "login_required"


async def test_a_bound_login_by_a_pushed_request(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    said = told(await go(await panel.sign_in("Pia"), await pushed(softphone)))
    claims = await softphone.read((await softphone.redeem(said["code"])).json()["id_token"])
    assert (claims["name"], claims["act"]["name"]) == ("Dan Dale", "Pia Pine")


async def test_t27_its_name_opens_no_other_door_and_no_other_secret_is_one(panel: Panel, softphone: Client) -> None:
    uri, pia = await pushed(softphone), await panel.sign_in("Pia")
    secret = uri.removeprefix(PREFIX)
    forms: list[dict[str, Any]] = [
        {"grant_type": "authorization_code", "code": secret, "code_verifier": VERIFIER},
        {"grant_type": "refresh_token", "refresh_token": secret},
        {"grant_type": GRANT, "handoff": secret},
    ]
    for form in forms:
        answer = await softphone.post("/oauth/token", redirect_uri=softphone.redirect_uri, **form)
        assert answer.json()["error"] == "invalid_grant", form
    tokens = await softphone.log_in(pia)
    code = await softphone.code(pia)
    for other in (code, tokens.refresh, tokens.access, "", "x" * 3000):
        assert (await go(pia, PREFIX + other)).status_code == 400
