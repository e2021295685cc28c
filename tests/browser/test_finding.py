"""Quick ways, in as few keys as promised; and a page that is gone back to tells the truth."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opening

pytestmark = pytest.mark.browser


async def test_pia_binds_to_dairys_101_by_four_keys_and_a_search(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    page = pia.panel
    await page.goto("/companies")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("101 dairy")
    await expect(page.locator("#palette [aria-selected=true]")).to_contain_text("Dan Dale")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("[name=reason]")).to_be_focused()
    await page.keyboard.type("her headset does not ring")
    await page.keyboard.press("Enter")
    await expect(pia.bar(page)).to_contain_text("Dan Dale, ext 101 at Dairy")


async def test_a_neighbours_number_is_not_found(somebody: Opening) -> None:
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.goto("/users")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("zoe")
    await expect(page.locator("#palette-results")).to_have_text("Nothing that you can see matches.")
    await page.keyboard.press("Escape")
    await expect(page.locator("#palette input")).to_have_value("")
    await page.keyboard.press("Escape")
    await expect(page.locator("#palette")).to_be_hidden()


async def test_a_binding_is_undone_and_done_again_from_the_toast(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    await pia.bind("Dairy PBX", "101")
    await pia.release()
    await pia.panel.locator(".toast").get_by_role("button", name="Undo").click()
    await expect(pia.bar(pia.panel)).to_contain_text("Dan Dale, ext 101 at Dairy")


async def test_going_back_after_the_release_shows_no_bar(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    await pia.bind("Dairy PBX", "101")
    await pia.panel.goto("/users")
    await pia.panel.goto("/companies")
    await pia.release()
    await pia.panel.go_back()
    await expect(pia.bar(pia.panel)).to_have_count(0)


async def test_going_back_after_signing_out_shows_nobodys_page(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    await pia.panel.goto("/users")
    await pia.panel.get_by_role("button", name="Account menu").click()
    await pia.panel.get_by_role("button", name="Sign out", exact=True).click()
    await expect(pia.panel.locator("[name=password]")).to_be_visible()
    await pia.panel.go_back()
    await expect(pia.panel.locator("[name=password]")).to_be_visible()
    await expect(pia.panel.get_by_text("Dan Dale")).to_have_count(0)
