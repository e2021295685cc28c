"""The demo apps believe only what they checked. The panel here is a tiny provider that a test can bend."""

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwt
from litestar import Litestar

from demo.app import make_apps
from tests.demo.tiny_provider import (
    ISSUER,
    PIA_ACTS,
    TinyProvider,
    base64url,
    new_key,
    questions_in,
    transport_to,
)

SOFTPHONE = "http://softphone.localhost:8001"
SECRETS = {"softphone": "s3cret/of:softphone", "desk-client": "2", "desk-admin": "3"}


class Browser:
    """One browser at the softphone, as far as the app can tell."""

    def __init__(self, apps: Litestar, panel: TinyProvider) -> None:
        self.panel = panel
        self.http = httpx.AsyncClient(transport=transport_to(apps), base_url=SOFTPHONE)

    async def open(self, path: str = "/") -> httpx.Response:
        return await self.http.get(path)

    async def sent_to(self, path: str) -> str:
        """Where `path` sends the browser."""
        response = await self.open(path)
        assert response.status_code == 303
        return response.headers["location"]

    async def bring(self, answer: dict[str, str]) -> httpx.Response:
        """Comes back from the panel with its answer."""
        return await self.http.get("/callback", params=answer)

    async def log_in(self) -> httpx.Response:
        """Dan's whole login, with the panel's part played honestly unless a knob is turned."""
        return await self.bring(self.panel.authorize(await self.sent_to("/login")))

    async def is_signed_in(self) -> bool:
        return 'id="who"' in (await self.open()).text


@pytest.fixture
def panel() -> TinyProvider:
    return TinyProvider()


@pytest.fixture
def apps(panel: TinyProvider) -> Litestar:
    return make_apps(
        issuer=ISSUER,
        port=8001,
        client_secrets=SECRETS,
        clock=lambda: panel.now,
        transport=panel.transport(),
    )


@pytest.fixture
def browser(apps: Litestar, panel: TinyProvider) -> Browser:
    return Browser(apps, panel)


def resigned(token: str, header: dict[str, str], sign: Callable[[bytes], bytes]) -> str:
    """The same claims under another header and signature."""
    text = f"{base64url(json.dumps(header).encode())}.{token.split('.')[1]}"
    return f"{text}.{base64url(sign(text.encode()))}"


async def refused(browser: Browser, response: httpx.Response) -> str:
    """The page says that the login was stopped, and it was. Gives what the page says."""
    assert response.status_code == 400
    assert "This login was stopped" in response.text
    assert not await browser.is_signed_in()
    return response.text


class TestLogin:
    async def test_dan_logs_in_and_the_softphone_shows_him(self, browser: Browser) -> None:
        assert "Log in" in (await browser.open()).text
        response = await browser.log_in()
        assert (response.status_code, response.headers["location"]) == (303, "/")
        page = (await browser.open()).text
        for seen in (
            '<h1 id="who">Dan Dale</h1>',
            'id="email">dan@dairy.example<',
            '<dd id="extension">101</dd>',
            '<dd id="phone-system">Dairy PBX</dd>',
            '<dd id="tenant">Dairy</dd>',
            '<dd id="app-admin">yes</dd>',
        ):
            assert seen in page
        assert "Log out" in page
        assert "data-stand-in" not in page
        assert 'id="acting"' not in page

    async def test_who_acts_as_dan_is_named(self, browser: Browser, panel: TinyProvider) -> None:
        panel.claims |= PIA_ACTS
        await browser.log_in()
        page = (await browser.open()).text
        assert '<strong id="acting">acting: Pia Pine</strong>' in page
        assert 'data-stand-in="binding"' in page
        assert "until it is ended" in page

    async def test_an_impersonation_is_red_and_says_that_it_only_looks(
        self, browser: Browser, panel: TinyProvider
    ) -> None:
        panel.claims |= PIA_ACTS
        panel.claims["stand_in"] = {"kind": "impersonation", "ends_at": "2026-11-21T14:20:00Z", "mode": "look"}
        panel.gives_refresh_tokens = False
        await browser.log_in()
        page = (await browser.open()).text
        assert 'class="stand-in red" data-stand-in="impersonation"' in page
        assert "seen as Dan Dale, by impersonation" in page
        assert "to look only" in page
        # There is nothing to refresh it with: when the token runs out, it is over.
        panel.now += 600
        assert "Your login was ended" in (await browser.open()).text
        assert "impersonation it was made through is over" in (await browser.open()).text

    async def test_a_stand_in_shows_its_end(self, browser: Browser, panel: TinyProvider) -> None:
        panel.claims |= PIA_ACTS
        panel.claims["stand_in"] = {"kind": "impersonation", "ends_at": "2026-11-21T14:20:00Z"}
        await browser.log_in()
        assert "21 Nov 2026, 14:20 UTC" in (await browser.open()).text

    async def test_what_the_softphone_asks(self, browser: Browser) -> None:
        url = await browser.sent_to("/login")
        asked = questions_in(url)
        assert url.startswith(f"{ISSUER}/oauth/authorize?")
        assert asked["response_type"] == "code"
        assert asked["client_id"] == "softphone"
        assert asked["redirect_uri"] == f"{SOFTPHONE}/callback"
        assert asked["code_challenge_method"] == "S256"
        assert "prompt" not in asked
        other = questions_in(await browser.sent_to("/login"))
        assert not {asked[name] for name in ("state", "nonce", "code_challenge")} & set(other.values())

    async def test_the_secret_goes_by_basic_and_never_in_the_form(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        await browser.open()
        sent = [(form, auth) for path, form, auth in panel.asked if path in ("/oauth/token", "/oauth/introspect")]
        assert len(sent) == 2
        encoded = f"Basic {b64encode(b'softphone:s3cret%2Fof%3Asoftphone').decode()}"
        for form, auth in sent:
            assert auth == encoded
            assert "client_secret" not in form

    async def test_two_tabs_may_log_in_at_once(self, browser: Browser, panel: TinyProvider) -> None:
        one = panel.authorize(await browser.sent_to("/login"))
        other = panel.authorize(await browser.sent_to("/login"))
        assert (await browser.bring(one)).status_code == 303
        assert (await browser.bring(other)).status_code == 303

    async def test_the_cookie_changes_at_login(self, browser: Browser) -> None:
        await browser.sent_to("/login")
        planted = browser.http.cookies["softphone-8001"]
        response = await browser.log_in()
        cookie = response.headers["set-cookie"]
        assert cookie.startswith("softphone-8001=")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        browser.http.cookies.clear()
        browser.http.cookies.set("softphone-8001", planted)
        assert not await browser.is_signed_in()

    async def test_new_keys_are_fetched_when_the_panel_signs_with_one(
        self, browser: Browser, panel: TinyProvider
    ) -> None:
        await browser.log_in()
        panel.signing_key = new_key("summer")
        panel.published.append(panel.signing_key)
        panel.now += 60
        assert (await browser.log_in()).status_code == 303
        assert len(panel.forms("/oauth/jwks")) == 2


class TestWhatIsNotBelieved:
    async def test_a_wrong_state(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login"))
        told = await refused(browser, await browser.bring(answer | {"state": "another"}))
        assert "no login that was begun in this browser" in told
        assert not panel.forms("/oauth/token")

    async def test_no_state(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login"))
        del answer["state"]
        await refused(browser, await browser.bring(answer))

    async def test_an_answer_brought_by_another_browser(
        self, browser: Browser, apps: Litestar, panel: TinyProvider
    ) -> None:
        other = Browser(apps, panel)
        await other.sent_to("/login")
        answer = panel.authorize(await browser.sent_to("/login"))
        await refused(other, await other.bring(answer))

    async def test_the_same_answer_twice(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login"))
        await browser.bring(answer)
        assert (await browser.bring(answer)).status_code == 400
        assert len(panel.forms("/oauth/token")) == 1

    async def test_a_parameter_given_twice(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login"))
        await refused(browser, await browser.open(f"/callback?{httpx.QueryParams(answer)}&code=other"))

    async def test_an_answer_from_another_issuer(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login")) | {"iss": "https://evil.example"}
        await refused(browser, await browser.bring(answer))
        assert not panel.forms("/oauth/token")

    async def test_an_answer_without_an_issuer(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login"))
        del answer["iss"]
        await refused(browser, await browser.bring(answer))
        assert not panel.forms("/oauth/token")

    async def test_an_answer_after_eleven_minutes(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login"))
        panel.now += 660
        assert "ten minutes" in await refused(browser, await browser.bring(answer))

    async def test_an_answer_with_no_code(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login"))
        del answer["code"]
        await refused(browser, await browser.bring(answer))

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"nonce": "another"}, "made for another login"),
            ({"nonce": None}, "made for another login"),
            ({"iss": "https://evil.example"}, "“iss”"),
            ({"iss": None}, "“iss”"),
            ({"aud": "desk-admin"}, "“aud”"),
            ({"aud": ["softphone", "desk-admin"]}, "another app"),
            ({"azp": "desk-admin"}, "another app"),
            ({"sub": None}, "“sub”"),
            ({"sub": 41}, "“sub”"),
            ({"exp": 999_000}, "has expired"),
            ({"exp": None}, "“exp”"),
            ({"exp": "tomorrow"}, "“exp”"),
            ({"iat": 1_009_000}, "“iat”"),
            ({"at_hash": "AAAA"}, "not the one"),
        ],
    )
    async def test_an_id_token_with_a_wrong_claim(
        self, browser: Browser, panel: TinyProvider, changes: dict[str, Any], told: str
    ) -> None:
        panel.id_token_changes = changes
        assert told in await refused(browser, await browser.log_in())

    async def test_a_signature_by_a_key_of_the_same_name(self, browser: Browser, panel: TinyProvider) -> None:
        panel.signing_key = new_key("spring")
        assert "not signed by the panel" in await refused(browser, await browser.log_in())

    async def test_a_key_that_is_not_published(self, browser: Browser, panel: TinyProvider) -> None:
        panel.signing_key = new_key("winter")
        await refused(browser, await browser.log_in())

    async def test_an_unsigned_id_token(self, browser: Browser, panel: TinyProvider) -> None:
        panel.forge = lambda honest: resigned(honest, {"alg": "none", "kid": "spring"}, lambda _: b"")
        await refused(browser, await browser.log_in())

    async def test_a_token_signed_with_the_public_key_as_a_secret(self, browser: Browser, panel: TinyProvider) -> None:
        public = panel.signing_key.as_pem(private=False)
        panel.forge = lambda honest: resigned(
            honest, {"alg": "HS256", "kid": "spring"}, lambda text: hmac.digest(public, text, "sha256")
        )
        await refused(browser, await browser.log_in())

    async def test_an_access_token_in_the_id_tokens_place(self, browser: Browser, panel: TinyProvider) -> None:
        panel.header_changes = {"typ": "at+jwt"}
        assert "another kind of token" in await refused(browser, await browser.log_in())

    async def test_a_token_that_is_none(self, browser: Browser, panel: TinyProvider) -> None:
        panel.forge = lambda _: "not.a-token"
        await refused(browser, await browser.log_in())

    async def test_a_panel_that_publishes_another_issuer(self, browser: Browser, panel: TinyProvider) -> None:
        panel.metadata_changes = {"issuer": "https://evil.example"}
        assert (await browser.open("/login")).status_code == 503

    async def test_a_login_started_for_another_panel(self, browser: Browser) -> None:
        assert (await browser.open("/login?iss=https://evil.example")).status_code == 400
        assert (await browser.open(f"/login?iss={ISSUER}")).status_code == 303


class TestWhatThePanelRefuses:
    @pytest.mark.parametrize(
        ("error", "told"),
        [
            ("access_denied", "did not let you in"),
            ("login_required", "Log in to go on"),
            ("interaction_required", "something to tell you"),
            ("temporarily_unavailable", "Try again in a moment"),
            ("invalid_request", "the app&#39;s fault, not yours"),
        ],
    )
    async def test_an_error_is_told_in_plain_words_and_once(self, browser: Browser, error: str, told: str) -> None:
        state = questions_in(await browser.sent_to("/login"))["state"]
        answer = {"error": error, "error_description": "<b>No\nlicence</b>", "state": state, "iss": ISSUER}
        assert (await browser.bring(answer)).headers["location"] == "/"
        page = (await browser.open()).text
        assert told in page
        assert "&lt;b&gt;No licence&lt;/b&gt;" in page
        assert "Log in" in page
        assert told not in (await browser.open()).text

    async def test_an_error_from_somebody_else_is_not_told(self, browser: Browser) -> None:
        state = questions_in(await browser.sent_to("/login"))["state"]
        response = await browser.bring({"error": "access_denied", "state": state, "iss": "https://evil.example"})
        assert "did not let you in" not in await refused(browser, response)

    async def test_a_code_that_the_panel_does_not_know(self, browser: Browser, panel: TinyProvider) -> None:
        answer = panel.authorize(await browser.sent_to("/login")) | {"code": "made-up"}
        assert (await browser.bring(answer)).status_code == 303
        assert not await browser.is_signed_in()


class TestEachPage:
    async def test_an_ended_login_is_seen_to_end_on_the_next_page(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        assert await browser.is_signed_in()
        panel.active = False
        page = (await browser.open()).text
        assert 'id="signed-out"' in page
        assert "You are signed out" in page
        assert "Your login was ended" in page
        assert "Dan" not in page
        panel.active = True
        assert 'id="signed-out"' in (await browser.open()).text

    async def test_after_that_one_can_log_in_again(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        panel.active = False
        await browser.open()
        panel.active = True
        await browser.log_in()
        assert await browser.is_signed_in()

    async def test_the_page_shows_what_the_panel_says_now(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        panel.claims |= {"extension": "109", "app_admin": False}
        page = (await browser.open()).text
        assert '<dd id="extension">109</dd>' in page
        assert '<dd id="app-admin">no</dd>' in page

    async def test_a_token_of_somebody_else_ends_the_login(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        panel.claims["sub"] = "42"
        assert not await browser.is_signed_in()

    async def test_a_token_of_another_app_ends_the_login(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        panel.claims["client_id"] = "desk-admin"
        assert not await browser.is_signed_in()

    async def test_a_panel_that_does_not_answer_shows_nobody_and_ends_nothing(
        self, browser: Browser, panel: TinyProvider
    ) -> None:
        await browser.log_in()
        panel.dead = True
        response = await browser.open()
        assert response.status_code == 503
        assert response.headers["retry-after"] == "5"
        assert "Dan" not in response.text
        panel.dead = False
        assert await browser.is_signed_in()

    async def test_an_expired_access_token_is_refreshed_and_the_refresh_token_rotates(
        self, browser: Browser, panel: TinyProvider
    ) -> None:
        await browser.log_in()
        for _ in range(2):
            panel.now += 600
            given = panel.refresh_token
            assert await browser.is_signed_in()
            assert panel.forms("/oauth/token")[-1]["refresh_token"] == given != panel.refresh_token

    async def test_two_tabs_spend_a_refresh_token_once(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        panel.now += 600
        pages = await asyncio.gather(*(browser.open() for _ in range(5)))
        assert all("Dan Dale" in page.text for page in pages)
        assert len(panel.forms("/oauth/token")) == 2

    async def test_a_refresh_that_is_stored_though_the_panel_dies_right_after(
        self, browser: Browser, panel: TinyProvider
    ) -> None:
        await browser.log_in()
        panel.now += 600
        panel.dead_paths.add("/oauth/introspect")
        assert (await browser.open()).status_code == 503
        panel.dead_paths.clear()
        assert await browser.is_signed_in()

    async def test_a_refused_refresh_signs_out(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        panel.now += 600
        panel.refresh_token = "rotated by somebody else"
        assert 'id="signed-out"' in (await browser.open()).text

    async def test_without_a_refresh_token_the_login_ends_with_its_token(
        self, browser: Browser, panel: TinyProvider
    ) -> None:
        panel.gives_refresh_tokens = False
        await browser.log_in()
        panel.now += 600
        assert 'id="signed-out"' in (await browser.open()).text

    async def test_a_refresh_that_turns_dan_into_somebody_else(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        panel.now += 600
        panel.id_token_changes = {"sub": "42"}
        assert 'id="signed-out"' in (await browser.open()).text


class TestCheckAgain:
    async def test_it_asks_without_a_page_and_renews_the_login(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        url = await browser.sent_to("/check")
        assert questions_in(url)["prompt"] == "none"
        panel.id_token_changes = {"sid": "a001"}
        spent = panel.refresh_token
        await browser.bring(panel.authorize(url))
        assert await browser.is_signed_in()
        assert [form["token"] for form in panel.forms("/oauth/revoke")] == [spent]

    async def test_the_same_login_again_is_not_given_back(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        await browser.bring(panel.authorize(await browser.sent_to("/check")))
        assert not panel.forms("/oauth/revoke")

    async def test_login_required_is_told_and_the_login_stays(self, browser: Browser) -> None:
        await browser.log_in()
        state = questions_in(await browser.sent_to("/check"))["state"]
        await browser.bring({"error": "login_required", "state": state, "iss": ISSUER})
        page = (await browser.open()).text
        assert "your next login would open as somebody else" in page
        assert '<a href="/login">Log in</a>' in page
        assert 'id="who"' in page

    async def test_somebody_else_is_not_taken_in_silence(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        answer = panel.authorize(await browser.sent_to("/check"))
        panel.id_token_changes = {"sub": "42"}
        assert "somebody else" in (await browser.bring(answer)).text

    async def test_who_is_not_logged_in_has_nothing_to_check(self, browser: Browser) -> None:
        assert await browser.sent_to("/check") == "/"


class TestLogOut:
    async def test_it_ends_here_and_leads_to_the_panel_and_back(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        response = await browser.http.post("/logout", headers={"origin": SOFTPHONE})
        asked = questions_in(response.headers["location"])
        assert response.headers["location"].startswith(f"{ISSUER}/oauth/logout?")
        assert asked["post_logout_redirect_uri"] == f"{SOFTPHONE}/"
        assert jwt.decode(asked["id_token_hint"], panel.signing_key).claims["sub"] == "41"
        page = (await browser.open(f"/?state={asked['state']}")).text
        assert "You are logged out." in page
        assert 'id="signed-out"' not in page

    async def test_it_ends_here_though_the_panel_is_gone(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        panel.dead, panel.now = True, panel.now + 7200
        assert (await browser.http.post("/logout")).status_code == 503
        assert not await browser.is_signed_in()

    async def test_a_made_up_state_says_nothing(self, browser: Browser) -> None:
        await browser.log_in()
        await browser.http.post("/logout")
        assert "You are logged out." not in (await browser.open("/?state=made-up")).text

    async def test_other_sites_cannot_log_dan_out(self, browser: Browser) -> None:
        await browser.log_in()
        for origin in ("https://evil.example", "http://desk-admin.localhost:8001", "null"):
            response = await browser.http.post("/logout", headers={"origin": origin})
            assert response.status_code == 403
        assert (await browser.open("/logout")).status_code == 405
        assert await browser.is_signed_in()

    async def test_a_check_under_way_does_not_undo_it(self, browser: Browser, panel: TinyProvider) -> None:
        await browser.log_in()
        answer = panel.authorize(await browser.sent_to("/check"))
        await browser.http.post("/logout")
        await refused(browser, await browser.bring(answer))


class TestTheServer:
    @pytest.mark.parametrize("client_id", SECRETS)
    async def test_each_app_has_its_own_origin(self, browser: Browser, client_id: str) -> None:
        response = await browser.http.get(f"http://{client_id}.localhost:8001/")
        assert f'data-app="{client_id}"' in response.text

    @pytest.mark.parametrize("path", ["/", "/login", "/callback", "/no/such/page"])
    async def test_other_names_of_this_machine_get_no_app(self, browser: Browser, path: str) -> None:
        response = await browser.http.get(f"http://rebound.example:8001{path}")
        assert response.status_code == 421
        assert "set-cookie" not in response.headers
        assert f"{SOFTPHONE}/" in response.text

    @pytest.mark.parametrize("path", ["/", "/login", "/callback", "/no/such/page", "/icon.svg"])
    async def test_every_answer_is_strict_and_not_kept(self, browser: Browser, path: str) -> None:
        headers = (await browser.open(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';")
        assert f"connect-src 'self' {ISSUER};" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"

    async def test_the_pages_need_no_script_and_no_inline_style(self, browser: Browser) -> None:
        await browser.log_in()
        page = (await browser.open()).text
        assert "<script" not in page
        assert "style=" not in page

    async def test_a_page_that_is_not_there(self, browser: Browser) -> None:
        response = await browser.open("/no/such/page")
        assert response.status_code == 404
        assert 'id="problem"' in response.text
