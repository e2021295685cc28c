"""An app asks for a login while the panel's sign-in is impersonating: the person says as whom, and nobody else does."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa

from bindings.impersonation import Asked, Impersonation
from bindings.tokens import Token
from tenants.credentials import digest
from tenants.people import User, find_membership
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.sign_in import SignIn
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.cast import PASSWORD, WHY, bind, house_work, work_as
from tests.control.openid.opening import end_as_house, open_as, taken, the_row
from tests.control.openid.story import ISSUER, Client, Panel, told

CONTINUE = "/oauth/authorize/as"


async def sign_in_of(panel: Panel, browser: httpx.AsyncClient) -> SignIn:
    secret = browser.cookies[panel.app.state.house.settings.cookie("sign-in")]
    async with house_work(panel.store) as session:
        return (await session.scalars(sa.select(SignIn).where(SignIn.token_hash == digest(secret)))).one()


async def become(
    panel: Panel, browser: httpx.AsyncClient, name: str, subject: str, *, mode: str = "full", at: str | None = None
) -> int:
    """Somebody at this browser is somebody else in the panel from now on; the row's id."""
    sign_in = await sign_in_of(panel, browser)
    actor = replace(panel.cast.actor(name), sign_in_id=sign_in.id)
    async with work_as(panel.store, actor, panel.clock.now) as session:
        there = await find_membership(session, panel.cast.membership_id(subject, at=at))
        return (await Impersonation.start(session, actor, there, Asked.of(WHY, mode=mode), panel.clock.now)).id


async def answer_with(browser: httpx.AsyncClient, page: httpx.Response, choice: str, **more: str) -> httpx.Response:
    """Press a button of the page that asks."""
    form = next(each for each in re.findall(r"<form.*?</form>", page.text, flags=re.S) if f'value="{choice}"' in each)
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    fields = {name: unescape(value) for name, value in hidden}
    return await browser.post(CONTINUE, data=fields | {"choice": choice} | more, headers={"Origin": ISSUER})


async def code_in(client: Client, answer: httpx.Response) -> dict[str, object]:
    """The tokens for the code that an answer sends to the app."""
    assert answer.status_code == 303, answer.text
    code = dict(httpx.URL(answer.headers["location"]).params)["code"]
    redeemed = await client.redeem(code)
    assert redeemed.status_code == 200, redeemed.text
    return dict(redeemed.json())


@pytest.fixture
async def opal(panel: Panel) -> httpx.AsyncClient:
    """Opal's browser, at which she is Bea."""
    browser = await panel.sign_in("Opal")
    await become(panel, browser, "Opal", "Bea")
    return browser


async def test_opal_continues_as_bea(panel: Panel, softphone: Client, opal: httpx.AsyncClient) -> None:
    page = await softphone.ask(opal)
    assert page.status_code == 200
    assert 'data-notice="continue"' in page.text
    assert 'data-stand-in="impersonation"' in page.text
    assert "Continue as Bea Bell" in page.text
    assert (
        f"form-action 'self' {softphone.redirect_uri.removesuffix('/callback')}"
        in page.headers["content-security-policy"]
    )
    tokens = await code_in(softphone, await answer_with(opal, page, "subject"))
    claims = await softphone.read(str(tokens["access_token"]))
    assert (claims["name"], claims["act"]["name"], claims["extension"]) == ("Bea Bell", "Opal Orr", "201")
    (row,) = await impersonations(panel)
    assert claims["stand_in"]["id"] == str(row.id)
    assert claims["exp"] == int(row.ends_at.timestamp())
    assert "refresh_token" not in tokens


async def test_the_login_ends_with_the_impersonation(panel: Panel, softphone: Client, opal: httpx.AsyncClient) -> None:
    page = await softphone.ask(opal)
    token = str((await code_in(softphone, await answer_with(opal, page, "subject")))["access_token"])
    assert (await softphone.introspect(token))["active"] is True
    (row,) = await impersonations(panel)
    await end_as_house(panel, row.id, "stopped")
    assert await softphone.introspect(token) == {"active": False}
    assert (await softphone.userinfo(token)).status_code == 401


async def test_a_code_that_was_not_redeemed_yet_is_dead_with_it(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    answer = await answer_with(opal, await softphone.ask(opal), "subject")
    code = dict(httpx.URL(answer.headers["location"]).params)["code"]
    (row,) = await impersonations(panel)
    await end_as_house(panel, row.id, "ended_by_admin")
    assert (await softphone.redeem(code)).json()["error"] == "invalid_grant"
    async with house_work(panel.store) as session:
        assert (await session.scalars(sa.select(Token))).all() == []


async def test_as_herself_opal_gets_what_she_always_gets(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Opal", "Bakery", "202")
    opal = await panel.sign_in("Opal")
    await become(panel, opal, "Opal", "Bea")
    tokens = await code_in(softphone, await answer_with(opal, await softphone.ask(opal), "myself"))
    claims = await softphone.read(str(tokens["access_token"]))
    # Her binding counts, as in each of her own logins, and it may be refreshed.
    assert (claims["name"], claims["stand_in"]["kind"], claims["act"]["name"]) == ("Ben Bond", "binding", "Opal Orr")
    assert "refresh_token" in tokens


async def test_as_herself_pia_is_pia(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    row = await become(panel, pia, "Pia", "Dan")
    tokens = await code_in(softphone, await answer_with(pia, await softphone.ask(pia), "myself"))
    claims = await softphone.read(str(tokens["access_token"]))
    assert (claims["name"], claims["extension"]) == ("Pia Pine", "100")
    assert "act" not in claims
    await end_as_house(panel, row, "stopped")
    assert (await softphone.renew(str(tokens["refresh_token"]))).status_code == 200


async def test_as_herself_a_stale_binding_is_told_and_led_on_from(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Pine", "101", ends_at=panel.clock.now.replace(hour=10))
    panel.clock.pass_(hours=2)
    pia = await panel.sign_in("Pia")
    await become(panel, pia, "Pia", "Dan")
    page = await answer_with(pia, await softphone.ask(pia), "myself")
    assert 'data-notice="stale"' in page.text
    tokens = await code_in(softphone, await answer_with(pia, page, "myself"))
    assert (await softphone.read(str(tokens["access_token"])))["name"] == "Pia Pine"


async def test_as_herself_without_an_extension_opal_meets_the_usual_page(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    page = await answer_with(opal, await softphone.ask(opal), "myself")
    assert "No extension for this app" in page.text
    # Binding outlives the impersonation: it is not offered now.
    assert "Bind me" not in page.text


async def test_as_herself_pia_chooses_among_her_extensions(panel: Panel, softphone: Client) -> None:
    async with house_work(panel.store, panel.clock.now) as session:
        system = await session.get_one(PhoneSystem, panel.cast.phone_system_id("Pine"))
        pia = await find_membership(session, panel.cast.membership_id("Pia"))
        line = await Extension.create(session, system, "109", panel.clock.now, membership=pia)
        product = await session.get_one(Product, panel.cast.product_id("Softphone"))
        await Licence.grant(session, line, product, panel.clock.now)
        chosen = str(line.id)
    browser = await panel.sign_in("Pia")
    await become(panel, browser, "Pia", "Dan")
    page = await answer_with(browser, await softphone.ask(browser), "myself")
    assert 'data-notice="choose"' in page.text
    tokens = await code_in(softphone, await answer_with(browser, page, "myself", extension=chosen))
    assert (await softphone.read(str(tokens["access_token"])))["extension"] == "109"


@pytest.mark.parametrize("said", [{"as": "subject"}, {"choice": "subject"}, {"choice": "myself"}, {"_acting": "1"}])
async def test_an_app_cannot_choose_by_its_address(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient, said: dict[str, str]
) -> None:
    page = await softphone.ask(opal, **said)
    assert 'data-notice="continue"' in page.text
    posted = await opal.post("/oauth/authorize", data=softphone.fields(**said), headers={"Origin": ISSUER})
    assert posted.headers["location"].startswith("/oauth/authorize?")
    assert (await answer_with(opal, page, "subject")).status_code == 303


async def test_a_form_from_elsewhere_or_of_another_tab_chooses_nothing(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    page = await softphone.ask(opal)
    bare = softphone.fields() | {"choice": "subject"}
    assert (await opal.post(CONTINUE, data=bare, headers={"Origin": ISSUER})).status_code in {403, 409}
    (row,) = await impersonations(panel)
    acting = {"_acting": f"{panel.cast.membership_id('Bea')}-{row.id}"}
    assert (await opal.post(CONTINUE, data=bare | acting, headers={"Origin": ISSUER})).status_code == 403
    assert (await answer_with(opal, page, "subject", _csrf_token="x")).status_code == 403
    assert (await answer_with(opal, page, "subject", _acting="1")).status_code == 409
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    elsewhere = {"Origin": "http://softphone.localhost:8001", "Sec-Fetch-Site": "cross-site"}
    forged = await opal.post(CONTINUE, data=hidden | {"choice": "subject"}, headers=elsewhere)
    assert forged.status_code == 403
    assert await logins(panel) == []


async def test_after_the_stop_the_page_of_before_gives_nothing(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    page = await softphone.ask(opal)
    (row,) = await impersonations(panel)
    await end_as_house(panel, row.id, "stopped")
    assert (await answer_with(opal, page, "subject")).status_code == 409
    assert await logins(panel) == []


async def test_c19_a_silent_check_never_passes_while_opal_is_bea(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Opal", "Bakery", "202")
    browser = await panel.sign_in("Opal")
    hers = await softphone.log_in(browser)
    await become(panel, browser, "Opal", "Bea")
    hint = hers.answer["id_token"]
    for said in ({}, {"id_token_hint": hint}, {"choice": "subject"}, {"max_age": "1"}):
        assert told(await softphone.ask(browser, prompt="none", **said))["error"] == "login_required"
    # What she had stays hers.
    assert (await softphone.introspect(hers.access))["name"] == "Ben Bond"
    assert (await softphone.renew(hers.refresh)).status_code == 200


async def test_t38_after_continuing_as_bea_no_silent_check_turns_her_into_somebody_else(
    panel: Panel, softphone: Client
) -> None:
    pia = await panel.sign_in("Pia")
    row = await become(panel, pia, "Pia", "Dan")
    as_dan = await code_in(softphone, await answer_with(pia, await softphone.ask(pia), "subject"))
    await end_as_house(panel, row, "stopped")
    assert told(await softphone.ask(pia, prompt="none"))["error"] == "login_required"
    await read_that_it_is_over(pia)
    for said in ({}, {"id_token_hint": str(as_dan["id_token"])}):
        assert told(await softphone.ask(pia, prompt="none", **said))["error"] == "login_required"
    assert (await softphone.log_in(pia)).claims["name"] == "Pia Pine"
    assert "code" in told(await softphone.ask(pia, prompt="none"))


async def test_a_tab_opened_by_a_hand_off_leaves_the_silent_check_of_her_own_login_alone(
    panel: Panel, softphone: Client
) -> None:
    pia = await panel.sign_in("Pia")
    own = await softphone.log_in(pia)
    opened = await open_as(panel, "Pia", "Dan", sign_in=await sign_in_of(panel, pia))
    await taken(softphone, opened)
    silent = {"prompt": "none", "id_token_hint": str(own.answer["id_token"])}
    assert "code" in told(await softphone.ask(pia, **silent))


async def test_a_look_may_open_an_app_and_the_app_is_told_that_it_is_a_look(panel: Panel, softphone: Client) -> None:
    browser = await panel.sign_in("Opal")
    await become(panel, browser, "Opal", "Bea", mode="look")
    tokens = await code_in(softphone, await answer_with(browser, await softphone.ask(browser), "subject"))
    claims = await softphone.read(str(tokens["access_token"]))
    assert (claims["name"], claims["stand_in"]["mode"]) == ("Bea Bell", "look")


async def test_what_bea_cannot_open_opal_cannot_open_as_her(panel: Panel, desk_admin: Client) -> None:
    browser = await panel.sign_in("Opal")
    await become(panel, browser, "Opal", "Ben", at="Bakery")
    page = await answer_with(browser, await desk_admin.ask(browser), "subject")
    assert 'data-notice="not_admin"' in page.text
    assert "Ben Bond" in page.text
    async with house_work(panel.store) as session:
        (refused,) = await session.scalars(sa.select(Entry).where(Entry.verb == Verb.LOGIN_REFUSED))
    assert (refused.actor_name, refused.subject_name, refused.details["rule"]) == ("Opal Orr", "Ben Bond", "not_admin")


async def test_who_is_asked_for_a_fresh_proof_is_opal(panel: Panel, softphone: Client, opal: httpx.AsyncClient) -> None:
    """T39: `prompt=login` and `max_age` are about the actor."""
    asked = await softphone.ask(opal, prompt="login")
    assert asked.headers["location"].startswith("/prove?next=%2Foauth%2Fauthorize")
    panel.clock.pass_(minutes=1)
    asked = await softphone.ask(opal, max_age="30")
    form = await opal.get(asked.headers["location"])
    assert form.status_code == 200
    assert "again, Opal Orr." in form.text
    assert 'data-stand-in="impersonation"' in form.text
    assert "bea@bakery.example" not in form.text.partition("<main")[2]
    hidden = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form.text)}
    proved = await opal.post("/prove", data=hidden | {"password": PASSWORD}, headers={"Origin": ISSUER})
    assert proved.status_code == 303, proved.text
    page = await opal.get(proved.headers["location"])
    assert 'data-notice="continue"' in page.text
    tokens = await code_in(softphone, await answer_with(opal, page, "subject"))
    claims = await softphone.read(str(tokens["access_token"]))
    assert claims["auth_time"] == int(panel.clock.now.timestamp())
    async with house_work(panel.store) as session:
        (proof,) = await session.scalars(sa.select(Entry).where(Entry.verb == Verb.PROVED))
        bea = await session.get_one(User, panel.cast.user("Bea").id)
    assert (proof.actor_name, proof.subject_name, bea.last_sign_in_at) == ("Opal Orr", None, None)


async def test_a_wrong_password_is_counted_for_opal(panel: Panel, softphone: Client, opal: httpx.AsyncClient) -> None:
    form = await opal.get((await softphone.ask(opal, prompt="login")).headers["location"])
    hidden = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form.text)}
    wrong = await opal.post("/prove", data=hidden | {"password": "wrong"}, headers={"Origin": ISSUER})
    assert (wrong.status_code, "not your password" in wrong.text) == (422, True)
    async with house_work(panel.store) as session:
        told = list(await session.scalars(sa.select(Entry).order_by(Entry.id.desc()).limit(1)))
    assert "Bea" not in str(told[0].to_dict())


async def test_when_it_has_ended_a_page_says_so_before_anybody_is_logged_in(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    panel.clock.pass_(minutes=20)
    page = await softphone.ask(opal)
    assert page.status_code == 409
    assert "has ended" in page.text
    assert told(await softphone.ask(opal, prompt="none"))["error"] == "login_required"
    onward = await read_that_it_is_over(opal, page)
    assert onward.startswith("/oauth/authorize?")
    again = await opal.get(onward)
    assert "No extension for this app" in again.text
    assert await logins(panel) == []


async def test_logging_out_at_the_app_ends_that_login_and_not_the_panels_impersonation(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    tokens = await code_in(softphone, await answer_with(opal, await softphone.ask(opal), "subject"))
    await opal.get(f"/oauth/logout?{urlencode({'id_token_hint': str(tokens['id_token'])})}")
    assert await softphone.introspect(str(tokens["access_token"])) == {"active": False}
    (row,) = await impersonations(panel)
    assert (await the_row(panel, row.id)).ended_at is None
    assert 'data-stand-in="impersonation"' in (await opal.get("/home", headers={"Accept": "text/html"})).text


async def test_giving_its_token_back_ends_that_login_alone(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    token = str(
        (await code_in(softphone, await answer_with(opal, await softphone.ask(opal), "subject")))["access_token"]
    )
    await softphone.post("/oauth/revoke", token=token)
    assert await softphone.introspect(token) == {"active": False}
    (row,) = await impersonations(panel)
    assert row.ended_at is None


async def test_logging_out_works_while_nobody_has_read_that_it_ended(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    tokens = await code_in(softphone, await answer_with(opal, await softphone.ask(opal), "subject"))
    panel.clock.pass_(minutes=20)
    out = await opal.get(f"/oauth/logout?{urlencode({'id_token_hint': str(tokens['id_token'])})}")
    assert 'data-notice="logged-out"' in out.text


async def test_an_access_through_it_is_told_under_both_names(
    panel: Panel, softphone: Client, opal: httpx.AsyncClient
) -> None:
    await code_in(softphone, await answer_with(opal, await softphone.ask(opal), "subject"))
    (row,) = await impersonations(panel)
    (login,) = await logins(panel)
    assert (login.actor_name, login.subject_name, login.via) == ("Opal Orr", "Bea Bell", "impersonation")
    assert login.stand_in_id == row.id


async def read_that_it_is_over(browser: httpx.AsyncClient, page: httpx.Response | None = None) -> str:
    """Press the button of the page that says so; where that leads."""
    page = page or await browser.get("/users", headers={"Accept": "text/html"})
    hidden = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page.text)}
    answer = await browser.post("/impersonations/over", data=hidden, headers={"Origin": ISSUER})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def impersonations(panel: Panel) -> list[Impersonation]:
    async with house_work(panel.store) as session:
        return list(await session.scalars(sa.select(Impersonation)))


async def logins(panel: Panel) -> list[Entry]:
    async with house_work(panel.store) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == Verb.LOGGED_IN)))
