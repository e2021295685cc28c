"""Signing in and out at the panel, as somebody at a browser does it."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from litestar import Response
from passlib.context import CryptContext

from bindings.login import Login
from control.cast import PASSWORD
from control.pages.parts.cookies import let_in, see_out
from tenants.people import Membership, User
from tenants.sign_in import FAILURES_OF_ACCOUNT, FAILURES_OF_PAIR, Attempt, SignIn, count_failure
from tenants.trail import Entry, record
from tenants.verbs import Verb
from tests.cast import bind, house_work
from tests.conftest import ON_BOTH
from tests.control.pages.visit import Panel, words

REFUSED = "That e-mail and password do not belong together."
CALLBACK = "http://softphone.localhost:8001/callback"


async def verbs_about(panel: Panel, verb: Verb) -> list[Entry]:
    async with house_work(panel.store) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb.value).order_by(Entry.id)))


async def test_pia_signs_in_and_starts_at_the_overview(panel: Panel) -> None:
    browser = panel.stranger()
    answer = await browser.sign_in("Pia@Pine.example ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Overview" in words(await browser.follow(answer))
    assert [entry.actor_name for entry in await verbs_about(panel, Verb.SIGNED_IN)] == ["Pia Pine"]


async def test_dan_who_sees_only_himself_starts_at_home(panel: Panel) -> None:
    browser = panel.stranger()
    answer = await browser.sign_in("dan@dairy.example")
    assert answer.headers["location"] == "/home"
    assert (await browser.open("/")).headers["location"] == "/home"


async def test_one_is_led_to_where_one_was_going(panel: Panel) -> None:
    browser = panel.stranger()
    turned_away = await browser.open("/users?q=dan")
    assert turned_away.headers["location"] == "/sign-in?next=%2Fusers%3Fq%3Ddan"
    answer = await browser.sign_in("pia@pine.example", wanted="/users?q=dan")
    assert answer.headers["location"] == "/users?q=dan"


@pytest.mark.parametrize("trick", ["//evil.example", "/\\evil.example", "https:evil.example", "/%2fevil.example"])
async def test_t13_nobody_is_led_out_of_the_panel(panel: Panel, trick: str) -> None:
    browser = panel.stranger()
    assert "evil.example" not in (await browser.open("/sign-in", next=trick)).text
    assert (await browser.sign_in("pia@pine.example", wanted=trick)).headers["location"] == "/"


async def discard(panel: Panel, name: str) -> None:
    """What Ada would have to ask North for; the story needs only the state."""
    async with house_work(panel.store) as session:
        user = await session.get_one(User, panel.cast.user(name).id)
        user.discarded_at = panel.clock.now
        record(session, Verb.USER_DISCARDED, user)


async def end_memberships(panel: Panel, name: str) -> None:
    async with house_work(panel.store) as session:
        theirs = sa.select(Membership).where(Membership.user_id == panel.cast.user(name).id)
        for membership in await session.scalars(theirs):
            membership.discarded_at = panel.clock.now
            record(session, Verb.MEMBERSHIP_DISCARDED, membership)


async def test_every_refusal_says_the_same(panel: Panel) -> None:
    await discard(panel, "Paul")
    await end_memberships(panel, "Pete")
    tries = [
        ("pia@pine.example", "not her password"),
        ("nobody@nowhere.example", PASSWORD),
        ("paul@pine.example", PASSWORD),
        ("pete@pine.example", PASSWORD),
        ("not an address", ""),
        ("", "x" * 5000),
    ]
    for email, password in tries:
        browser = panel.stranger()
        answer = await browser.sign_in(email, password)
        assert (answer.status_code, browser.secret) == (422, None)
        assert REFUSED in words(answer)
        assert password not in answer.text or not password


async def test_a_sign_in_form_from_elsewhere_is_refused(panel: Panel) -> None:
    browser = panel.stranger()
    await browser.open("/sign-in")
    typed = {"email": "pia@pine.example", "password": PASSWORD}
    assert (await browser.http.post("/sign-in", data=typed)).status_code == 403
    assert (await browser.http.post("/sign-in", data=typed | {"_csrf_token": "0" * 64})).status_code == 403
    assert (await browser.send("/sign-in", dict(typed), Origin="https://evil.example")).status_code == 403
    assert (await browser.send("/sign-in", dict(typed), Sec_Fetch_Site="cross-site")).status_code == 403
    stranger = panel.stranger()
    assert (await stranger.http.post("/sign-in", data=typed)).status_code == 403
    assert browser.secret is None


async def test_t30_a_cookie_planted_before_is_worth_nothing_after(panel: Panel) -> None:
    browser = panel.stranger()
    browser.secret = "planted by somebody else"
    await browser.sign_in("pia@pine.example")
    assert browser.secret not in {None, "planted by somebody else"}
    first = str(browser.secret)
    await browser.open("/prove")
    await browser.send("/prove", {"password": PASSWORD})
    assert browser.secret != first
    thief = panel.stranger()
    thief.secret = first
    assert (await thief.open("/account")).status_code == 303


async def test_the_cookie_is_kept_from_scripts_and_other_sites(panel: Panel) -> None:
    answer = await panel.stranger().sign_in("pia@pine.example")
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith(panel.cookie + "="))
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"} <= set(cookie.split("; "))


async def test_on_https_the_cookie_is_bound_to_the_host_and_can_be_taken_back(panel: Panel) -> None:
    house = panel.app.state.house
    house.settings = replace(house.settings, public_url="https://panel.example")
    answer = Response("")
    request: Any = SimpleNamespace(app=panel.app)
    let_in(request, answer, "secret")
    see_out(request, answer)
    given, taken = (cookie for cookie in answer.cookies if cookie.key == "__Host-understudy-sign-in")
    assert (given.secure, given.path, given.domain) == (True, "/", None)
    assert (taken.secure, taken.path, taken.max_age) == (True, "/", 0)


async def test_guessing_is_held_back_and_told_when_to_come_again(panel: Panel) -> None:
    browser = panel.stranger()
    for _ in range(FAILURES_OF_PAIR):
        assert (await browser.sign_in("pia@pine.example", "a guess")).status_code == 422
    held = await browser.sign_in("pia@pine.example")
    assert (held.status_code, held.headers["retry-after"], browser.secret) == (429, "900", None)
    assert "Too many failed sign-ins" in words(held)
    elsewhere = panel.stranger("198.51.100.9")
    assert (await elsewhere.sign_in("pia@pine.example")).status_code == 303
    panel.clock.pass_(minutes=20)
    assert (await browser.sign_in("pia@pine.example")).status_code == 303


async def test_c25_strangers_everywhere_do_not_lock_pia_out_where_she_was_before(panel: Panel) -> None:
    await panel.visit("Pia")
    async with house_work(panel.store, panel.clock.now) as session:
        pia = await session.get_one(User, panel.cast.user("Pia").id)
        for number in range(FAILURES_OF_ACCOUNT):
            attempt = Attempt.of("pia@pine.example", f"198.51.100.{number}")
            await count_failure(session, attempt, pia, panel.clock.now)
    assert (await panel.stranger("203.0.113.5").sign_in("pia@pine.example")).status_code == 429
    assert (await panel.stranger().sign_in("pia@pine.example")).status_code == 303


@ON_BOTH
async def test_guessing_in_parallel_is_counted_too(panel: Panel) -> None:
    browsers = [panel.stranger() for _ in range(8)]
    answers = await asyncio.gather(*(browser.sign_in("dan@dairy.example", "a guess") for browser in browsers))
    assert [answer.status_code for answer in answers] == [422] * 8
    assert len(await verbs_about(panel, Verb.SIGN_IN_FAILED)) == 1


async def test_a_weak_hash_is_replaced_when_its_password_is_known(panel: Panel) -> None:
    weak = CryptContext(schemes=["argon2"], argon2__memory_cost=1024, argon2__time_cost=1).hash(PASSWORD)
    async with house_work(panel.store) as session:
        user = await session.get_one(User, panel.cast.user("Pia").id)
        user.password_hash = weak
        record(session, Verb.PASSWORD_CHANGED, user)
    assert (await panel.stranger().sign_in("pia@pine.example")).status_code == 303
    async with house_work(panel.store) as session:
        stored = (await session.get_one(User, panel.cast.user("Pia").id)).password_hash
    assert stored not in {None, weak}
    assert len(await verbs_about(panel, Verb.PASSWORD_REHASHED)) == 1
    assert (await panel.stranger().sign_in("pia@pine.example")).status_code == 303


async def logins_of(panel: Panel) -> list[Login]:
    async with house_work(panel.store) as session:
        return list(await session.scalars(sa.select(Login).order_by(Login.created_at)))


async def open_softphone(panel: Panel, name: str, sign_in_id: int) -> None:
    """A login at the softphone made from a sign-in."""
    identity = panel.cast.identity(name)
    async with house_work(panel.store, panel.clock.now) as session:
        session.add(
            Login(
                id=f"{name}-{sign_in_id}".ljust(32, "0")[:32],
                app_id=panel.cast.app_id("softphone"),
                sign_in_id=sign_in_id,
                user_id=identity.user_id,
                actor_membership_id=identity.membership_id,
                subject_membership_id=identity.membership_id,
                tenant_id=identity.tenant_id,
                because="own",
                scope="openid",
                auth_time=panel.clock.now,
                methods=["pwd"],
                created_at=panel.clock.now,
            )
        )


async def newest_sign_in(panel: Panel) -> SignIn:
    async with house_work(panel.store) as session:
        return (await session.scalars(sa.select(SignIn).order_by(SignIn.id.desc()).limit(1))).one()


async def test_signing_out_ends_this_browser_and_its_apps(panel: Panel) -> None:
    here, there = await panel.visit("Pia"), await panel.visit("Pia")
    await open_softphone(panel, "Pia", (await newest_sign_in(panel)).id)
    answer = await there.send("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert (await there.open("/account")).status_code == 303
    assert (await here.open("/account")).status_code == 200
    assert [login.ended_cause for login in await logins_of(panel)] == ["signed_out"]
    assert len(await verbs_about(panel, Verb.SIGNED_OUT)) == 1


async def test_c21_dan_signs_out_everywhere_while_pia_is_bound_to_him(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    dan, elsewhere = await panel.visit("Dan"), await panel.visit("Dan")
    await open_softphone(panel, "Dan", (await newest_sign_in(panel)).id)
    assert (await dan.send("/sign-out/everywhere")).headers["location"] == "/sign-in"
    assert (await elsewhere.open("/account")).status_code == 303
    assert [login.ended_cause for login in await logins_of(panel)] == ["signed_out_everywhere"]
    pia = await panel.visit("Pia", "/bindings?state=ended")
    assert "Ended by the person themselves" in words(pia.shown)
    assert 'data-stand-in="binding"' not in pia.shown.text
    assert len(await verbs_about(panel, Verb.SIGNED_OUT_EVERYWHERE)) == 1


async def test_proving_again_keeps_the_apps_of_the_same_person(panel: Panel) -> None:
    browser = await panel.visit("Pia")
    await open_softphone(panel, "Pia", (await newest_sign_in(panel)).id)
    panel.clock.pass_(minutes=30)
    await browser.follow(await browser.open("/sign-in", next="/users", reauth="1"))
    assert "Is it still you?" in words(browser.shown)
    answer = await browser.send("/prove", {"password": PASSWORD, "next": browser.hidden("next")})
    assert answer.headers["location"] == "/users"
    begun = await newest_sign_in(panel)
    assert begun.proof_at == panel.clock.now
    assert [(login.sign_in_id, login.ended_at) for login in await logins_of(panel)] == [(begun.id, None)]


async def test_somebody_else_at_the_same_browser_ends_the_apps_of_who_was_there(panel: Panel) -> None:
    browser = await panel.visit("Pia")
    await open_softphone(panel, "Pia", (await newest_sign_in(panel)).id)
    await browser.open("/sign-in", other="1")
    await browser.send("/sign-in", {"email": "dan@dairy.example", "password": PASSWORD})
    assert [login.ended_cause for login in await logins_of(panel)] == ["signed_out"]
    assert [entry.actor_name for entry in await verbs_about(panel, Verb.SIGNED_OUT)] == ["Pia Pine"]
    assert "Dan Dale" in words(await browser.open("/home"))


async def test_the_form_may_end_up_at_the_app_that_asked(panel: Panel) -> None:
    wanted = f"/oauth/authorize?client_id=softphone&redirect_uri={quote(CALLBACK, safe='')}"
    policy = (await panel.stranger().open("/sign-in", next=wanted)).headers["content-security-policy"]
    assert "form-action 'self' http://softphone.localhost:8001" in policy


async def test_the_form_may_not_end_up_at_an_address_that_the_app_never_registered(panel: Panel) -> None:
    for uri in ("https://evil.example/callback", "x'; script-src *", ""):
        wanted = f"/oauth/authorize?client_id=softphone&redirect_uri={quote(uri, safe='')}"
        answer = await panel.stranger().open("/sign-in", next=wanted)
        assert answer.headers["content-security-policy"].endswith("form-action 'self'")


async def test_a_page_that_is_shown_again_asks_as_whom_it_acts(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    assert (await pia.open("/acting")).json() == {"id": str(panel.cast.membership_id("Pia"))}
    assert (await panel.stranger().open("/acting")).status_code == 401
