"""The same work without a mouse, and without any script."""

import re

import pytest
from playwright.async_api import Page, expect

from control.cast import PASSWORD
from tests.browser.conftest import Opening
from tests.browser.person import expect_seen

pytestmark = pytest.mark.browser

MANY = 80
"""More stops than any page has before the one that is looked for."""

FOCUSED = """() => {
    const it = document.activeElement, label = it.labels && it.labels[0];
    if (it === document.body) return "";
    return ([it.getAttribute("aria-label"), label && label.textContent, it.textContent].find(Boolean) || "").trim();
}"""


async def tab_to(page: Page, words: str) -> None:
    """Press Tab until what has the focus is called so."""
    for _ in range(MANY):
        # A tab or a link of the sidebar may have a count behind its name.
        if re.fullmatch(rf"{words}\s*\d*", await page.evaluate(FOCUSED)):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {words!r}")


async def follow(page: Page, words: str) -> None:
    """Tab to a link or button and press Enter."""
    await tab_to(page, words)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def test_pia_signs_in_and_binds_by_keyboard_alone(somebody: Opening) -> None:
    pia = await somebody("Pia")
    page = pia.panel
    await page.goto("/sign-in")
    await tab_to(page, "E-mail")
    await page.keyboard.type(pia.email)
    await tab_to(page, "Password")
    await page.keyboard.type(PASSWORD)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")

    await follow(page, "Users")
    await follow(page, "Pia Pine")
    await follow(page, "User Bindings")
    await tab_to(page, "Phone system")
    async with page.expect_navigation():
        await page.keyboard.type("Dairy")
    await tab_to(page, "Extension")
    await page.keyboard.type("101")
    await follow(page, "Save")
    await expect(pia.bar(page)).to_contain_text("Dan Dale, ext 101 at Dairy")

    await follow(page, "Remove binding")
    await expect(pia.bar(page)).to_have_count(0)


async def test_skipping_to_the_content_is_the_first_stop(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    page = pia.panel
    await page.goto("/users")
    await page.keyboard.press("Tab")
    assert await page.evaluate(FOCUSED) == "Skip to content"
    await page.keyboard.press("Enter")
    assert await page.evaluate("() => document.activeElement.id") == "main"


async def test_olaf_binds_and_releases_without_any_script(somebody: Opening) -> None:
    olaf = await somebody("Olaf", scripts=False)
    await olaf.sign_in()
    await olaf.bind("Bakery PBX", "201")
    softphone = await olaf.log_in("softphone")
    await expect_seen(softphone, name="Bea Bell", extension="201", tenant="Bakery", acting="Olaf Olsen")
    await olaf.release()
    await olaf.look_at("softphone")
    await expect(softphone.locator("#signed-out")).to_be_visible()
