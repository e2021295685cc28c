"""Second factors: set up, asked for at the sign-in, taken away; and who must have one."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from control.cast import PASSWORD
from tenants.actor import Actor
from tenants.email_changes import EmailChange
from tenants.letters import Letter
from tenants.people import Membership, User
from tenants.roles import Role
from tenants.second_factors import CODES, Totp
from tenants.sign_in import FAILURES_OF_PAIR, SignIn
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import house_work, work_as
from tests.conftest import BACKENDS
from tests.control.pages.factors import OWN, another_code, code_of, half_way, set_up_app
from tests.control.pages.visit import Panel, Visit, words

PIA = "pia@pine.example"
STEP = "/sign-in/second-factor"

ON_BOTH = pytest.mark.parametrize("backend", BACKENDS, indirect=True)
"""Where two come at once, both databases are asked; else one is enough."""


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Which database a story runs on."""
    return str(getattr(request, "param", "sqlite"))


async def person(panel: Panel, name: str) -> User:
    async with house_work(panel.store) as session:
        return await session.get_one(User, panel.cast.user(name).id)


async def entries(panel: Panel, *verbs: Verb) -> list[Entry]:
    async with house_work(panel.store) as session:
        wanted = sa.select(Entry).where(Entry.verb.in_([verb.value for verb in verbs])).order_by(Entry.id)
        return list(await session.scalars(wanted))


async def letters(panel: Panel) -> list[str]:
    async with house_work(panel.store) as session:
        return list(await session.scalars(sa.select(Letter.kind).order_by(Letter.id)))


async def methods(panel: Panel, name: str) -> str:
    async with house_work(panel.store) as session:
        theirs = sa.select(SignIn.methods).where(SignIn.user_id == panel.cast.user(name).id).order_by(SignIn.id.desc())
        return str((await session.scalars(theirs.limit(1))).one())


async def asks_for_factors(panel: Panel, place: str) -> None:
    """The organization asks its admins and operators for a second factor."""
    async with house_work(panel.store) as session:
        await (await session.get_one(Tenant, panel.cast.tenant(place).id)).change(session, policy_require_factor=1)


@ON_BOTH
async def test_pia_sets_up_an_app_and_signs_in_with_its_code(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    key, codes = await set_up_app(pia)
    assert (len(set(codes)), (await person(panel, "Pia")).second_factor) == (CODES, True)
    assert (await letters(panel), await methods(panel, "Pia")) == (["factor_added"], "pwd otp")
    browser = await half_way(panel, PIA, wanted="/users")
    assert 'autocomplete="one-time-code"' in browser.shown.text
    assert (await browser.open("/users")).headers["location"].startswith("/sign-in")
    await browser.open(STEP, next="/users")
    answer = await browser.send(STEP, {"code": another_code(panel, key), "next": browser.hidden("next")})
    assert answer.headers["location"] == "/users"
    assert "Pia Pine" in words(await browser.follow(answer))
    assert await methods(panel, "Pia") == "pwd otp"
    told = await entries(panel, Verb.TOTP_PREPARED, Verb.TOTP_ADDED, Verb.SECOND_FACTOR_ON)
    assert [entry.changes.get("sealed") for entry in told] == ["changed", None, None]
    assert not any(key in str(entry.leaf) for entry in told)


async def test_the_secret_is_kept_sealed(panel: Panel) -> None:
    key, codes = await set_up_app(await panel.visit("Pia"))
    async with house_work(panel.store) as session:
        totp = (await session.scalars(sa.select(Totp))).one()
        hashes = (await session.execute(sa.text("SELECT code_hash FROM recovery_codes"))).scalars().all()
    assert key not in totp.sealed
    assert not set(codes) & set(hashes)


async def test_the_set_up_page_is_a_picture_and_a_text_and_a_wrong_code_turns_nothing_on(panel: Panel) -> None:
    pia = await panel.visit("Pia", OWN)
    await pia.follow(await pia.send(f"{OWN}/app"))
    assert 'src="data:image/svg+xml' in pia.shown.text
    assert pia.shown.headers["cache-control"] == "no-store"
    wrong = await pia.send(f"{OWN}/app/confirm", {"code": "000000"})
    assert (wrong.status_code, "This code is not right" in words(wrong)) == (422, True)
    assert not (await person(panel, "Pia")).second_factor
    assert (await panel.stranger().sign_in(PIA)).headers["location"] == "/"


async def test_setting_it_up_ends_every_other_sign_in(panel: Panel) -> None:
    elsewhere, pia = await panel.visit("Pia"), await panel.visit("Pia")
    before = pia.secret
    await set_up_app(pia)
    assert (await elsewhere.open("/account")).status_code == 303
    assert (await pia.open("/account")).status_code == 200
    assert pia.secret != before


async def test_a_wrong_code_an_old_one_and_one_of_another_app_are_refused(panel: Panel) -> None:
    key, _ = await set_up_app(await panel.visit("Pia"))
    other, _ = await set_up_app(await panel.visit("Dan"))
    used, browser = code_of(key, panel.clock.now), await half_way(panel, PIA)
    old = code_of(key, panel.clock.now - timedelta(minutes=5))
    for code in (used, old, another_code(panel, other), "", "12345", "x" * 500, "１２３４５６"):
        answer = await browser.send(STEP, {"code": code})
        assert (answer.status_code, browser.secret) == (422, None)
    assert (await browser.send(STEP, {"code": code_of(key, panel.clock.now)})).status_code == 303


@pytest.mark.parametrize("seconds", [-30, 30])
async def test_a_clock_that_is_a_little_off_does_no_harm(panel: Panel, seconds: int) -> None:
    key, _ = await set_up_app(await panel.visit("Pia"))
    browser = await half_way(panel, PIA)
    panel.clock.pass_(minutes=2)
    code = code_of(key, panel.clock.now + timedelta(seconds=seconds))
    assert (await browser.send(STEP, {"code": f"{code[:3]} {code[3:]}"})).status_code == 303


@ON_BOTH
async def test_of_the_same_code_twice_at_once_one_passes(panel: Panel) -> None:
    key, _ = await set_up_app(await panel.visit("Pia"))
    async with house_work(panel.store) as session:
        totp = (await session.scalars(sa.select(Totp))).one()
    code, now, secret_key = another_code(panel, key), panel.clock.now, panel.app.state.house.settings.secret_key

    async def spend() -> bool:
        async with house_work(panel.store, now) as session:
            return await totp.accept(session, secret_key, code, now)

    assert sorted(await asyncio.gather(*(spend() for _ in range(8)))) == [False] * 7 + [True]


@ON_BOTH
async def test_a_recovery_code_passes_once_even_at_once(panel: Panel) -> None:
    _, codes = await set_up_app(await panel.visit("Pia"))
    browsers = [await half_way(panel, PIA)]
    # Of one person only the newest half-done sign-in is good: all go with the same one.
    for _ in range(4):
        browser = panel.stranger()
        browser.http.cookies.update(browsers[0].http.cookies)
        browser.page = browsers[0].page
        browsers.append(browser)
    answers = await asyncio.gather(*(each.send(STEP, {"code": codes[0].upper()}) for each in browsers))
    let_in = [answer for answer in answers if answer.headers.get("location") == "/"]
    assert len(let_in) == 1
    again = await half_way(panel, PIA)
    assert (await again.send(STEP, {"code": codes[0]})).status_code == 422
    assert [entry.details["left"] for entry in await entries(panel, Verb.RECOVERY_CODE_USED)] == [CODES - 1]


async def test_few_codes_left_is_said_and_new_ones_end_the_old(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    _, codes = await set_up_app(pia)
    assert "Make new ones." not in words(await pia.open(OWN)).replace("codes left. Each", "")
    for code in codes[: CODES - 3]:
        assert (await (await half_way(panel, PIA)).send(STEP, {"code": code})).status_code == 303
    await pia.open("/prove")
    await pia.open(OWN)
    assert "You have 3 recovery codes left. Make new ones." in words(pia.shown)
    made = await pia.send(f"{OWN}/codes")
    assert codes[-1] not in made.text
    assert (await (await half_way(panel, PIA)).send(STEP, {"code": codes[-1]})).status_code == 422


async def test_guessing_codes_is_held_back_and_does_not_lock_pia_out_elsewhere(panel: Panel) -> None:
    key, _ = await set_up_app(await panel.visit("Pia"))
    thief = panel.stranger("198.51.100.9")
    await thief.follow(await thief.sign_in(PIA))
    for _ in range(FAILURES_OF_PAIR):
        assert (await thief.send(STEP, {"code": "000000"})).status_code == 422
    held = await thief.send(STEP, {"code": code_of(key, panel.clock.now)})
    assert (held.status_code, held.headers["retry-after"]) == (429, "900")
    pia = await half_way(panel, PIA)
    assert (await pia.send(STEP, {"code": another_code(panel, key)})).status_code == 303
    assert len(await entries(panel, Verb.SIGN_IN_THROTTLED)) == 1


async def test_strangers_everywhere_cannot_go_on_guessing_codes(panel: Panel) -> None:
    await set_up_app(await panel.visit("Pia"))
    status = 0
    for number in range(3):
        thief = panel.stranger(f"198.51.100.{number}")
        await thief.follow(await thief.sign_in(PIA))
        for _ in range(FAILURES_OF_PAIR - 1):
            status = (await thief.send(STEP, {"code": "000000"})).status_code
    assert status == 429


async def test_the_second_step_is_this_browsers_and_five_minutes_long(panel: Panel) -> None:
    key, _ = await set_up_app(await panel.visit("Pia"))
    browser = await half_way(panel, PIA)
    stranger = panel.stranger()
    await stranger.open("/sign-in")
    assert (await stranger.send(STEP, {"code": another_code(panel, key)})).headers["location"] == "/sign-in"
    panel.clock.pass_(minutes=5)
    late = await browser.send(STEP, {"code": code_of(key, panel.clock.now)})
    assert (late.headers["location"], browser.secret) == ("/sign-in", None)
    assert "That took too long. Sign in again." in words(await browser.follow(late))


async def test_a_password_that_changed_meanwhile_is_asked_for_again(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    key, _ = await set_up_app(pia)
    browser = await half_way(panel, PIA)
    await pia.open("/account")
    changed = {"current": PASSWORD, "password": "another long password"}
    assert (await pia.send("/account/password", changed)).status_code == 303
    late = await browser.send(STEP, {"code": another_code(panel, key)})
    assert (late.headers["location"], browser.secret) == ("/sign-in", None)


async def test_removing_it_asks_for_a_proof_and_the_password_alone_signs_in_again(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    key, codes = await set_up_app(pia)
    panel.clock.pass_(minutes=16)
    await pia.open(OWN)
    asked = await pia.send(f"{OWN}/app/remove")
    assert asked.headers["location"] == "/prove?next=%2Faccount%2Fsecond-factor%2Fapp%2Fremove"
    await pia.follow(asked)
    only_password = await pia.send("/prove", {"password": PASSWORD, "next": pia.hidden("next")})
    assert (only_password.status_code, "This code is not right" in words(only_password)) == (422, True)
    proof = {"password": PASSWORD, "code": code_of(key, panel.clock.now), "next": pia.hidden("next")}
    await pia.follow(await pia.send("/prove", proof))
    assert "It is your only second factor" in words(pia.shown)
    await pia.follow(await pia.send(f"{OWN}/app/remove"))
    assert not (await person(panel, "Pia")).second_factor
    assert (await panel.stranger().sign_in(PIA)).headers["location"] == "/"
    assert (await letters(panel))[-1] == "factor_removed"
    assert codes[0] not in pia.shown.text


async def test_an_organization_that_asks_for_one_keeps_the_last(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    await set_up_app(pia)
    await asks_for_factors(panel, "Pine")
    await pia.open(OWN)
    kept = await pia.send(f"{OWN}/app/remove")
    assert (kept.status_code, (await person(panel, "Pia")).second_factor) == (403, True)
    assert "Pine asks its admins and operators for a second factor." in words(kept)


async def test_who_should_have_one_and_has_none_reaches_only_the_way_to_it(panel: Panel) -> None:
    await asks_for_factors(panel, "Acme")
    pia = await panel.visit("Pia", "/account")
    assert pia.shown.status_code == 200
    for path in ("/", "/users", "/history", "/companies", f"/users/{panel.cast.user('Dan').id}"):
        assert (await pia.open(path)).headers["location"] == OWN
    await pia.open("/account")
    made = await pia.send("/account/api-keys", {"label": "x", "scopes": "read", "days": "9"})
    assert made.headers["location"] == OWN
    assert "Pine asks its admins and operators for a second factor" in words(await pia.open(OWN))
    await set_up_app(pia)
    assert (await pia.open("/users")).status_code == 200
    for name in ("Pete", "Dan"):
        assert (await panel.visit(name, "/home")).shown.status_code == 200


async def test_a_key_of_somebody_who_should_have_one_opens_nothing(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    made = await pia.send("/account/api-keys", {"label": "x", "scopes": "read", "days": "9"})
    key = made.text.partition('id="new-api-key" readonly value="')[2].partition('"')[0]
    await asks_for_factors(panel, "Pine")
    answer = await me(panel, key)
    assert (answer.status_code, answer.json()["rule"]) == (403, "second_factor")
    assert "Set one up in the panel" in answer.json()["detail"]
    await set_up_app(pia)
    assert (await me(panel, key)).status_code == 200


async def me(panel: Panel, key: str) -> httpx.Response:
    return await panel.stranger().http.get("/api/v1/me", headers={"Authorization": f"Bearer {key}"})


async def test_c12_a_profile_that_asks_for_one_is_no_way_round(panel: Panel) -> None:
    """Ben is a member at Bakery, which asks for nothing, and an admin at Clinic, which does."""
    clinic = panel.cast.membership_id("Ben", at="Clinic")
    async with house_work(panel.store) as session:
        house = Actor.house("the story")
        await (await session.get_one(Membership, clinic)).change_role(session, house, Role.ADMIN, panel.clock.now)
    await asks_for_factors(panel, "Clinic")
    ben = await panel.visit("Ben", "/account/profiles", at="Bakery")
    assert (await ben.send("/account/profiles", {"membership": str(clinic)})).status_code == 303
    assert (await ben.open("/users")).headers["location"] == OWN
    await set_up_app(ben)
    assert (await ben.open("/users")).status_code == 200


async def test_a_company_that_asks_a_second_factor_of_who_stands_in(panel: Panel) -> None:
    """To have one is not enough: the sign-in must have used it, and a key never does."""
    async with house_work(panel.store) as session:
        dairy = await session.get_one(Tenant, panel.cast.tenant("Dairy").id)
        await dairy.change(session, policy_second_factor=1)
    pia = await panel.visit("Pia")
    dans = {"extension": str(panel.cast.extension("Dairy", "101").id)}
    own = f"/users/{panel.cast.user('Pia').id}/bindings"
    refused = await pia.send(own, dans)
    assert (refused.status_code, "Dairy asks that you use a second factor." in words(refused)) == (403, True)
    await set_up_app(pia)
    weak = await panel.visit("Pia")
    assert (await weak.send(own, dans)).status_code == 403
    await pia.open("/account")
    assert (await pia.send(own, dans)).status_code == 303


# Disable 2FA


def security_of(panel: Panel, name: str) -> str:
    return f"/users/{panel.cast.user(name).id}/security"


def checked(panel: Panel, name: str, **changed: str) -> dict[str, str]:
    """The form, filled in."""
    said = {"checked": "1", "reason": "Called back at the number we know", "address": panel.cast.user(name).email}
    return said | changed


async def locked_out(panel: Panel, name: str) -> Visit:
    visit = await panel.visit(name)
    await set_up_app(visit)
    return visit


@ON_BOTH
async def test_b17_olaf_lets_bea_back_in_and_she_sets_up_another(panel: Panel) -> None:
    bea = await locked_out(panel, "Bea")
    olaf = await panel.visit("Olaf", security_of(panel, "Bea"))
    assert "Authenticator app" in words(olaf.shown)
    await olaf.open(security_of(panel, "Bea") + "/disable")
    await olaf.follow(await olaf.send(security_of(panel, "Bea") + "/disable", checked(panel, "Bea")))
    assert "The second factors of Bea" in words(olaf.shown)
    assert (await bea.open("/account")).status_code == 303
    user = await person(panel, "Bea")
    assert (user.second_factor, user.factors_reset_at) == (False, panel.clock.now)
    [entry] = await entries(panel, Verb.FACTORS_RESET)
    assert (entry.actor_name, entry.reason) == ("Olaf Olsen", "Called back at the number we know")
    assert (await letters(panel))[-1] == "factors_reset"
    browser = panel.stranger()
    onward = await browser.sign_in("bea@bakery.example")
    assert onward.headers["location"] == f"{OWN}?next=%2Fhome"
    assert "Your second factors were taken away" in words(await browser.follow(onward))
    assert (await browser.send(f"{OWN}/later", {"next": "/home"})).headers["location"] == "/home"
    assert (await panel.stranger().sign_in("bea@bakery.example")).headers["location"] == "/home"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"checked": ""}, "Check first who is asking"),
        ({"reason": "trust me"}, "Say why in at least 10 characters."),
        ({"reason": ""}, "Say how you checked who is asking"),
        ({"address": "ben@bakery.example"}, "Type the address as it is shown."),
        ({"address": "x"}, "This is not an e-mail address."),
    ],
)
async def test_without_the_check_nothing_is_disabled(panel: Panel, changed: dict[str, str], sentence: str) -> None:
    await locked_out(panel, "Bea")
    olaf = await panel.visit("Olaf", security_of(panel, "Bea") + "/disable")
    answer = await olaf.send(security_of(panel, "Bea") + "/disable", checked(panel, "Bea", **changed))
    assert (answer.status_code, sentence in words(answer)) == (422, True)
    assert (await person(panel, "Bea")).second_factor


@pytest.mark.parametrize(
    ("who", "whom", "status"),
    [
        ("Clara", "Ben", 403),
        ("Elsa", "Bea", 404),
        ("Bruno", "Bea", 403),
        ("Opal", "Bea", 403),
        ("Boris", "Boris", 403),
        ("Pia", "Ada", 404),
    ],
)
async def test_only_who_is_above_everywhere_disables(panel: Panel, who: str, whom: str, status: int) -> None:
    """Clara is Ben's admin at Clinic, and a stranger to his home."""
    await locked_out(panel, whom)
    visit = await panel.visit(who)
    answer = await visit.send(security_of(panel, whom) + "/disable", checked(panel, whom))
    assert (answer.status_code, (await person(panel, whom)).second_factor) == (status, True)


async def test_an_old_proof_is_asked_for_again_before_disabling(panel: Panel) -> None:
    await locked_out(panel, "Bea")
    olaf = await panel.visit("Olaf")
    panel.clock.pass_(minutes=15)
    path = security_of(panel, "Bea") + "/disable"
    assert (await olaf.send(path, checked(panel, "Bea"))).headers["location"].startswith("/prove?next=")
    assert (await person(panel, "Bea")).second_factor


async def test_c5_while_her_address_is_being_changed_nobody_of_that_line_disables(panel: Panel) -> None:
    await locked_out(panel, "Bea")
    async with work_as(panel.store, panel.cast.actor("Boris"), panel.clock.now) as session:
        bea = await session.get_one(User, panel.cast.user("Bea").id)
        await EmailChange.ask(session, panel.cast.actor("Boris"), bea, "bea@elsewhere.example", panel.clock.now)
    for name in ("Boris", "Olaf", "Nora"):
        visit = await panel.visit(name, security_of(panel, "Bea"))
        assert "Another address for Bea" in words(visit.shown)
        refused = await visit.send(security_of(panel, "Bea") + "/disable", checked(panel, "Bea"))
        assert (refused.status_code, (await person(panel, "Bea")).second_factor) == (403, True)


async def test_b21_no_key_disables(panel: Panel) -> None:
    await locked_out(panel, "Bea")
    olaf = await panel.visit("Olaf")
    made = await olaf.send("/account/api-keys", {"label": "x", "scopes": "write", "days": "9"})
    key = made.text.partition('id="new-api-key" readonly value="')[2].partition('"')[0]
    path = f"/api/v1/users/{panel.cast.user('Bea').id}/second-factor"
    answer = await panel.stranger().http.delete(path, headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["rule"]) == (403, "proof")
    assert (await person(panel, "Bea")).second_factor
