"""One's own account: profile, theme, password, sign-ins and API keys."""

import re

import sqlalchemy as sa

from control.cast import PASSWORD
from tenants.api_keys import ApiKey
from tenants.credentials import digest
from tenants.people import User
from tenants.sign_in import FAILURES_OF_PAIR
from tests.cast import bind, house_work
from tests.control.pages.visit import Panel, words

NEW = "a new password of Dan"


async def user_named(panel: Panel, name: str) -> User:
    async with house_work(panel.store) as session:
        return await session.get_one(User, panel.cast.user(name).id)


async def test_dan_changes_name_zone_and_keys(panel: Panel) -> None:
    dan = await panel.visit("Dan")
    await dan.follow(await dan.send("/account", {"name": "Daniel Dale", "zone": "Asia/Tokyo"}))
    assert "Daniel Dale" in words(dan.shown)
    user = await user_named(panel, "Dan")
    assert (user.name, user.zone, user.keys_on) == ("Daniel Dale", "Asia/Tokyo", False)
    for wrong in ({"name": "Dan", "zone": "Mars/Base"}, {"name": "", "zone": "Asia/Tokyo"}):
        assert (await dan.send("/account", wrong)).status_code == 422


async def test_a_theme_is_chosen_from_any_page(panel: Panel) -> None:
    pia = await panel.visit("Pia", "/users")
    answer = await pia.send("/account/theme", {"theme": "dark"}, Referer="http://localhost:8000/users")
    assert answer.headers["location"] == "/users"
    assert 'data-theme="dark"' in (await pia.follow(answer)).text
    assert (await pia.send("/account/theme", {"theme": "pink"})).status_code == 422


async def test_a_new_password_needs_the_present_one_and_ends_every_other_sign_in(panel: Panel) -> None:
    dan, elsewhere = await panel.visit("Dan"), await panel.visit("Dan")
    wrong = await dan.send("/account/password", {"current": "not it", "password": NEW})
    assert (wrong.status_code, "This is not your present password." in words(wrong)) == (422, True)
    short = await dan.send("/account/password", {"current": PASSWORD, "password": "short"})
    assert (short.status_code, "at least 12 characters" in words(short)) == (422, True)
    await dan.follow(await dan.send("/account/password", {"current": PASSWORD, "password": NEW}))
    assert "You are signed out everywhere but here." in words(dan.shown)
    assert (await elsewhere.open("/account")).status_code == 303
    assert (await panel.stranger().sign_in("dan@dairy.example")).status_code == 422
    assert (await panel.stranger().sign_in("dan@dairy.example", NEW)).status_code == 303


async def test_the_present_password_cannot_be_guessed_here_either(panel: Panel) -> None:
    dan = await panel.visit("Dan")
    for number in range(FAILURES_OF_PAIR):
        said = {"current": f"guess {number}", "password": NEW}
        assert (await dan.send("/account/password", said)).status_code == 422
    held = await dan.send("/account/password", {"current": PASSWORD, "password": NEW})
    assert held.status_code == 429
    assert (await panel.stranger().sign_in("dan@dairy.example", NEW)).status_code == 429


async def test_dan_signs_out_another_browser_of_his_and_nobody_elses(panel: Panel) -> None:
    dan, elsewhere, pia = await panel.visit("Dan"), await panel.visit("Dan"), await panel.visit("Pia")
    theirs = re.findall(r'action="(/account/sign-ins/\d+/end)"', (await pia.open("/account")).text)
    assert theirs == []
    (other,) = re.findall(r'action="(/account/sign-ins/\d+/end)"', (await dan.open("/account")).text)
    assert (await pia.send(other)).status_code == 404
    await dan.follow(await dan.send(other))
    assert "That browser is signed out." in words(dan.shown)
    assert (await elsewhere.open("/account")).status_code == 303
    assert (await dan.send(other)).status_code == 409


async def test_pia_makes_a_key_that_is_shown_once_and_revokes_it(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    page = await pia.send("/account/api-keys", {"label": "Nightly report", "scopes": ["read", "write"], "days": "30"})
    found = re.search(r'value="(understudy_[^"]+)"', page.text)
    assert (page.status_code, page.headers["cache-control"], found is not None) == (200, "no-store", True)
    assert found is not None
    async with house_work(panel.store) as session:
        key = (await session.scalars(sa.select(ApiKey))).one()
    assert (key.key_hash, key.scopes, key.membership_id) == (
        digest(found[1]),
        "read write",
        panel.cast.membership_id("Pia"),
    )
    assert found[1] not in (await pia.open("/account")).text
    assert "Nightly report read, write Never" in words(pia.shown)
    paul = await panel.visit("Paul")
    assert (await paul.send(f"/account/api-keys/{key.id}/revoke")).status_code == 404
    await pia.follow(await pia.send(f"/account/api-keys/{key.id}/revoke"))
    assert "The key Nightly report is revoked." in words(pia.shown)
    assert (await pia.send(f"/account/api-keys/{key.id}/revoke")).status_code == 409


async def test_a_key_needs_a_name_a_scope_and_an_end(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    right = {"label": "Report", "scopes": "read", "days": "30"}
    for wrong in ({"label": ""}, {"scopes": ""}, {"scopes": "everything"}, {"days": "366"}, {"days": "soon"}):
        answer = await pia.send("/account/api-keys", right | wrong)
        assert (answer.status_code, "understudy_" in answer.text) == (422, False), wrong


async def test_the_account_is_pias_own_also_while_her_apps_open_as_dan(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    pia = await panel.visit("Pia")
    assert "pia@pine.example" in words(pia.shown)
    assert "dan@dairy.example" not in words(pia.shown)
