"""A real chromium in front of a real demo. Each test finds everybody unbound and signed out."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.async_api import Browser, async_playwright

from bindings.binding import Binding
from bindings.impersonation import Impersonation, end_all
from tenants.people import Membership
from tenants.roles import Role
from tenants.store import Store
from tests.browser.demo_process import REPOSITORY, Demo, running_demo
from tests.browser.newcomers import Newcomer, settle
from tests.browser.person import Person
from tests.cast import Cast, house_work, read_cast, work_as

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The apps' own names, whatever this machine's resolver makes of them; and nothing else is to be reached.
    "--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)

Opening = Callable[..., Awaitable[Person]]
Making = Callable[..., Awaitable[Newcomer]]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The panel with its cast and its three apps, started once for all stories."""
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="session")
def chromium_program() -> Path:
    """Debian's chromium, or the one that CHROMIUM names."""
    program = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
    if not program.exists():
        pytest.skip(f"no chromium at {program}; name one with CHROMIUM=/path/to/chromium")
    return program


@pytest.fixture(scope="session")
async def chromium(chromium_program: Path) -> AsyncIterator[Browser]:
    """The browser of all stories; each person gets a profile of their own in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_program, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def cast(demo: Demo) -> Cast:
    """Who is who in the demo's own database."""
    store = Store(demo.database)
    try:
        return await read_cast(store, {})
    finally:
        await store.close()


async def release_everybody(demo: Demo, cast: Cast) -> None:
    """Nobody stands in for anybody any more, and nobody has a profile in a customer's company."""
    store, now = Store(demo.database), datetime.now(UTC)
    try:
        async with house_work(store, now) as session:
            for binding in await session.scalars(sa.select(Binding).where(Binding.ended_at.is_(None))):
                await binding.end(session, "released", now)
            live = sa.select(Impersonation).where(Impersonation.ended_at.is_(None))
            await end_all(session, (await session.scalars(live)).all(), "ended_by_admin", now)
        ada = cast.actor("Ada")
        async with work_as(store, ada, now) as session:
            sponsored = sa.select(Membership).where(
                Membership.sponsor_id.is_not(None), Membership.discarded_at.is_(None)
            )
            for profile in (await session.scalars(sponsored)).all():
                await profile.discard(session, ada, now)
    finally:
        await store.close()


@pytest.fixture
async def somebody(demo: Demo, chromium: Browser, cast: Cast) -> AsyncIterator[Opening]:
    """`await somebody("Pia")`: Pia at her browser, not signed in yet. No page may complain in any story.

    `called` and `address` are for who is not of the cast.
    """
    opened: list[Person] = []

    async def open_browser(
        name: str, *, scripts: bool = True, called: str | None = None, address: str | None = None
    ) -> Person:
        context = await chromium.new_context(base_url=demo.panel, java_script_enabled=scripts)
        person = Person(name, demo, context, scripts, called=called, address=address)
        await person.sit_down()
        opened.append(person)
        return person

    yield open_browser
    complaints = [complaint for person in opened for complaint in person.complaints]
    for person in opened:
        await person.context.close()
    await release_everybody(demo, cast)
    assert complaints == []


@pytest.fixture
async def newcomer(demo: Demo, cast: Cast) -> AsyncIterator[Making]:
    """`await newcomer("Hanna Hart", "Clinic")`: somebody who signs in as the cast does; `phone` gives a softphone."""
    store = Store(demo.database)

    async def make(name: str, company: str, role: Role = Role.MEMBER, *, phone: bool = False) -> Newcomer:
        return await settle(store, cast, name, company, role, phone=phone)

    yield make
    await store.close()


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where pictures of the pages go, for people to look at: `SCREENSHOTS=1 bin/test tests/browser`."""
    if not os.environ.get("SCREENSHOTS"):
        return None
    folder = REPOSITORY / "screenshots"
    folder.mkdir(exist_ok=True)
    return folder
