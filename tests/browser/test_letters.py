"""The pages that the links of letters lead to: a newcomer comes in, a password is set, an address has its say."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tenants.email_changes import EmailChange
from tenants.invitations import Invitation, send
from tenants.links import Link, Purpose
from tenants.people import User
from tenants.roles import Role
from tenants.store import Store
from tests.browser.conftest import Opening
from tests.browser.demo_process import Demo
from tests.browser.looking import faults, overflow, photograph
from tests.cast import Cast, house_work, work_as

pytestmark = pytest.mark.browser

Check = Callable[[Page, str], Awaitable[None]]
HOUR = timedelta(hours=1)


@pytest.fixture
def expect_usable(screenshots: Path | None) -> Check:
    """Takes pictures and asks axe."""

    async def check(page: Page, name: str) -> None:
        await photograph(page, screenshots, name)
        assert await faults(page) == []
        assert await overflow(page) <= 0

    return check


async def test_a_newcomer_opens_the_letter_and_comes_in(
    somebody: Opening, demo: Demo, cast: Cast, expect_usable: Check
) -> None:
    store, now, olaf = Store(demo.database), datetime.now(UTC), cast.actor("Olaf")
    async with work_as(store, olaf, now) as session:
        here = cast.tenant("Clinic").id
        nick = await Invitation.prepare(session, olaf, here, "nick@new.example", "Nick New", Role.MEMBER, now)
        token, copied = await send(session, olaf, [nick], now), await nick.copy_link(session, olaf, now)
    await store.close()
    stranger = (await somebody("Pete")).panel
    await stranger.goto(f"/join/{copied}")
    await expect(stranger.get_by_role("button", name="Send the letter to nick@new.example")).to_be_visible()
    await expect_usable(stranger, "join by a copied link")
    await stranger.goto(f"/join/{token}")
    await expect_usable(stranger, "join")
    await stranger.get_by_label("Choose a password").fill("a long enough password")
    await stranger.get_by_role("button", name="Join Clinic").click()
    await stranger.wait_for_url("**/account/second-factor**")
    await stranger.goto(f"/join/{token}")
    await expect(stranger.get_by_role("heading", name="This link cannot be used")).to_be_visible()
    await expect_usable(stranger, "join spent")


async def test_a_forgotten_password(somebody: Opening, demo: Demo, cast: Cast, expect_usable: Check) -> None:
    store, now = Store(demo.database), datetime.now(UTC)
    async with house_work(store, now) as session:
        secret = await Link.make(session, Purpose.RESET, HOUR, now, user_id=cast.user("Dina").id)
    await store.close()
    dina = (await somebody("Dina")).panel
    await dina.goto("/sign-in")
    await dina.get_by_role("link", name="Forgot your password?").click()
    await dina.get_by_label("E-mail").fill("nobody@nowhere.example")
    await dina.get_by_role("button", name="Send the letter").click()
    await expect(dina.get_by_role("heading", name="Look into your mailbox")).to_be_visible()
    await expect_usable(dina, "forgot sent")
    await dina.goto(f"/reset/{secret}")
    await expect_usable(dina, "reset")


async def test_the_old_address_has_its_say(somebody: Opening, demo: Demo, cast: Cast, expect_usable: Check) -> None:
    store, now, pia = Store(demo.database), datetime.now(UTC), cast.actor("Pia")
    async with work_as(store, pia, now) as session:
        dina = await session.get_one(User, cast.user("Dina").id)
        change = await EmailChange.ask(session, pia, dina, "dina@new.example", now)
    async with house_work(store, now) as session:
        link = await Link.make(session, Purpose.EMAIL_CONFIRM, HOUR, now, user_id=dina.id, about_id=change.id)
    await store.close()
    reader = (await somebody("Dina")).panel
    await reader.goto(f"/email/confirm/{link}")
    await expect_usable(reader, "address to confirm")
    await reader.get_by_role("button", name="Confirm dina@new.example").click()
    await expect(reader.get_by_role("heading", name="Confirmed")).to_be_visible()
    # The letter that this writes holds a newer link; the page is the same.
    store = Store(demo.database)
    async with house_work(store, now) as session:
        newest = await Link.make(session, Purpose.EMAIL_AGREE, HOUR, now, user_id=dina.id, about_id=change.id)
    await store.close()
    await reader.goto(f"/email/agree/{newest}")
    await expect_usable(reader, "address to agree to")
    await reader.get_by_role("button", name="Cancel the change").click()
    await expect(reader.get_by_role("heading", name="Cancelled")).to_be_visible()
