"""The demo's mailbox in the browser: somebody reads a letter there, and follows the link in it."""

import asyncio

from playwright.async_api import Page, expect

from tests.browser.person import Person

ARRIVES = 15
"""Seconds that a letter has: it is on its way as soon as it is written."""


async def read_letter(reader: Person, subject: str, *, to: str | None = None, newest_of: int = 1) -> Page:
    """Open the newest letter about `subject` to them, once there are `newest_of` such; they stay at it."""
    page, address = reader.panel, to or reader.email
    about = page.locator("#letters li").filter(has_text=address).get_by_role("link", name=subject)
    async with asyncio.timeout(ARRIVES):
        await page.goto(reader.demo.app("mailbox"))
        while await about.count() < newest_of:
            await page.reload()
    await about.first.click()
    await expect(page.locator("#plain")).to_be_visible()
    return page


async def follow_link(reader: Person, subject: str, path: str, *, to: str | None = None, newest_of: int = 1) -> Page:
    """Read the letter and click the link in it that leads to `path` of the panel."""
    page = await read_letter(reader, subject, to=to, newest_of=newest_of)
    await page.locator(f"#plain a[href*='{path}']").first.click()
    await page.wait_for_url(f"{reader.demo.panel}{path}**")
    return page
