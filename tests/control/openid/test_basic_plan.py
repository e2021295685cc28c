"""What the OpenID Foundation's test plans look at beside our own stories; `tests/test_plans.md` has the list."""

from html import unescape
from typing import Any

import httpx
import pytest

from tests.control.openid.story import Client, Panel, app_of, next_of, told
from tests.control.openid.test_consent import agree, code_of


async def test_a_login_without_a_nonce_has_none(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"), nonce=None)
    answer = await softphone.redeem(code)
    assert "nonce" not in await softphone.read(answer.json()["id_token"])


async def test_userinfo_takes_the_token_in_the_header_or_the_form_and_never_in_both(
    panel: Panel, softphone: Client
) -> None:
    token = (await softphone.log_in(await panel.sign_in("Pia"))).access
    http, header = softphone.http, {"Authorization": f"Bearer {token}"}
    answers = [
        await http.get("/oauth/userinfo", headers=header),
        await http.post("/oauth/userinfo", headers=header),
        await http.post("/oauth/userinfo", data={"access_token": token}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    both = await http.post("/oauth/userinfo", headers=header, data={"access_token": token})
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    assert (await http.get("/oauth/userinfo", params={"access_token": token})).status_code == 401


@pytest.mark.parametrize(
    ("scope", "told_of"),
    [
        ("openid", set()),
        ("openid profile", {"name"}),
        ("openid email", {"email", "email_verified"}),
        ("openid address phone", set()),
        ("openid profile email address phone", {"name", "email", "email_verified"}),
    ],
)
async def test_each_scope_tells_what_it_says(panel: Panel, softphone: Client, scope: str, told_of: set[str]) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"), scope=scope)
    said = (await softphone.userinfo(tokens.access)).json()
    assert {"name", "email", "email_verified", "address", "phone_number"} & said.keys() == told_of
    assert said["sub"] == tokens.claims["sub"]


@pytest.mark.parametrize(
    "more",
    [
        {"display": "page"},
        {"display": "popup"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"claims": '{"userinfo": {"name": {"essential": true}}}'},
        {"extra": "foobar"},
        {"response_mode": "query"},
    ],
)
async def test_what_is_voluntary_or_unknown_hinders_no_login(
    panel: Panel, softphone: Client, more: dict[str, Any]
) -> None:
    assert "code" in told(await softphone.ask(await panel.sign_in("Pia"), **more))


async def test_a_silent_check_passes_with_the_hint_of_who_is_there(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    first = await softphone.log_in(pia)
    hint = first.answer["id_token"]
    second = await softphone.log_in(pia, prompt="none", id_token_hint=hint)
    assert second.claims["sub"] == first.claims["sub"]
    assert second.claims["auth_time"] == first.claims["auth_time"]


async def test_a_login_that_is_young_enough_keeps_its_time(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    first = await softphone.log_in(pia)
    panel.clock.pass_(minutes=5)
    second = await softphone.log_in(pia, max_age="10000")
    assert second.claims["auth_time"] == first.claims["auth_time"]


async def test_the_address_that_an_app_hints_at_is_typed_beforehand(panel: Panel, softphone: Client) -> None:
    nobody = panel.browser()
    asked = await softphone.ask(nobody, login_hint="pia@pine.example")
    page = await nobody.get(asked.headers["location"])
    assert 'value="pia@pine.example"' in unescape(page.text)
    for hint in ("Pia", "x@" + "y" * 300):
        asked = await softphone.ask(nobody, login_hint=hint)
        assert "email" not in httpx.URL(asked.headers["location"]).params, hint
    asked = await softphone.ask(nobody, login_hint='"><script>@')
    assert "<script>@" not in (await nobody.get(asked.headers["location"])).text


async def test_a_hint_signs_nobody_in(panel: Panel, softphone: Client) -> None:
    claims = (await softphone.log_in(await panel.sign_in("Pia"), login_hint="dan@dairy.example")).claims
    assert claims["name"] == "Pia Pine"


async def test_a_code_that_comes_again_half_a_minute_later(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    tokens = (await softphone.redeem(code)).json()
    panel.clock.pass_(seconds=30)
    assert (await softphone.redeem(code)).json()["error"] == "invalid_grant"
    assert (await softphone.userinfo(tokens["access_token"])).status_code == 401


async def test_ben_says_as_which_of_his_profiles(panel: Panel) -> None:
    """He has an extension at Bakery, and none at Clinic, where he is a member too."""
    calendar, ben = await app_of(panel, "Oak", "calendar"), await panel.sign_in("Ben")
    page = await calendar.ask(ben, prompt="select_account")
    assert 'data-notice="choose"' in page.text
    assert "Which of your profiles?" in page.text
    clinic = panel.cast.membership_id("Ben", at="Clinic")
    assert f'name="profile" value="{clinic}"' in page.text
    claims = (await calendar.log_in(ben, prompt="select_account", profile=str(clinic))).claims
    assert (claims["tenant"]["name"], "extension" in claims) == ("Clinic", False)
    bakery = str(panel.cast.extension("Bakery", "202").id)
    claims = (await calendar.log_in(ben, prompt="select_account", extension=bakery)).claims
    assert (claims["tenant"]["name"], claims["extension"]) == ("Bakery", "202")


async def test_ben_cannot_choose_a_profile_of_somebody_else(panel: Panel) -> None:
    calendar, ben = await app_of(panel, "Oak", "calendar"), await panel.sign_in("Ben")
    for other in (panel.cast.membership_id("Bea"), panel.cast.membership_id("Ben"), 10**17):
        page = await calendar.ask(ben, profile=str(other))
        assert 'data-notice="choose"' in page.text, other


async def test_an_app_that_works_with_extensions_offers_no_profile_without_one(panel: Panel, softphone: Client) -> None:
    claims = (await softphone.log_in(await panel.sign_in("Ben"), prompt="select_account")).claims
    assert claims["extension"] == "202"


async def test_he_chooses_and_then_agrees(panel: Panel) -> None:
    calendar, ben = await app_of(panel, "Oak", "calendar", first_party=False), await panel.sign_in("Ben")
    clinic = str(panel.cast.membership_id("Ben", at="Clinic"))
    page = await calendar.ask(ben, prompt="select_account consent", profile=clinic)
    tokens = await calendar.redeem(code_of(await agree(ben, page)))
    assert (await calendar.read(tokens.json()["id_token"]))["tenant"]["name"] == "Clinic"


async def test_the_form_of_a_sign_in_may_end_at_the_app_of_a_pushed_request(panel: Panel, softphone: Client) -> None:
    fields = {name: value for name, value in softphone.fields().items() if name != "client_id"}
    uri = (await softphone.post("/oauth/par", **fields)).json()["request_uri"]
    nobody = panel.browser()
    asked = await nobody.get("/oauth/authorize", params={"client_id": "softphone", "request_uri": uri})
    page = await nobody.get(asked.headers["location"])
    assert next_of(asked).startswith("/oauth/authorize?")
    assert "form-action 'self' http://softphone.localhost:8001" in page.headers["content-security-policy"]


HOME = "http://softphone.localhost:8001/"


async def test_logging_out_without_a_state_comes_back_without_one(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    hint = (await softphone.log_in(pia)).answer["id_token"]
    answer = await pia.get("/oauth/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": HOME})
    assert (answer.status_code, answer.headers["location"]) == (303, HOME)


async def test_a_state_alone_only_asks(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    tokens = await softphone.log_in(pia)
    page = await pia.get("/oauth/logout", params={"state": "mine"})
    assert 'data-notice="log-out"' in page.text
    assert (await softphone.introspect(tokens.access))["active"] is True
