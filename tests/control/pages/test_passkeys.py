"""Passkeys: added, used instead of a password, after one, and as a proof; refused when something is not right."""

import asyncio
import json

import pytest
import sqlalchemy as sa

from control.cast import PASSWORD
from tenants.passkeys import Passkey
from tenants.people import User
from tenants.sign_in import SignIn
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.authenticator import Device
from tests.cast import house_work
from tests.conftest import BACKENDS
from tests.control.pages.factors import add_passkey, half_way, options_of, set_up_app
from tests.control.pages.visit import Panel, Visit, words

PIA = "pia@pine.example"
STEP = "/sign-in/second-factor"
ALONE = "/sign-in/passkey"

ON_BOTH = pytest.mark.parametrize("backend", BACKENDS, indirect=True)
"""Where two come at once, both databases are asked; else one is enough."""


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Which database a story runs on."""
    return str(getattr(request, "param", "sqlite"))


async def entries(panel: Panel, verb: Verb) -> list[Entry]:
    async with house_work(panel.store) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb.value)))


async def methods(panel: Panel) -> str:
    async with house_work(panel.store) as session:
        return str((await session.scalars(sa.select(SignIn.methods).order_by(SignIn.id.desc()).limit(1))).one())


async def has_factor(panel: Panel, name: str) -> bool:
    async with house_work(panel.store) as session:
        return (await session.get_one(User, panel.cast.user(name).id)).second_factor


async def with_passkey(panel: Panel, name: str, **made: bool) -> tuple[Visit, Device]:
    """Somebody who has one."""
    visit, device = await panel.visit(name), Device(**made)
    await add_passkey(visit, device)
    return visit, device


async def at_sign_in(panel: Panel, device: Device) -> tuple[Visit, str]:
    """A browser at the sign-in page, and what the device answers there."""
    browser = panel.stranger()
    await browser.open("/sign-in", next="/users")
    return browser, device.get(options_of(browser, ALONE))


@ON_BOTH
async def test_pia_adds_a_passkey_and_signs_in_with_it_alone(panel: Panel) -> None:
    pia, device = await with_passkey(panel, "Pia")
    assert "Laptop" in (await pia.open("/account/passkeys")).text
    assert await has_factor(panel, "Pia")
    browser, answer = await at_sign_in(panel, device)
    let_in = await browser.send(ALONE, {"credential": answer, "next": browser.hidden("next")})
    assert (let_in.headers["location"], await methods(panel)) == ("/users", "hwk mfa")
    assert "Pia Pine" in words(await browser.follow(let_in))
    assert [entry.record_name for entry in await entries(panel, Verb.PASSKEY_ADDED)] == ["Laptop"]


async def test_a_synced_one_says_so(panel: Panel) -> None:
    _, device = await with_passkey(panel, "Pia", synced=True)
    for _ in range(2):
        browser, answer = await at_sign_in(panel, device)
        assert (await browser.send(ALONE, {"credential": answer})).status_code == 303
    assert await methods(panel) == "swk mfa"


async def test_the_page_names_nobody_and_asks_for_the_users_verification(panel: Panel) -> None:
    pia, _ = await with_passkey(panel, "Pia")
    browser = panel.stranger()
    await browser.open("/sign-in")
    asked = json.loads(options_of(browser, ALONE))
    assert (asked["rpId"], asked["userVerification"], asked["allowCredentials"]) == ("localhost", "required", [])
    await pia.open("/account/passkeys")
    new = json.loads(options_of(pia, "/account/passkeys"))
    assert new["authenticatorSelection"]["residentKey"] == "required"
    assert PIA not in new["user"]["id"]
    assert len(new["excludeCredentials"]) == 1


async def test_a_password_then_the_passkey(panel: Panel) -> None:
    _, device = await with_passkey(panel, "Pia")
    browser = await half_way(panel, PIA)
    action = f"{STEP}/passkey"
    answer = await browser.send(action, {"credential": device.get(options_of(browser, action))})
    assert (answer.status_code, await methods(panel)) == (303, "pwd hwk")


async def test_the_passkey_as_a_proof(panel: Panel) -> None:
    pia, device = await with_passkey(panel, "Pia")
    panel.clock.pass_(minutes=20)
    await pia.open("/prove", next="/users")
    fields = {"credential": device.get(options_of(pia, "/prove/passkey")), "next": pia.hidden("next")}
    assert (await pia.send("/prove/passkey", fields)).headers["location"] == "/users"
    await pia.open("/account")
    made = await pia.send("/account/api-keys", {"label": "x", "scopes": "read", "days": "9"})
    assert made.status_code == 200


@ON_BOTH
async def test_an_answer_is_good_once_for_one_thing_in_one_browser(panel: Panel) -> None:
    pia, device = await with_passkey(panel, "Pia")
    browser, answer = await at_sign_in(panel, device)
    thief = panel.stranger()
    await thief.open("/sign-in")
    assert (await thief.send(ALONE, {"credential": answer})).status_code == 410
    await pia.open("/prove")
    assert (await pia.send("/prove/passkey", {"credential": answer})).status_code == 410
    twice = await asyncio.gather(*(browser.send(ALONE, {"credential": answer}) for _ in range(4)))
    assert sorted(each.status_code for each in twice) == [303, 410, 410, 410]


async def test_after_five_minutes_one_tries_again(panel: Panel) -> None:
    _, device = await with_passkey(panel, "Pia")
    browser, answer = await at_sign_in(panel, device)
    panel.clock.pass_(minutes=5)
    late = await browser.send(ALONE, {"credential": answer})
    assert (late.status_code, browser.secret) == (410, None)
    assert "This took too long. Try again." in words(late)


@pytest.mark.parametrize("wrong", ["origin", "key", "handle", "verified", "unknown"])
async def test_an_answer_that_is_not_right_lets_nobody_in(panel: Panel, wrong: str) -> None:
    _, device = await with_passkey(panel, "Pia")
    match wrong:
        case "origin":
            device.origin = "https://evil.example"
        case "key":
            device.key = Device().key
        case "handle":
            device.handle = b"somebody else"
        case "verified":
            device.verifies = False
        case _:
            device.id = Device().id
    browser, answer = await at_sign_in(panel, device)
    refused = await browser.send(ALONE, {"credential": answer})
    assert (refused.status_code, browser.secret) == (422, None)
    assert len(await entries(panel, Verb.SIGN_IN_FAILED)) == 1


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", '"x"', '{"id": 1, "response": {"clientDataJSON": "e30"}}', "x" * 30_000]
)
async def test_nonsense_is_refused_in_plain_words(panel: Panel, answer: str) -> None:
    browser = panel.stranger()
    await browser.open("/sign-in")
    refused = await browser.send(ALONE, {"credential": answer})
    assert (refused.status_code, "This passkey could not be checked." in words(refused)) == (422, True)


@ON_BOTH
async def test_a_counter_that_goes_back_is_refused_and_written_down(panel: Panel) -> None:
    _, device = await with_passkey(panel, "Pia")
    for _ in range(3):
        browser, answer = await at_sign_in(panel, device)
        await browser.send(ALONE, {"credential": answer})
    device.count = 1
    browser, answer = await at_sign_in(panel, device)
    refused = await browser.send(ALONE, {"credential": answer})
    assert (refused.status_code, browser.secret) == (422, None)
    assert "there may be a copy of it" in words(refused)
    assert [entry.record_name for entry in await entries(panel, Verb.PASSKEY_REFUSED)] == ["Laptop"]


async def test_dans_passkey_is_no_second_step_for_pia(panel: Panel) -> None:
    await with_passkey(panel, "Pia")
    _, dans = await with_passkey(panel, "Dan")
    browser = await half_way(panel, PIA)
    action = f"{STEP}/passkey"
    refused = await browser.send(action, {"credential": dans.get(options_of(browser, action))})
    assert (refused.status_code, browser.secret) == (422, None)


async def test_renamed_removed_and_dead(panel: Panel) -> None:
    pia, device = await with_passkey(panel, "Pia")
    await set_up_app(pia)
    async with house_work(panel.store) as session:
        own = f"/account/passkeys/{(await session.scalars(sa.select(Passkey.id))).one()}"
    await pia.open("/account/passkeys")
    assert (await pia.send(f"{own}/rename", {"name": "Work laptop"})).status_code == 303
    assert (await pia.send(f"{own}/rename", {"name": ""})).status_code == 422
    assert "Work laptop" in words(await pia.open(f"{own}/remove"))
    nora = await panel.visit("Ada")
    assert (await nora.send(f"{own}/remove")).status_code == 404
    assert (await pia.send(f"{own}/remove")).status_code == 303
    browser, answer = await at_sign_in(panel, device)
    assert (await browser.send(ALONE, {"credential": answer})).status_code == 422
    assert await has_factor(panel, "Pia")
    assert (await pia.send(f"{own}/remove")).status_code == 404


async def test_one_passkey_is_kept_once(panel: Panel) -> None:
    pia, device = await with_passkey(panel, "Pia")
    await pia.open("/account/passkeys")
    credential = device.create(options_of(pia, "/account/passkeys"))
    again = await pia.send("/account/passkeys", {"credential": credential, "name": "Twice"})
    assert (again.status_code, "This passkey is set up already." in words(again)) == (409, True)
    dan = await panel.visit("Dan", "/account/passkeys")
    theirs = device.create(options_of(dan, "/account/passkeys"))
    assert (await dan.send("/account/passkeys", {"credential": theirs, "name": "Mine now"})).status_code == 409


async def test_without_the_script_the_password_way_is_whole(panel: Panel) -> None:
    browser = panel.stranger()
    page = await browser.open("/sign-in")
    assert 'data-passkey="get"' in page.text
    assert "data-waiting hidden>" in page.text
    assert (await browser.send("/sign-in", {"email": PIA, "password": PASSWORD})).status_code == 303
