"""Ways out: of an app, of the panel, of everything."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opening
from tests.browser.person import expect_seen

pytestmark = pytest.mark.browser


async def test_logging_out_of_an_app_leaves_the_panel_and_the_other_app_alone(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    softphone, desk = await pia.log_in("softphone"), await pia.log_in("desk-client")
    await expect_seen(softphone, name="Pia Pine", extension="100", tenant="Pine")
    await softphone.get_by_role("button", name="Log out").click()
    await expect(softphone.locator("#logged-out")).to_be_visible()

    await pia.look_at("desk-client")
    await expect_seen(desk, name="Pia Pine", extension="100", tenant="Pine")
    await pia.panel.goto("/users")
    await expect(pia.panel.get_by_role("heading", name="Users", level=1)).to_be_visible()


async def test_signing_out_of_the_panel_asks_for_the_password_at_the_next_login(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    await pia.panel.goto("/")
    await pia.panel.get_by_role("button", name="Account menu").click()
    await pia.panel.get_by_role("button", name="Sign out", exact=True).click()
    await expect(pia.panel.locator("[name=password]")).to_be_visible()

    softphone = await pia.log_in("softphone")
    await expect(softphone.locator("[name=password]")).to_be_visible()


async def test_signing_out_everywhere_ends_the_apps_login_at_its_next_page(somebody: Opening) -> None:
    pia, pia_at_home = await somebody("Pia"), await somebody("Pia")
    for browser in (pia, pia_at_home):
        await browser.sign_in()
        await browser.log_in("softphone")
        await expect_seen(browser.tabs["softphone"], name="Pia Pine", extension="100", tenant="Pine")

    await pia.panel.goto("/account")
    await pia.panel.get_by_role("button", name="Sign out everywhere").click()
    await expect(pia.panel.locator("[name=password]")).to_be_visible()
    for browser in (pia, pia_at_home):
        softphone = await browser.look_at("softphone")
        await expect(softphone.locator("#signed-out")).to_be_visible()
    await pia_at_home.panel.goto("/users")
    await expect(pia_at_home.panel.locator("[name=password]")).to_be_visible()
