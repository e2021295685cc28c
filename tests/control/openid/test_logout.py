"""Logging out at an app: at once with its ID token, asked first without one."""

import re
from urllib.parse import urlencode

from tests.control.openid.story import Client, Panel

HOME = "http://softphone.localhost:8001/"


async def test_an_app_logs_pia_out_with_its_id_token_and_gets_her_back(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    tokens = await softphone.log_in(pia)
    asked = {"id_token_hint": tokens.answer["id_token"], "post_logout_redirect_uri": HOME, "state": "s&t"}
    answer = await pia.get(f"/oauth/logout?{urlencode(asked)}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HOME}?state=s%26t")
    assert await softphone.introspect(tokens.access) == {"active": False}
    assert (await softphone.renew(tokens.refresh)).json()["error"] == "invalid_grant"


async def test_logging_out_of_one_app_leaves_the_panel_and_the_others(
    panel: Panel, softphone: Client, desk_client: Client
) -> None:
    pia = await panel.sign_in("Pia")
    tokens, other = await softphone.log_in(pia), await desk_client.log_in(pia)
    await pia.post("/oauth/logout", data={"id_token_hint": tokens.answer["id_token"]})
    assert await softphone.introspect(tokens.access) == {"active": False}
    assert (await desk_client.introspect(other.access))["active"] is True
    assert (await softphone.log_in(pia)).claims["name"] == "Pia Pine"


async def test_an_old_id_token_still_says_which_login_to_end(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    panel.clock.pass_(hours=3)
    answer = await panel.browser().get("/oauth/logout", params={"id_token_hint": tokens.answer["id_token"]})
    assert 'data-notice="logged-out"' in answer.text
    assert (await softphone.renew(tokens.refresh)).json()["error"] == "invalid_grant"


async def test_nobody_is_sent_to_an_address_that_is_not_registered(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    for wrong in ("http://evil.example/", f"{HOME}more", f"{HOME}?x=1", "//evil.example"):
        hint = (await softphone.log_in(pia)).answer["id_token"]
        asked = {"id_token_hint": hint, "post_logout_redirect_uri": wrong}
        answer = await pia.get("/oauth/logout", params=asked)
        assert answer.status_code == 200, wrong
        assert "evil" not in answer.text


async def test_without_an_id_token_the_person_is_asked_first(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    tokens = await softphone.log_in(pia)
    asked = {"client_id": "softphone", "post_logout_redirect_uri": HOME, "state": "back"}
    page = await pia.get("/oauth/logout", params=asked)
    assert 'data-notice="log-out"' in page.text
    assert (await softphone.introspect(tokens.access))["active"] is True
    assert f"form-action 'self' {HOME[:-1]}" in page.headers["content-security-policy"]
    form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    answer = await pia.post("/oauth/logout/confirmed", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HOME}?state=back")
    assert await softphone.introspect(tokens.access) == {"active": False}


async def test_nobody_can_agree_for_pia(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    tokens = await softphone.log_in(pia)
    answer = await pia.post("/oauth/logout/confirmed", data={"client_id": "softphone"})
    assert answer.status_code == 403
    assert (await softphone.introspect(tokens.access))["active"] is True


async def test_a_hint_that_is_worth_nothing_only_asks(panel: Panel, softphone: Client, desk_client: Client) -> None:
    pia = await panel.sign_in("Pia")
    tokens = await softphone.log_in(pia)
    hint = tokens.answer["id_token"]
    for asked in (
        {"id_token_hint": hint[:-4] + "AAAA"},
        {"id_token_hint": tokens.access},
        {"id_token_hint": "nonsense"},
        {"id_token_hint": hint, "client_id": "desk-client"},
        {},
    ):
        page = await pia.get("/oauth/logout", params=asked)
        assert 'data-notice="log-out"' in page.text, asked
    form = await pia.post("/oauth/logout", data={"id_token_hint": "nonsense", "client_id": "softphone"})
    assert (form.status_code, form.headers["location"]) == (303, "/oauth/logout?client_id=softphone")
    assert (await softphone.introspect(tokens.access))["active"] is True


async def test_a_stranger_has_nothing_to_log_out_of(panel: Panel) -> None:
    page = await panel.browser().get("/oauth/logout")
    assert (page.status_code, "nothing to log out of" in page.text) == (200, True)
