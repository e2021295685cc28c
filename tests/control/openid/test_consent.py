"""An app of others asks who somebody is: they agree first, once, and can take it back. Nobody agrees for another."""

import re
from html import unescape

import httpx
import pytest
import sqlalchemy as sa

from bindings.app_consents import AppConsent
from bindings.apps import find_client
from bindings.handoff import openings
from tenants.people import find_membership
from tenants.refusals import NotPermitted
from tenants.trail import Entry
from tests.cast import bind, house_work, work_as
from tests.control.openid.opening import open_as, taken
from tests.control.openid.story import ISSUER, Client, Panel, app_of, told
from tests.control.openid.test_exchange import ask as exchange
from tests.control.openid.test_exchange import let_exchange, member, stands
from tests.control.openid.test_impersonating import answer_with, become

AGREED = "/oauth/authorize/agreed"


async def others(panel: Panel, owner: str = "Acme") -> Client:
    """An app that is not the house's own."""
    return await app_of(panel, owner, "calendar", first_party=False)


async def agree(browser: httpx.AsyncClient, page: httpx.Response, **more: str) -> httpx.Response:
    """Press "Agree"."""
    assert 'data-notice="consent"' in page.text, page.text
    form = next(each for each in re.findall(r"<form.*?</form>", page.text, flags=re.S) if AGREED in each)
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    fields = {name: unescape(value) for name, value in hidden} | more
    return await browser.post(AGREED, data=fields, headers={"Origin": ISSUER})


def code_of(answer: httpx.Response) -> str:
    """The code that a form's answer sends to the app."""
    assert answer.status_code == 303, answer.text
    return dict(httpx.URL(answer.headers["location"]).params)["code"]


async def consents(panel: Panel) -> list[AppConsent]:
    async with house_work(panel.store, panel.clock.now) as session:
        return list(await session.scalars(sa.select(AppConsent).order_by(AppConsent.id)))


async def said(panel: Panel, verb: str) -> list[Entry]:
    async with house_work(panel.store, panel.clock.now) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb)))


async def test_pia_is_asked_once_what_an_app_of_others_may_learn(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    page = await calendar.ask(pia)
    assert page.status_code == 200
    for words in ("calendar belongs to Acme", "the e-mail address", "the organization, Pine", "the extension 100"):
        assert words in unescape(page.text), words
    assert "form-action 'self' https://calendar.example" in page.headers["content-security-policy"]
    tokens = await calendar.redeem(code_of(await agree(pia, page)))
    assert (await calendar.read(tokens.json()["id_token"]))["name"] == "Pia Pine"
    assert [(row.user_id, row.scopes) for row in await consents(panel)] == [
        (panel.cast.user("Pia").id, "openid profile email")
    ]
    assert (await said(panel, "app_consent.given"))[0].record_name == "calendar"
    assert "code" in told(await calendar.ask(pia))
    assert "code" in told(await calendar.ask(pia, prompt="none"))


async def test_an_app_of_the_house_asks_nobody(panel: Panel, softphone: Client) -> None:
    assert "code" in told(await softphone.ask(await panel.sign_in("Pia")))
    assert await consents(panel) == []


async def test_without_a_page_there_is_no_login_before_they_agreed(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    assert told(await calendar.ask(pia, prompt="none"))["error"] == "consent_required"


async def test_who_asks_for_more_asks_again(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    await agree(pia, await calendar.ask(pia, scope="openid"))
    assert "code" in told(await calendar.ask(pia, scope="openid"))
    await agree(pia, await calendar.ask(pia, scope="openid email"))
    assert "code" in told(await calendar.ask(pia, scope="openid email"))
    assert [row.scopes for row in await consents(panel)] == ["openid email"]


async def test_an_app_may_have_them_asked_again(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    await agree(pia, await calendar.ask(pia))
    page = await calendar.ask(pia, prompt="consent")
    assert code_of(await agree(pia, page))
    assert len(await consents(panel)) == 1


async def test_who_does_not_agree_goes_back_with_that(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    page = await calendar.ask(pia)
    back = unescape(re.findall(r'<a class="btn" href="([^"]+)"', page.text)[0])
    assert dict(httpx.URL(back).params)["error"] == "access_denied"
    assert back.startswith("https://calendar.example/callback?")


async def test_an_answer_that_is_not_our_form_agrees_to_nothing(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    page = await calendar.ask(pia)
    assert (await agree(pia, page, _csrf_token="x")).status_code == 403
    assert 'data-notice="consent"' in (await calendar.ask(pia, agreed_as=str(panel.cast.membership_id("Pia")))).text
    wrong = await agree(pia, page, agreed_as=str(panel.cast.membership_id("Dan")))
    assert 'data-notice="consent"' in wrong.text
    assert await consents(panel) == []


async def test_taking_it_back_ends_the_login_and_asks_again(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    tokens = (await calendar.redeem(code_of(await agree(pia, await calendar.ask(pia))))).json()
    page = await pia.get("/account")
    assert "Apps that know who you are" in page.text
    form = next(each for each in re.findall(r"<form.*?</form>", page.text, flags=re.S) if "app-consents" in each)
    path = re.findall(r'action="([^"]+)"', form)[0]
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    assert (await pia.post(path, data=fields, headers={"Origin": ISSUER})).status_code == 303
    assert await calendar.introspect(tokens["access_token"]) == {"active": False}
    assert (await calendar.renew(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert len(await said(panel, "app_consent.revoked")) == 1
    assert 'data-notice="consent"' in (await calendar.ask(pia)).text
    assert (await pia.post(path, data=fields, headers={"Origin": ISSUER})).status_code == 404


async def test_nobody_takes_back_anothers(panel: Panel) -> None:
    calendar, pia, pete = await others(panel), await panel.sign_in("Pia"), await panel.sign_in("Pete")
    await agree(pia, await calendar.ask(pia))
    token = re.findall(r'name="_csrf_token" value="([^"]+)"', (await pete.get("/account")).text)[0]
    row = (await consents(panel))[0]
    answer = await pete.post(
        f"/account/app-consents/{row.id}/revoke", data={"_csrf_token": token}, headers={"Origin": ISSUER}
    )
    assert answer.status_code == 404


async def test_c8_who_is_bound_to_dan_agrees_for_one_login_and_nothing_is_kept(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    for _ in range(2):
        page = await calendar.ask(pia)
        assert "This is for one login alone" in page.text
        tokens = await calendar.redeem(code_of(await agree(pia, page)))
        claims = await calendar.read(tokens.json()["id_token"])
        assert (claims["name"], claims["act"]["name"]) == ("Dan Dale", "Pia Pine")
    assert await consents(panel) == []
    assert told(await calendar.ask(pia, prompt="none"))["error"] == "consent_required"


async def test_what_dan_agreed_to_holds_for_who_is_bound_to_him(panel: Panel) -> None:
    calendar, dan = await others(panel), await panel.sign_in("Dan")
    await agree(dan, await calendar.ask(dan))
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    assert "code" in told(await calendar.ask(await panel.sign_in("Pia")))


async def test_a_binding_that_came_between_is_asked_about_anew(panel: Panel) -> None:
    calendar, pia = await others(panel), await panel.sign_in("Pia")
    page = await calendar.ask(pia)
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    again = await agree(pia, page)
    assert 'data-notice="consent"' in again.text
    assert "Dan Dale" in again.text
    assert await consents(panel) == []


async def test_c8_who_impersonates_agrees_to_nothing(panel: Panel) -> None:
    calendar, opal = await others(panel), await panel.sign_in("Opal")
    own = await calendar.ask(opal)
    await become(panel, opal, "Opal", "Bea")
    page = await answer_with(opal, await calendar.ask(opal), "subject")
    assert "Nobody agrees to this for another" in page.text
    assert AGREED not in page.text
    assert (await agree(opal, own)).status_code in {403, 409}
    assert await consents(panel) == []


async def barred(panel: Panel) -> dict[str, str | None]:
    """The apps that Olaf is offered for being Bea, each with why it cannot be opened."""
    olaf, now = panel.cast.actor("Olaf"), panel.clock.now
    async with panel.store.work(olaf, olaf.reach(), now) as session:
        bea = await find_membership(session, panel.cast.membership_id("Bea"))
        line = panel.cast.extension("Bakery", "201").id
        return {each.app.name: each.barred for each in await openings(session, olaf, bea, line, now)}


async def test_an_app_of_others_is_opened_as_nobody_who_never_agreed(panel: Panel) -> None:
    calendar = await app_of(panel, "Oak", "calendar", first_party=False)
    async with house_work(panel.store, panel.clock.now) as session:
        app = await find_client(session, "calendar")
        assert app is not None
        await app.change(session, handoff_uri="https://calendar.example/open")
    with pytest.raises(NotPermitted) as refused:
        await open_as(panel, "Olaf", "Bea", "calendar")
    assert refused.value.rule == "app_consent"
    assert "Bea Bell has not let calendar know" in str((await barred(panel))["calendar"])
    # Olaf's own word is not hers, and what she agreed to is all that the app learns.
    olaf, bea = await panel.sign_in("Olaf"), await panel.sign_in("Bea")
    await agree(olaf, await calendar.ask(olaf))
    with pytest.raises(NotPermitted):
        await open_as(panel, "Olaf", "Bea", "calendar")
    await agree(bea, await calendar.ask(bea, scope="openid profile"))
    assert set((await barred(panel)).values()) == {None}
    answer = await taken(calendar, await open_as(panel, "Olaf", "Bea", "calendar"))
    assert (answer["scope"], "email" in await calendar.read(answer["access_token"])) == ("openid profile", False)
    (given,) = [row for row in await consents(panel) if row.user_id == panel.cast.user("Bea").id]
    async with work_as(panel.store, panel.cast.actor("Bea"), panel.clock.now) as session:
        await (await session.get_one(AppConsent, given.id)).take_back(session, "calendar", panel.clock.now)
    assert await calendar.introspect(answer["access_token"]) == {"active": False}


async def test_an_app_of_others_exchanges_for_nobody_who_never_agreed(panel: Panel) -> None:
    calendar, olaf, bea = await others(panel), await panel.sign_in("Olaf"), await panel.sign_in("Bea")
    await let_exchange(panel, "calendar")
    own = (await calendar.redeem(code_of(await agree(olaf, await calendar.ask(olaf))))).json()["access_token"]
    refused = await exchange(calendar, own, member(panel, "Bea"))
    assert (refused.status_code, refused.json()["error"]) == (400, "access_denied")
    assert [entry.details["rule"] for entry in await said(panel, "refused")] == ["app_consent"]
    assert await stands(panel) == []
    await agree(bea, await calendar.ask(bea, scope="openid profile"))
    answer = await exchange(calendar, own, member(panel, "Bea"))
    assert answer.json()["scope"] == "openid profile"
