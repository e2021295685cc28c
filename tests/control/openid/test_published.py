"""What the provider publishes about itself, to whom, and that it is true."""

import re

from bindings.apps import App
from bindings.keys import read_header, rotate
from tests.cast import house_work
from tests.control.openid.story import ISSUER, Client, Panel, app_of


async def test_discovery_names_only_what_is_there(panel: Panel) -> None:
    known = (await panel.browser().get("/.well-known/openid-configuration")).json()
    assert known == (await panel.browser().get("/.well-known/oauth-authorization-server")).json()
    assert known["issuer"] == ISSUER
    assert known["code_challenge_methods_supported"] == ["S256"]
    assert known["response_types_supported"] == ["code"]
    assert known["response_modes_supported"] == ["query", "form_post"]
    assert set(known["grant_types_supported"]) == {
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:understudy:handoff",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    }
    assert "private_key_jwt" in known["token_endpoint_auth_methods_supported"]
    assert known["prompt_values_supported"] == ["consent", "login", "none", "select_account"]
    assert known["pushed_authorization_request_endpoint"] == f"{ISSUER}/oauth/par"
    assert "ES256" in known["dpop_signing_alg_values_supported"]
    assert known["authorization_response_iss_parameter_supported"] is True
    assert known["backchannel_logout_supported"] is True
    assert known["backchannel_logout_session_supported"] is True
    for name, address in known.items():
        if name.endswith(("_endpoint", "_uri")):
            answer = await panel.browser().get(address.removeprefix(ISSUER))
            assert answer.status_code != 404, name


async def test_the_published_keys_hold_no_private_half(panel: Panel) -> None:
    keys = (await panel.browser().get("/oauth/jwks")).json()["keys"]
    assert [set(key) for key in keys] == [{"kty", "crv", "x", "y", "kid", "alg", "use"}]


async def test_a_rotated_key_is_published_until_what_it_signed_has_expired(panel: Panel, softphone: Client) -> None:
    before = await softphone.log_in(await panel.sign_in("Pia"))
    async with house_work(panel.store) as session:
        await rotate(session, panel.app.state.house.settings.secret_key, panel.clock.now)
    panel.clock.pass_(minutes=2)
    after = await softphone.log_in(await panel.sign_in("Pia"))
    assert len((await softphone.http.get("/oauth/jwks")).json()["keys"]) == 2
    assert (await softphone.introspect(before.access))["active"] is True
    assert (await softphone.introspect(after.access))["active"] is True
    panel.clock.pass_(hours=2)
    assert len((await softphone.http.get("/oauth/jwks")).json()["keys"]) == 1


async def test_an_app_may_have_its_id_tokens_signed_by_rsa(panel: Panel, softphone: Client) -> None:
    async with house_work(panel.store) as session:
        app = await session.get_one(App, panel.cast.app_id("softphone"))
        await app.change(session, id_token_alg="RS256")
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    assert read_header(tokens.answer["id_token"])["alg"] == "RS256"
    assert read_header(tokens.access)["alg"] == "ES256"
    assert (await softphone.introspect(tokens.access))["active"] is True


async def test_only_pages_of_registered_apps_may_read_the_answers(panel: Panel) -> None:
    await app_of(panel, "Acme", "web-phone", kind="spa", uris=["https://phone.example/callback"])
    browser = panel.browser()
    paths = ("/.well-known/openid-configuration", "/oauth/jwks", "/oauth/userinfo", "/oauth/acting")
    for path in paths:
        known = await browser.get(path, headers={"Origin": "https://phone.example"})
        assert known.headers["access-control-allow-origin"] == "https://phone.example", path
        for stranger in ("https://evil.example", "http://softphone.localhost:8002", "null"):
            other = await browser.get(path, headers={"Origin": stranger})
            assert "access-control-allow-origin" not in other.headers, path
    asked = {"Origin": "https://phone.example", "Access-Control-Request-Method": "POST"}
    preflight = await browser.options("/oauth/token", headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-methods"]) == (204, "GET, POST")
    refused = await browser.options("/oauth/token", headers=asked | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers
    assert (await browser.post("/oauth/token", headers=asked)).headers["access-control-allow-origin"] == asked["Origin"]


OPEN = {"/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/userinfo", "/oauth/acting"}
"""What the page of an app asks from its own origin with headers of its own; the two published documents need none."""


async def test_no_other_door_is_open_to_pages_of_other_origins(panel: Panel) -> None:
    await app_of(panel, "Acme", "web-phone", kind="spa", uris=["https://phone.example/callback"])
    asked = {"Origin": "https://phone.example", "Access-Control-Request-Method": "POST"}
    browser, found = panel.browser(), set[str]()
    for path in {re.sub(r"{[^}]+}", "1", route.path) for route in panel.app.routes}:
        answer = await browser.options(path, headers=asked)
        found |= {path} if "access-control-allow-origin" in answer.headers else set()
    assert found == OPEN
    for path in ("/oauth/introspect", "/oauth/authorize", "/oauth/logout", "/api/v1/me", "/sign-in"):
        for answer in (await browser.get(path, headers=asked), await browser.post(path, headers=asked)):
            assert "access-control-allow-origin" not in answer.headers, path
    answer = await browser.get("/oauth/userinfo", headers=asked)
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
