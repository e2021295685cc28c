"""The first document, sentence by sentence: signing in as a customer to help them."""

import pytest
from playwright.async_api import expect

from tests.browser.becoming import become, newest, press, red, stop, told_of, twenty_minutes_ago
from tests.browser.conftest import Opening
from tests.browser.demo_process import Demo
from tests.cast import WHY, Cast

pytestmark = pytest.mark.browser


async def test_olaf_signs_in_as_bea_and_stops_where_he_left_off(somebody: Opening, demo: Demo) -> None:
    """Find the customer, click them, "Sign in as this user"; the banner; Stop, and back exactly where one was.

    Her password is asked for nowhere, and the question says to tell her first.
    """
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.get_by_role("link", name="Users", exact=True).click()
    await page.get_by_role("link", name="Bea Bell").first.click()
    left_off = page.url
    await page.get_by_text("Sign in as this user", exact=True).first.click()
    await expect(page.get_by_text("Tell Bea Bell first if you can.")).to_be_visible()
    await expect(page.locator("[type=password]")).to_have_count(0)
    await become(page, "Bea Bell")
    for said in ("Olaf Olsen", "Bea Bell", "bea@bakery.example", "201", "Bakery"):
        await expect(red(page)).to_contain_text(said)
    await stop(page)
    assert page.url == left_off
    started, stopped = (await told_of(demo, "impersonation.started", "impersonation.stopped"))[-2:]
    assert (started.actor_name, started.subject_name, started.reason) == ("Olaf Olsen", "Bea Bell", WHY)
    assert (stopped.actor_name, stopped.subject_name) == ("Olaf Olsen", "Bea Bell")
    assert stopped.details["seconds"] >= 0


async def test_everything_of_theirs_is_seen_and_can_be_changed_under_both_names(somebody: Opening, demo: Demo) -> None:
    """As Boris, Olaf sees Bakery's pages and changes an extension; the line of history names both."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.goto("/users")
    await press(page, "Boris", "Become")
    await become(page, "Boris Birch")
    for name in ("Companies", "Users", "Extensions", "Recordings", "Playbooks"):
        await expect(page.locator(".side").get_by_role("link", name=name, exact=True)).to_be_visible()
    await page.goto("/extensions?q=203")
    await page.get_by_role("link", name="203").first.click()
    await page.locator("[name=name]").first.fill("The oven room")
    await page.get_by_role("button", name="Save").first.click()
    await expect(red(page)).to_be_visible()
    changed = (await told_of(demo, "extension.changed"))[-1]
    assert (changed.actor_name, changed.subject_name, changed.via) == ("Olaf Olsen", "Boris Birch", "impersonation")
    await stop(page)


async def test_bea_reads_who_was_signed_in_as_her_and_why(somebody: Opening) -> None:
    """Every session is in the record, transparent and accountable: the customer sees it too."""
    olaf, bea = await somebody("Olaf"), await somebody("Bea")
    await olaf.sign_in()
    await olaf.panel.goto("/users")
    await press(olaf.panel, "bea@bakery.example", "Become")
    await become(olaf.panel, "Bea Bell", "the queue page is empty for her")
    await stop(olaf.panel)
    await bea.sign_in()
    await bea.panel.goto("/home")
    seen = bea.panel.locator("section", has=bea.panel.get_by_role("heading", name="Who accessed your account"))
    await expect(seen).to_contain_text("Olaf Olsen")
    await expect(seen).to_contain_text("the queue page is empty for her")
    await expect(red(bea.panel)).to_have_count(0)


async def test_private_mail_is_read_only_when_the_customer_asked(somebody: Opening) -> None:
    """Of a private recording a stand-in sees that it is there; looking into it is a question of its own."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.goto("/users")
    await press(page, "bea@bakery.example", "Become")
    await become(page, "Bea Bell")
    await page.goto("/recordings")
    private = page.locator("tbody tr").filter(has_text="Private")
    await expect(private).to_be_visible()
    await private.get_by_role("link").first.click()
    await expect(page.get_by_role("heading", name="Recording").or_(page.get_by_text("Private")).first).to_be_visible()
    await expect(red(page)).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text("+44")
    await stop(page)


async def test_out_promptly_after_twenty_minutes_it_is_over(somebody: Opening, demo: Demo, cast: Cast) -> None:
    """Nobody browses around for longer: a page says that it ended, and only then one is oneself again."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    await twenty_minutes_ago(demo, cast, olaf, "Bea")
    page = olaf.panel
    await page.goto("/users")
    await expect(page.get_by_role("heading", name="Your impersonation of Bea Bell has ended")).to_be_visible()
    await page.goto("/companies")
    await expect(page.get_by_role("heading", name="Your impersonation of Bea Bell has ended")).to_be_visible()
    await page.get_by_role("button", name="Back to where you were").click()
    await expect(page.get_by_role("heading", name="Your impersonation")).to_have_count(0)
    assert (await newest(demo)).ended_cause == "expired"


async def test_the_banner_is_on_every_page_so_that_none_is_missing(somebody: Opening) -> None:
    """A reload shows it, and so do the pages that say no."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.goto("/users")
    await press(page, "bea@bakery.example", "Become")
    await become(page, "Bea Bell")
    for path in ("/home", "/recordings", "/account", "/nowhere-at-all", "/users/1"):
        await page.goto(path)
        await expect(red(page)).to_be_visible()
        await page.reload()
        await expect(red(page)).to_be_visible()
    await stop(page)
    await page.go_back()
    await expect(red(page)).to_have_count(0)
