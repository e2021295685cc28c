"""The third document, sentence by sentence: impersonating from the Members tab, in a new tab, for twenty minutes."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from bindings.impersonation import GOODBYE
from tests.browser.becoming import become_at_app, newest, press, red, told_of
from tests.browser.conftest import Opening
from tests.browser.demo_process import Demo
from tests.browser.person import Person
from tests.cast import Cast

pytestmark = pytest.mark.browser


async def members_of(who: Person, cast: Cast, company: str) -> Page:
    """Companies -> the company -> Members."""
    page = who.panel
    await page.goto(f"/companies/{cast.tenant(company).id}")
    await page.get_by_role("link", name="Members").click()
    return page


async def test_olaf_impersonates_bea_from_the_members_tab_in_a_new_tab(
    somebody: Opening, demo: Demo, cast: Cast
) -> None:
    """The account, Members, Impersonate on the row; name, twenty minutes, all is recorded; a new tab as the user."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = await members_of(olaf, cast, "Bakery")
    await press(page, "Bea Bell", "Impersonate")
    asked = page.locator("[data-dialog-body], dialog[open]").first
    for said in ("Bea Bell", "20 minutes", "recorded under both names"):
        await expect(asked).to_contain_text(said)
    tab = await become_at_app(page, "softphone")
    assert tab.url.startswith(demo.app("softphone"))
    await expect(tab.locator("#who")).to_have_text("Bea Bell")
    for said in ("Olaf Olsen", "Bea Bell", "bea@bakery.example"):
        await expect(red(tab)).to_contain_text(said)
    colour = await red(tab).evaluate("each => getComputedStyle(each).backgroundColor")
    red_, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    assert red_ > 150 > 60 > max(green, blue)
    await red(tab).get_by_role("button", name="Stop").or_(red(tab).get_by_role("link", name="Stop")).first.click()
    await expect(red(tab)).to_have_count(0)


async def test_the_token_crosses_two_origins_and_lies_in_session_storage_alone(
    somebody: Opening, demo: Demo, cast: Cast
) -> None:
    """A JWT for this user; nothing of it in an address, a cookie or what would outlast the tab."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = await members_of(olaf, cast, "Bakery")
    await press(page, "Bea Bell", "Impersonate")
    tab = await become_at_app(page, "softphone")
    await expect(tab.locator("#who")).to_have_text("Bea Bell")
    kept = await tab.evaluate("JSON.stringify(Object.values(sessionStorage))")
    assert "eyJ" in kept
    assert await tab.evaluate("localStorage.length") == 0
    assert "eyJ" not in tab.url
    assert "handoff" not in tab.url
    assert all("eyJ" not in str(each.get("value")) for each in await olaf.context.cookies())
    await tab.close()


async def test_a_new_one_ends_the_old_one(somebody: Opening, cast: Cast) -> None:
    """One for each admin at a time."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = await members_of(olaf, cast, "Bakery")
    await press(page, "Bea Bell", "Impersonate")
    first = await become_at_app(page, "softphone")
    await expect(first.locator("#who")).to_have_text("Bea Bell")
    page = await members_of(olaf, cast, "Bakery")
    await press(page, "Ben Bond", "Impersonate")
    await expect(page.get_by_text("This ends your impersonation of Bea Bell")).to_be_visible()
    second = await become_at_app(page, "softphone")
    await expect(second.locator("#who")).to_have_text("Ben Bond")
    await first.reload()
    await expect(first.locator("#who")).to_have_count(0)
    await second.close()


async def test_it_ends_when_the_tab_is_closed(somebody: Opening, demo: Demo, cast: Cast) -> None:
    """Within ten seconds and what the panel needs to notice."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = await members_of(olaf, cast, "Bakery")
    await press(page, "Bea Bell", "Impersonate")
    tab = await become_at_app(page, "softphone")
    await expect(tab.locator("#who")).to_have_text("Bea Bell")
    await tab.close(run_before_unload=True)
    async with asyncio.timeout(GOODBYE.total_seconds() + 15):
        while (await newest(demo)).ended_at is None:  # noqa: ASYNC110 - what is waited for is another program
            await asyncio.sleep(0.2)
    assert (await newest(demo)).ended_cause == "tab_closed"


async def test_boris_ends_it_from_the_overview(somebody: Opening, demo: Demo, cast: Cast) -> None:
    """Any admin whose company it is, with End in Active Impersonation Sessions; both lines stand in the trail."""
    olaf, boris = await somebody("Olaf"), await somebody("Boris")
    await olaf.sign_in()
    page = await members_of(olaf, cast, "Bakery")
    await press(page, "Bea Bell", "Impersonate")
    tab = await become_at_app(page, "softphone")
    await expect(tab.locator("#who")).to_have_text("Bea Bell")
    await boris.sign_in()
    await boris.panel.goto("/")
    table = boris.panel.locator(
        "section", has=boris.panel.get_by_role("heading", name="Active Impersonation Sessions")
    ).first
    await expect(table).to_contain_text("Olaf Olsen")
    await table.get_by_role("button", name="End").first.click()
    await expect(boris.panel.get_by_role("status").first).to_be_visible()
    await tab.reload()
    await expect(tab.locator("#who")).to_have_count(0)
    started, ended = (await told_of(demo, "impersonation.started", "impersonation.ended"))[-2:]
    assert (started.actor_name, started.subject_name) == ("Olaf Olsen", "Bea Bell")
    assert (ended.actor_name, ended.details["cause"]) == (cast.user("Boris").name, "ended_by_admin")
