"""Standing in, as people do it in the panel: press the button, say why, be led back."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from playwright.async_api import Locator, Page, expect

from bindings.impersonation import Impersonation
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry
from tests.browser.demo_process import Demo
from tests.browser.person import Person
from tests.cast import WHY, Cast, house_work, impersonate


def red(page: Page) -> Locator:
    """The bar that says who one really is and who one is signed in as."""
    return page.locator("[data-stand-in=impersonation]")


async def press(page: Page, person: str, button: str) -> None:
    """The button on somebody's row."""
    await page.get_by_role("row", name=re.compile(re.escape(person))).get_by_text(button, exact=True).first.click()


async def become(page: Page, subject: str, why: str = WHY) -> None:
    """Answer the question that the button opened, in this tab."""
    await page.locator("[name=reason]").fill(why)
    await page.get_by_role("button", name=f"Sign in as {subject}", exact=True).click()
    await expect(red(page)).to_be_visible()


async def become_at_app(page: Page, app: str, why: str = WHY) -> Page:
    """The same for an app: it opens in a new tab."""
    await page.locator("[name=reason]").fill(why)
    async with page.context.expect_page() as opened:
        await page.locator(f"button[name=app][value={app}]").click()
    tab = await opened.value
    # Through a page of ours that leads on: the question's own page may send no form elsewhere.
    await tab.wait_for_url(re.compile(rf"^http://{app}\."))
    return tab


async def stop(page: Page) -> None:
    """The button in the bar."""
    await red(page).get_by_role("button", name="Stop impersonating").click()
    await expect(red(page)).to_have_count(0)


async def told_of(demo: Demo, *verbs: str) -> Sequence[Entry]:
    """The lines of these kinds, oldest first."""
    store = Store(demo.database)
    try:
        async with house_work(store, datetime.now(UTC)) as session:
            wanted = sa.select(Entry).where(Entry.verb.in_(verbs)).order_by(Entry.id)
            return (await session.scalars(wanted)).all()
    finally:
        await store.close()


async def newest(demo: Demo) -> Impersonation:
    """The one that was started last."""
    store = Store(demo.database)
    try:
        async with house_work(store, datetime.now(UTC)) as session:
            return (await session.scalars(sa.select(Impersonation).order_by(Impersonation.id.desc()).limit(1))).one()
    finally:
        await store.close()


async def twenty_minutes_ago(demo: Demo, cast: Cast, who: Person, subject: str) -> None:
    """This browser stands in since then, as if time had passed."""
    store, then = Store(demo.database), datetime.now(UTC) - timedelta(minutes=20, seconds=1)
    try:
        number = await impersonate(store, cast, who.first, subject, then)
        async with house_work(store, datetime.now(UTC)) as session:
            mine = sa.select(SignIn).where(SignIn.user_id == cast.user(who.first).id, SignIn.ended_at.is_(None))
            row = (await session.scalars(mine.order_by(SignIn.id.desc()).limit(1))).one()
            row.impersonation_id = number
    finally:
        await store.close()
