"""The second document's pages on becoming another user, and on Stop."""

import pytest
from playwright.async_api import expect

from tests.browser.becoming import become, press, red, stop, told_of
from tests.browser.conftest import Opening
from tests.browser.demo_process import Demo

pytestmark = pytest.mark.browser


async def test_olaf_presses_become_on_beas_row_and_sees_what_she_sees(somebody: Opening) -> None:
    """Users in the sidebar, the target, Become on their row; the portal goes on as them, with a clear banner."""
    olaf, bea = await somebody("Olaf"), await somebody("Bea")
    await bea.sign_in()
    await bea.panel.goto("/home")
    hers = await bea.panel.locator(".side a").all_inner_texts()
    await olaf.sign_in()
    page = olaf.panel
    await page.get_by_role("link", name="Users", exact=True).click()
    await press(page, "bea@bakery.example", "Become")
    await become(page, "Bea Bell")
    await expect(page).to_have_title("(as Bea Bell) Home – Understudy")
    his = await page.locator(".side a").all_inner_texts()
    assert set(his) <= set(hers)
    await expect(page.get_by_role("link", name="Users", exact=True)).to_have_count(0)
    await stop(page)


async def test_what_is_done_is_theirs_with_a_mark_that_it_was_an_admin(somebody: Opening, demo: Demo) -> None:
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.goto("/users")
    await press(page, "Boris", "Become")
    await become(page, "Boris Birch")
    await page.goto("/extensions?q=203")
    await page.get_by_role("link", name="203").first.click()
    await page.locator("[name=name]").first.fill("The cold room")
    await page.get_by_role("button", name="Save").first.click()
    await expect(red(page)).to_be_visible()
    await page.get_by_role("link", name="History").last.click()
    line = page.locator("main").get_by_text("The cold room").first
    await expect(line).to_be_visible()
    await expect(page.locator("main")).to_contain_text("Olaf Olsen")
    await expect(page.locator("main")).to_contain_text("Boris Birch")
    await stop(page)
    changed = (await told_of(demo, "extension.changed"))[-1]
    assert (changed.actor_name, changed.subject_name) == ("Olaf Olsen", "Boris Birch")


async def test_settings_that_last_are_not_changed_and_nothing_is_sent_as_them(somebody: Opening) -> None:
    """Passwords, keys, invitations: closed, whatever Boris may do himself."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.goto("/users")
    await press(page, "Boris", "Become")
    await become(page, "Boris Birch")
    for path in ("/account", "/users/new", "/invitations/send", "/apps/new"):
        await page.goto(path)
        await expect(red(page)).to_be_visible()
        await expect(page.locator("main")).to_contain_text("Stop impersonating first")
    await stop(page)


@pytest.mark.parametrize("way", ["the banner", "the user menu"])
async def test_stop_in_the_banner_or_the_user_menu_leads_back(somebody: Opening, way: str) -> None:
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.goto("/users")
    await press(page, "bea@bakery.example", "Become")
    await become(page, "Bea Bell")
    if way == "the banner":
        await stop(page)
    else:
        await page.get_by_role("button", name="Account menu").click()
        await page.locator("#account").get_by_role("button", name="Stop impersonating").click()
        await expect(red(page)).to_have_count(0)
    await expect(page.get_by_role("heading", name="Users")).to_be_visible()
    await expect(page.locator(".side .signed-in")).to_contain_text("Olaf Olsen")


async def test_not_to_get_round_what_one_may_not_do(somebody: Opening) -> None:
    """Opal is no admin: as Boris, who is, she sees his pages and manages nobody."""
    opal = await somebody("Opal")
    await opal.sign_in()
    page = opal.panel
    await page.goto("/users")
    await press(page, "Boris", "Become")
    await become(page, "Boris Birch")
    await page.goto("/users/new")
    await expect(page.get_by_role("heading", name="You may not do this")).to_be_visible()
    await stop(page)
