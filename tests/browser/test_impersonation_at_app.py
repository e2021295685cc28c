"""Sign in as somebody at an app, in a new tab: banner, Stop, closing the tab, a copy of it; and an app that asks."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.async_api import Page, expect

from bindings.impersonation import GOODBYE, Impersonation
from tenants.store import Store
from tests.browser.conftest import Opening
from tests.browser.demo_process import Demo
from tests.browser.looking import faults, overflow, photograph
from tests.browser.person import Person, expect_seen
from tests.cast import WHY, Cast, house_work

pytestmark = pytest.mark.browser

PATIENCE = GOODBYE.total_seconds() + 15
"""Seconds until the panel must know that a tab was closed."""
LOCKLESS = "Object.defineProperty(navigator, 'locks', { value: undefined })"


@pytest.fixture
async def store(demo: Demo) -> AsyncIterator[Store]:
    """The demo's own database, to look at rows that no page shows."""
    store = Store(demo.database)
    yield store
    await store.close()


async def last_row(store: Store) -> Impersonation:
    async with house_work(store, datetime.now(UTC)) as session:
        newest = sa.select(Impersonation).order_by(Impersonation.id.desc()).limit(1)
        return (await session.scalars(newest)).one()


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what is waited for is another program
            await asyncio.sleep(0.1)


async def sign_in_as(who: Person, membership_id: int, app: str | None = None) -> Page:
    """Fill in the question, in the panel or for an app; the page that opens."""
    await who.panel.goto(f"/impersonations/new?membership={membership_id}")
    await who.panel.locator("[name=reason]").fill(WHY)
    if app is None:
        await who.panel.get_by_role("button", name="Sign in as", exact=False).last.click()
        await expect(who.panel.locator("[data-stand-in=impersonation]")).to_be_visible()
        return who.panel
    async with who.context.expect_page() as opened:
        await who.panel.locator(f"button[name=app][value={app}]").click()
    tab = await opened.value
    await expect(tab.locator("#banner")).to_be_visible()
    return tab


async def olaf_as_bea(somebody: Opening, cast: Cast) -> tuple[Person, Page]:
    """Olaf with the softphone open as Bea."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    return olaf, await sign_in_as(olaf, cast.membership_id("Bea"), "softphone")


async def held(tab: Page) -> str | None:
    """What the tab keeps."""
    kept = await tab.evaluate("sessionStorage.getItem('acting-token')")
    return str(kept) if kept is not None else None


async def test_olaf_opens_the_softphone_as_bea_in_a_new_tab_and_stops_there(
    somebody: Opening, cast: Cast, demo: Demo, store: Store, screenshots: Path | None
) -> None:
    olaf, tab = await olaf_as_bea(somebody, cast)
    banner = tab.locator("[data-stand-in=impersonation]")
    await expect(banner).to_contain_text(
        "You (Olaf Olsen) are signed in as Bea Bell, bea@bakery.example, ext 201 at Bakery"
    )
    await expect(banner.locator("#left")).to_have_text(re.compile(r"^(20:00|19:\d\d)$"))
    await expect(tab.locator("#who")).to_have_text("Bea Bell")
    await expect(tab.locator("#extension")).to_have_text("201")
    assert await tab.title() == "(as Bea Bell) Softphone"
    assert await faults(tab) == []
    assert await overflow(tab) == 0
    await photograph(tab, screenshots, "softphone as bea")
    await tab.set_viewport_size({"width": 1280, "height": 800})

    # T59: the address and the tab's history hold no code, and what is kept is this tab's alone.
    assert tab.url == f"{demo.app('softphone')}/acting"
    assert await held(tab) is not None
    assert await tab.evaluate("localStorage.length") == 0
    # The panel and the app's own login are as they were (T29).
    await olaf.panel.goto("/users")
    await expect(olaf.panel.locator("[data-stand-in=impersonation]")).to_have_count(0)
    own = await olaf.look_at("softphone")
    await expect(own.get_by_role("link", name="Log in")).to_be_visible()

    # A page that is loaded again goes on; the goodbye of the one before is no end.
    await tab.reload()
    await expect(banner).to_be_visible()
    row = await last_row(store)
    assert row.over(datetime.now(UTC)) is None

    await banner.get_by_role("button", name="Stop impersonating").click()
    await expect(tab.locator("#over-heading")).to_have_text("You stopped impersonating")
    await expect(banner).to_have_count(0)
    assert await held(tab) is None
    row = await last_row(store)
    assert (row.ended_cause, row.actor_name) == ("stopped", "Olaf Olsen")
    await tab.reload()
    await expect(tab.locator("#over-heading")).to_have_text("Nobody is signed in here")


async def test_closing_the_tab_ends_it_and_a_tab_that_is_opened_again_is_refused(
    somebody: Opening, cast: Cast, demo: Demo, store: Store
) -> None:
    olaf, tab = await olaf_as_bea(somebody, cast)
    token, row = await held(tab), await last_row(store)
    assert row.over(datetime.now(UTC)) is None
    await tab.close(run_before_unload=False)

    async def is_over() -> bool:
        return (await last_row(store)).over(datetime.now(UTC)) is not None

    await until(is_over)
    over = (await last_row(store)).over(datetime.now(UTC))
    assert over is not None
    assert over[0] == "tab_closed"
    # The browser brings a closed tab back with what it kept.
    again = await olaf.context.new_page()
    await again.goto(f"{demo.app('softphone')}/icon.svg")
    await again.evaluate("token => sessionStorage.setItem('acting-token', token)", token)
    await again.goto(f"{demo.app('softphone')}/acting")
    await expect(again.locator("#over-heading")).to_have_text("This impersonation has ended")
    assert await held(again) is None


async def test_a_copied_tab_is_refused_and_the_first_goes_on(somebody: Opening, cast: Cast, store: Store) -> None:
    _, tab = await olaf_as_bea(somebody, cast)
    async with tab.context.expect_page() as opened:
        await tab.evaluate("void window.open('/acting')")
    copy = await opened.value
    await expect(copy.locator("#over-heading")).to_have_text("This tab is a copy")
    assert await held(copy) is None
    # Without the browser's own word for it the panel knows a copy by its document.
    await tab.context.add_init_script(LOCKLESS)
    async with tab.context.expect_page() as opened:
        await tab.evaluate("void window.open('/acting')")
    copy = await opened.value
    await expect(copy.locator("#over-heading")).to_have_text("This tab is a copy")
    assert await held(copy) is None
    await expect(tab.locator("#banner")).to_be_visible()
    assert await held(tab) is not None
    assert (await last_row(store)).over(datetime.now(UTC)) is None


async def test_a_code_that_is_used_twice_opens_nothing_the_second_time(
    somebody: Opening, cast: Cast, demo: Demo, store: Store
) -> None:
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    codes: list[str] = []

    def note(address: str) -> None:
        codes.extend(re.findall(r"#handoff=(.+)", address))

    olaf.context.on("response", lambda answer: note(answer.headers.get("location", "")))
    tab = await sign_in_as(olaf, cast.membership_id("Bea"), "softphone")
    (code,) = codes
    second = await olaf.context.new_page()
    await second.goto(f"{demo.app('softphone')}/acting#handoff={code}")
    await expect(second.locator("#over-heading")).to_have_text("Nobody is signed in here")
    assert second.url == f"{demo.app('softphone')}/acting"
    # Somebody has the code who should not: what it opened is over as well.
    assert (await last_row(store)).ended_cause == "replay"
    await tab.reload()
    await expect(tab.locator("#over-heading")).to_have_text("This impersonation has ended")


async def test_an_admin_ends_it_and_the_tab_hears_of_it(somebody: Opening, cast: Cast, store: Store) -> None:
    _, tab = await olaf_as_bea(somebody, cast)
    async with house_work(store, datetime.now(UTC)) as session:
        row = await session.get_one(Impersonation, (await last_row(store)).id)
        assert await row.end(session, "ended_by_admin", datetime.now(UTC))
    # At the next heartbeat, or when the tab is looked at again.
    await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(tab.locator("#over-heading")).to_have_text("This impersonation has ended")
    await expect(tab.locator("body")).not_to_contain_text("Bea Bell")
    assert await held(tab) is None


async def test_an_app_asks_while_olaf_is_bea_in_the_panel(
    somebody: Opening, cast: Cast, screenshots: Path | None
) -> None:
    """Continue as Bea, for as long as it lasts; then as myself, where Olaf has no extension of his own."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    await sign_in_as(olaf, cast.membership_id("Bea"))
    page = await olaf.log_in("softphone")
    await expect(page.locator("[data-notice=continue]")).to_be_visible()
    await expect(page.locator("[data-stand-in=impersonation]")).to_be_visible()
    assert await faults(page) == []
    assert await overflow(page) == 0
    await photograph(page, screenshots, "continue as bea")
    await page.get_by_role("button", name="As myself, Olaf Olsen").click()
    await expect(page.get_by_role("heading", name="No extension for this app")).to_be_visible()

    page = await olaf.log_in("softphone")
    await page.get_by_role("button", name="Continue as Bea Bell").click()
    await expect_seen(page, name="Bea Bell", extension="201", tenant="Bakery", acting="Olaf Olsen")
    await expect(page.locator("[data-stand-in=impersonation]")).to_contain_text("by impersonation")
    await page.get_by_role("link", name="Check again").click()
    await expect(page.locator("#notice")).to_contain_text("would open as somebody else")

    await olaf.panel.goto("/home")
    await olaf.panel.locator(".banner").get_by_role("button", name="Stop impersonating").click()
    await expect(olaf.panel.locator("[data-stand-in=impersonation]")).to_have_count(0)
    await olaf.look_at("softphone")
    await expect(page.locator("#signed-out")).to_be_visible()


async def test_no_token_and_no_code_is_written_into_any_log(somebody: Opening, cast: Cast, demo: Demo) -> None:
    """T59, over all that the stories of this file did in the panel and the apps."""
    asked: list[str] = []
    olaf = await somebody("Olaf")
    olaf.context.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer', '')}"))
    await olaf.sign_in()
    tab = await sign_in_as(olaf, cast.membership_id("Bea"), "softphone")
    token = await held(tab)
    assert token is not None
    await tab.get_by_role("button", name="Stop impersonating").click()
    await expect(tab.locator("#over")).to_be_visible()
    logs = [file.read_text(errors="replace") for file in demo.folder.glob("*.log")]
    assert asked
    assert logs
    assert not [told for told in (*asked, *logs) if "eyJ" in told]
    assert not [told for told in asked if "handoff=" in told.partition("#")[0]]
    assert not [told for told in logs if "handoff=" in told]
