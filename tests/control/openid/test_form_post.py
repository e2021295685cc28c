"""An app that is answered by a form (OAuth 2.0 Form Post Response Mode): code and errors are posted to it."""

import re
from html import unescape

import httpx

from tests.control.openid.story import ISSUER, STATE, Client, Panel, app_of, told
from tests.control.openid.test_consent import agree

FORM = re.compile(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', re.S)


def posted(answer: httpx.Response, marked: str = "data-posts-itself") -> tuple[str, dict[str, str]]:
    """Where the form of the page goes, and what it says."""
    assert answer.status_code == 200, answer.text
    (form,) = [each for each in FORM.finditer(answer.text) if marked in each[0]]
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[2])
    return unescape(form[1]), {name: unescape(value) for name, value in hidden}


async def test_the_code_is_posted_and_stands_in_no_address(panel: Panel, softphone: Client) -> None:
    page = await softphone.ask(await panel.sign_in("Pia"), response_mode="form_post")
    address, said = posted(page)
    assert address == softphone.redirect_uri
    assert (set(said), said["state"], said["iss"]) == ({"code", "state", "iss"}, STATE, ISSUER)
    assert (await softphone.redeem(said["code"])).status_code == 200
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' http://softphone.localhost:8001" in policy
    assert "script-src 'self';" in policy
    # Without script there is a button, and what submits the form is a file of ours.
    assert "<button" in FORM.findall(page.text)[-1][1]
    script = re.findall(r'src="(/static/form_post[^"]+)"', page.text)[0]
    assert (await softphone.http.get(script)).status_code == 200


async def test_what_an_app_wrote_is_written_on_the_page_as_text(panel: Panel, softphone: Client) -> None:
    state = '"><script src="https://evil.example"></script>'
    page = await softphone.ask(await panel.sign_in("Pia"), response_mode="form_post", state=state)
    assert (posted(page)[1]["state"], '<script src="https://evil' in page.text) == (state, False)


async def test_errors_are_posted_too(panel: Panel, softphone: Client) -> None:
    nobody, pia = panel.browser(), await panel.sign_in("Pia")
    for browser, more, error in (
        (nobody, {"prompt": "none"}, "login_required"),
        (pia, {"prompt": "none login"}, "invalid_request"),
        (pia, {"response_type": "token"}, "unsupported_response_type"),
        (pia, {"scope": "email"}, "invalid_scope"),
    ):
        address, said = posted(await softphone.ask(browser, response_mode="form_post", **more))
        assert (address, said["error"], said["iss"]) == (softphone.redirect_uri, error, ISSUER), more
    evil = await softphone.ask(pia, response_mode="form_post", redirect_uri="https://evil.example/")
    assert (evil.status_code, "evil.example" in evil.text) == (400, False)


async def test_whoever_turns_back_posts_that_and_nothing_of_ours(panel: Panel) -> None:
    calendar, pia = await app_of(panel, "Acme", "calendar", first_party=False), await panel.sign_in("Pia")
    page = await calendar.ask(pia, response_mode="form_post")
    address, said = posted(page, 'id="back-to-app"')
    assert (address, set(said)) == (calendar.redirect_uri, {"error", "state", "iss"})
    assert 'form="back-to-app"' in page.text
    assert "code" in posted(await agree(pia, page))[1]


async def test_a_pushed_request_is_answered_as_it_asked(panel: Panel, softphone: Client) -> None:
    fields = {name: value for name, value in softphone.fields(response_mode="form_post").items() if name != "client_id"}
    uri = (await softphone.post("/oauth/par", **fields)).json()["request_uri"]
    asked = {"client_id": "softphone", "request_uri": uri, "response_mode": "query"}
    page = await (await panel.sign_in("Pia")).get("/oauth/authorize", params=asked)
    assert "code" in posted(page)[1]


async def test_an_address_of_an_apps_own_scheme_takes_no_form(panel: Panel) -> None:
    native = await app_of(panel, "Acme", "native-app", kind="native", uris=["example.phone:/callback"])
    said = told(await native.ask(await panel.sign_in("Pia"), response_mode="form_post"))
    assert (said["error"], said["state"]) == ("invalid_request", STATE)
