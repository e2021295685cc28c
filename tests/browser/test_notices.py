"""Pages that say why not: each has its words and a way on, and everybody can use it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from bindings.apps import App
from tenants.actor import Actor
from tenants.store import Store
from tenants.tree import Tenant
from tests.browser.conftest import Opening
from tests.browser.demo_process import Demo
from tests.browser.looking import faults, overflow, photograph
from tests.cast import Cast, bind, house_work
from tests.control.receiver import Came, Receiver, listening

pytestmark = pytest.mark.browser

Check = Callable[[Page, str], Awaitable[None]]


@pytest.fixture
def expect_usable(screenshots: Path | None) -> Check:
    """Takes pictures and asks axe."""

    async def check(page: Page, name: str) -> None:
        await photograph(page, screenshots, name)
        assert await faults(page) == []
        assert await overflow(page) <= 0

    return check


async def test_signing_in(somebody: Opening, expect_usable: Check) -> None:
    pia = await somebody("Pia")
    await pia.panel.goto("/sign-in")
    await expect_usable(pia.panel, "sign-in")


async def test_a_wrong_password(somebody: Opening, expect_usable: Check) -> None:
    dina = await somebody("Dina")
    await dina.panel.goto("/sign-in")
    await dina.panel.locator("[name=email]").fill(dina.email)
    await dina.panel.locator("[name=password]").fill("not hers")
    await dina.panel.get_by_role("button", name="Sign in", exact=True).click()
    await expect(dina.panel.get_by_role("alert")).to_be_visible()
    assert await dina.panel.locator("[name=password]").input_value() == ""
    await expect_usable(dina.panel, "sign-in refused")


async def test_no_extension_for_this_app(somebody: Opening, expect_usable: Check) -> None:
    paul = await somebody("Paul")
    await paul.sign_in()
    page = await paul.log_in("softphone")
    await expect(page.locator("[data-notice=no_extension]")).to_be_visible()
    await expect_usable(page, "no extension")
    await page.get_by_role("link", name="Bind me").click()
    await expect(page.get_by_label("Phone system")).to_be_visible()


async def test_no_licence_for_this_app(somebody: Opening, expect_usable: Check) -> None:
    pete = await somebody("Pete")
    await pete.sign_in()
    page = await pete.log_in("desk-client")
    await expect(page.locator("[data-notice=no_licence]")).to_contain_text("Extension 101 of Pete Pratt at Pine")
    await expect_usable(page, "no licence")
    await page.get_by_role("link", name="Back to Desk Client").click()
    await page.wait_for_url(f"{pete.demo.app('desk-client')}/**")
    await expect(page.locator("#notice")).to_be_visible()


async def test_an_app_for_its_admins_only(somebody: Opening, expect_usable: Check) -> None:
    ben = await somebody("Ben")
    await ben.sign_in()
    page = await ben.log_in("desk-admin")
    await expect(page.locator("[data-notice=not_admin]")).to_contain_text("Bea Bell, extension 201")
    await expect_usable(page, "not its admin")


async def test_a_binding_that_went_stale(somebody: Opening, demo: Demo, cast: Cast, expect_usable: Check) -> None:
    store, long_ago = Store(demo.database), datetime.now(UTC) - timedelta(days=91)
    await bind(store, cast, "Pia", "Dairy", "101", long_ago)
    await store.close()
    pia = await somebody("Pia")
    await pia.sign_in()
    page = await pia.log_in("softphone")
    await expect(page.locator("[data-notice=stale]")).to_contain_text("not used for 90 days")
    await expect(pia.bar(page)).to_have_count(0)
    await expect_usable(page, "stale")
    await page.get_by_role("link", name="Continue as yourself").click()
    await expect(page.locator("#who")).to_have_text("Pia Pine")


async def test_an_app_that_is_not_registered(somebody: Opening, expect_usable: Check) -> None:
    pia = await somebody("Pia")
    answer = await pia.panel.goto("/oauth/authorize?client_id=nobody&redirect_uri=https://evil.example/")
    assert answer is not None
    assert answer.status == 400
    await expect(pia.panel.locator("[data-notice=refused]")).to_be_visible()
    assert "evil.example" not in await pia.panel.content()
    await expect_usable(pia.panel, "login refused")


async def test_a_logout_without_a_hint_asks_first(somebody: Opening, expect_usable: Check) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    await pia.log_in("softphone")
    await expect(pia.tabs["softphone"].locator("#who")).to_be_visible()
    await pia.panel.goto("/oauth/logout")
    await expect(pia.panel.locator("[data-notice=log-out]")).to_contain_text("Softphone")
    await expect_usable(pia.panel, "log out")
    await pia.panel.get_by_role("button", name="Log out").click()
    await expect(pia.panel.locator("[data-notice=logged-out]")).to_be_visible()
    await expect_usable(pia.panel, "logged out")
    softphone = await pia.look_at("softphone")
    await expect(softphone.locator("#signed-out")).to_be_visible()


async def test_a_binding_that_a_rule_refuses(somebody: Opening, expect_usable: Check) -> None:
    elsa = await somebody("Elsa")
    await elsa.sign_in()
    await elsa.open_own_bindings()
    await elsa.choose("Zoo PBX", "201")
    await elsa.panel.get_by_role("button", name="Save").click()
    await expect(elsa.panel.get_by_role("alert")).to_be_focused()
    await expect_usable(elsa.panel, "binding refused")


@asynccontextmanager
async def app_of_others(demo: Demo, cast: Cast) -> AsyncIterator[tuple[Receiver, str]]:
    """An app that is not the house's own, and the address that asks it to be answered by a form; gone afterwards."""
    store, now = Store(demo.database), datetime.now(UTC)
    async with listening() as callback:
        there = f"http://127.0.0.1:{callback.port}/callback"
        async with house_work(store, now) as session:
            owner, house = await session.get_one(Tenant, cast.tenant("Acme").id), Actor.house("the story")
            app, _ = await App.register(session, house, owner, name="Wallboard", redirect_uris=[there], now=now)
        asked = {
            "response_type": "code",
            "response_mode": "form_post",
            "client_id": app.client_id,
            "redirect_uri": there,
            "scope": "openid profile email",
            "state": "the state",
            "code_challenge": "x" * 43,
            "code_challenge_method": "S256",
        }
        yield callback, f"/oauth/authorize?{urlencode(asked)}"
        async with house_work(store, now) as session:
            await (await session.get_one(App, app.id)).discard(session, now)
    await store.close()


async def posted(callback: Receiver) -> Came:
    """What was posted to the app; the browser asks it for an icon, too."""
    async with asyncio.timeout(10):
        while not (sent := [each for each in callback.came if each.line.startswith("POST")]):
            callback.heard.clear()
            await callback.heard.wait()
    callback.came.clear()
    return sent[0]


async def test_an_app_of_others_asks_first_and_is_answered_by_a_form(
    somebody: Opening, demo: Demo, cast: Cast, expect_usable: Check
) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    async with app_of_others(demo, cast) as (callback, address):
        await pia.panel.goto(address)
        await expect(pia.panel.locator("[data-notice=consent]")).to_contain_text("Wallboard belongs to Acme")
        await expect_usable(pia.panel, "consent")
        await pia.panel.get_by_role("button", name="Do not agree").click()
        assert (await posted(callback)).form["error"] == "access_denied"
        await pia.panel.goto(address)
        await pia.panel.get_by_role("button", name="Agree", exact=True).click()
        came = await posted(callback)
        assert (set(came.form), came.headers["origin"]) == ({"code", "state", "iss"}, demo.panel)
        # Without the script there is a page, with a button that does the same.
        await pia.panel.route("**/static/form_post.js*", lambda route: route.fulfill(content_type="text/javascript"))
        await pia.panel.goto(address)
        await expect_usable(pia.panel, "form post")
        await pia.panel.get_by_role("button", name="Continue").click()
        assert (await posted(callback)).form["state"] == "the state"


async def test_the_softphone_shows_who_acts(somebody: Opening, expect_usable: Check) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    await pia.bind("Dairy PBX", "101")
    softphone = await pia.log_in("softphone")
    await expect(softphone.locator("#acting")).to_be_visible()
    await expect_usable(softphone, "softphone")
