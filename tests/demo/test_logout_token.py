"""An app that is told of a logout believes only the panel, and then asks nobody any more."""

from typing import Any

import httpx
import pytest
from joserfc import jwt
from litestar import Litestar

from demo.app import make_apps
from tests.demo.test_demo_app import SECRETS, SOFTPHONE, Browser
from tests.demo.tiny_provider import ISSUER, TinyProvider, new_key

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def panel() -> TinyProvider:
    return TinyProvider()


@pytest.fixture
def apps(panel: TinyProvider) -> Litestar:
    return make_apps(
        issuer=ISSUER, port=8001, client_secrets=SECRETS, clock=lambda: panel.now, transport=panel.transport()
    )


@pytest.fixture
def browser(apps: Litestar, panel: TinyProvider) -> Browser:
    return Browser(apps, panel)


def token(panel: TinyProvider, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """What the panel would send for Dan's login; a change to None leaves a claim out."""
    claims = {
        "iss": ISSUER,
        "aud": "softphone",
        "iat": int(panel.now),
        "exp": int(panel.now) + 120,
        "jti": "first",
        "sub": "41",
        "sid": "9f2c",
        "events": {EVENT: {}},
        **changes,
    }
    said = {"alg": "ES256", "kid": panel.signing_key.kid, "typ": "logout+jwt", **(header or {})}
    return jwt.encode(said, {name: value for name, value in claims.items() if value is not None}, panel.signing_key)


async def tell(browser: Browser, logout_token: str | None) -> httpx.Response:
    """The panel posts, from no browser."""
    form = {"logout_token": logout_token} if logout_token is not None else {"other": "field"}
    async with httpx.AsyncClient(transport=browser.http._transport, base_url=SOFTPHONE) as http:
        return await http.post("/backchannel-logout", data=form)


async def test_the_next_page_says_so_and_asks_nobody(browser: Browser, panel: TinyProvider, apps: Litestar) -> None:
    other = Browser(apps, panel)
    await browser.log_in()
    panel.id_token_changes["sid"] = "another"
    await other.log_in()
    answer = await tell(browser, token(panel))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    panel.dead = True
    assert "signed out" in (await browser.open()).text.lower()
    panel.dead = False
    assert await other.is_signed_in()


async def test_a_new_login_is_another_one(browser: Browser, panel: TinyProvider) -> None:
    await browser.log_in()
    await tell(browser, token(panel))
    panel.id_token_changes["sid"] = "next"
    await browser.log_in()
    assert await browser.is_signed_in()


async def test_a_token_counts_once(browser: Browser, panel: TinyProvider) -> None:
    await browser.log_in()
    assert (await tell(browser, token(panel))).status_code == 200
    assert (await tell(browser, token(panel))).status_code == 400
    assert (await tell(browser, token(panel, jti="second"))).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://evil.example"},
        {"aud": "desk-client"},
        {"exp": 999_000, "iat": 998_000},
        {"iat": 999_000},
        {"iat": 1_001_000},
        {"jti": None},
        {"sid": None},
        {"sid": 7},
        {"iat": None},
        {"exp": None},
        {"events": None},
        {"events": {}},
        {"events": [EVENT]},
        {"events": {EVENT: True}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"nonce": "of an ID token"},
    ],
    ids=str,
)
async def test_what_does_not_hold_ends_nothing(browser: Browser, panel: TinyProvider, changes: dict[str, Any]) -> None:
    await browser.log_in()
    answer = await tell(browser, token(panel, **changes))
    assert (answer.status_code, answer.headers["cache-control"]) == (400, "no-store")
    assert answer.json()["error"] == "invalid_request"
    assert await browser.is_signed_in()


async def test_neither_does_what_somebody_else_signed(browser: Browser, panel: TinyProvider) -> None:
    await browser.log_in()
    honest = panel.signing_key
    panel.signing_key = new_key(str(honest.kid))
    forged = token(panel)
    panel.signing_key = honest
    head, body, _ = token(panel).split(".")
    for bad in (forged, f"{head}.{body}.", "no token", "", None):
        assert (await tell(browser, bad)).status_code == 400
    assert await browser.is_signed_in()


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", ""])
async def test_nor_a_token_of_another_kind(browser: Browser, panel: TinyProvider, typ: str) -> None:
    await browser.log_in()
    assert (await tell(browser, token(panel, {"typ": typ}))).status_code == 400
    assert await browser.is_signed_in()


async def test_an_app_that_cannot_ask_for_the_keys_does_not_say_yes(browser: Browser, panel: TinyProvider) -> None:
    panel.dead = True
    assert (await tell(browser, token(panel))).status_code >= 500
