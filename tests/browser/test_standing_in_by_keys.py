"""Signing in as somebody without a mouse, in as few presses as were promised; and without any script."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.becoming import become, press, red, stop
from tests.browser.conftest import Opening
from tests.cast import WHY

pytestmark = pytest.mark.browser


class Presses:
    """Counts what is pressed; typing words is no press."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    async def press(self, keys: str) -> None:
        """One key, or several at once."""
        self.count += 1
        await self.page.keyboard.press(keys)


async def test_olaf_is_bea_after_three_presses_and_the_words_between(somebody: Opening) -> None:
    """Ctrl K and her name, Shift Enter, the reason, Enter: from any page, and back by one press of Stop."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page, keys = olaf.panel, Presses(olaf.panel)
    await page.goto("/companies")
    await keys.press("Control+k")
    await page.keyboard.type("bea bell")
    await expect(page.locator("#palette-results [role=option]").first).to_contain_text("Bea Bell")
    await keys.press("Shift+Enter")
    await expect(page.locator("[name=reason]")).to_be_focused()
    await page.keyboard.type(WHY)
    await keys.press("Enter")
    await expect(red(page)).to_be_visible()
    assert keys.count == 3
    await stop(page)
    assert page.url.endswith("/companies")


async def test_without_any_script_it_is_a_page_and_two_forms(somebody: Opening) -> None:
    olaf = await somebody("Olaf", scripts=False)
    await olaf.sign_in()
    page = olaf.panel
    await page.goto("/users")
    await press(page, "bea@bakery.example", "Become")
    await become(page, "Bea Bell")
    await expect(page.get_by_role("heading", name="Home")).to_be_visible()
    await stop(page)
    await expect(page.get_by_role("heading", name="Users")).to_be_visible()
