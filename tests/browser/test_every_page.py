"""What holds for every page: people can use it in light and dark, large and small, and it shows a binding."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler
from playwright.async_api import Browser, expect

from bindings.binding import Binding
from bindings.webhook_deliveries import WebhookDelivery
from bindings.webhooks import Webhook
from control.app import create_app
from control.settings import Settings
from tenants.actor import Actor
from tenants.invitations import Invitation
from tenants.playbooks import Playbook
from tenants.roles import Role
from tenants.service_accounts import ServiceAccount
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Tenant
from tests.browser.conftest import Opening, release_everybody
from tests.browser.demo_process import Demo
from tests.browser.looking import faults, overflow, photograph
from tests.browser.pages import ELSEWHERE, PLACES, Known, Place
from tests.browser.person import Person
from tests.cast import Cast, house_work, impersonate

pytestmark = pytest.mark.browser

LOOKERS = sorted({place.who for place in PLACES})
BOUND = {"Ada", "Pia"}
"""Those who look at pages with the amber bar above them."""


@pytest.fixture(scope="module")
async def lookers(demo: Demo, chromium: Browser, cast: Cast) -> AsyncIterator[dict[str, Person]]:
    """Pia and Ada, signed in and bound to Dan for as long as the pages are looked at."""
    lookers = {}
    for name in LOOKERS:
        context = await chromium.new_context(base_url=demo.panel, reduced_motion="reduce")
        lookers[name] = Person(name, demo, context)
        await lookers[name].sit_down()
        await lookers[name].sign_in()
        if name in BOUND:
            await lookers[name].bind("Dairy PBX", "101")
    yield lookers
    for looker in lookers.values():
        await looker.context.close()
    await release_everybody(demo, cast)


@pytest.fixture(scope="module")
async def known(demo: Demo, cast: Cast, lookers: dict[str, Person]) -> Known:
    store, now = Store(demo.database), datetime.now(UTC)
    try:
        async with house_work(store, now) as session:
            newest = sa.select(sa.func.max(Entry.id)).where(Entry.tenant_id == cast.tenant("Dairy").id)
            bound = sa.select(sa.func.max(Binding.id)).where(Binding.tenant_id == cast.tenant("Dairy").id)
            numbers = [(await session.execute(wanted)).scalar_one() for wanted in (newest, bound)]
            dairy, nobody = await session.get_one(Tenant, cast.tenant("Dairy").id), Actor.house("the story")
            playbook = await Playbook.write(session, nobody, dairy, "Oven down", "# Oven\n\nCall Dan.", "", now)
            await playbook.revise(session, nobody, "Oven down", "# Oven\n\nCall Dina.", "", now, seen=1)
            offer = await Invitation.prepare(session, nobody, dairy.id, "dot@new.example", "Dot", Role.MEMBER, now)
            hook, _ = await Webhook.make(
                session, b"k" * 32, dairy, "https://hooks.dairy.example/", ["binding.made"], now
            )
            await hook.test(session, now)
            await WebhookDelivery.give_up_all(session, hook.id, now)
            account, _ = await ServiceAccount.make(session, nobody, dairy, "Till", Role.MEMBER, ["read"], now)
        # An hour ago, so that by now it is over.
        past = await impersonate(store, cast, "Paul", "Dan", now - timedelta(hours=1), at="Dairy")
        return Known(cast, *numbers, playbook.id, offer.id, past, hook.id, account.id)
    finally:
        await store.close()


@pytest.fixture
async def looker(request: pytest.FixtureRequest, lookers: dict[str, Person], known: Known) -> Person:
    """Who looks, with the page before them; it has to answer as the table says."""
    place: Place = request.getfixturevalue("place")
    looker = lookers[place.who]
    answer = await looker.panel.goto(place.where(known))
    assert answer is not None
    assert answer.status == place.status
    return looker


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_people_can_use_it_and_it_shows_the_binding(
    place: Place, looker: Person, screenshots: Path | None
) -> None:
    if place.who in BOUND:
        bar = looker.bar(looker.panel)
        await expect(bar).to_have_count(1)
        await expect(bar).to_contain_text("Dan Dale, ext 101 at Dairy")
        await expect(bar.get_by_role("button", name="Remove binding")).to_be_visible()
    await photograph(looker.panel, screenshots, place.name)
    assert await faults(looker.panel) == []
    assert await overflow(looker.panel) <= 0
    assert looker.complaints == []


def test_every_door_for_browsers_is_in_the_table(tmp_path: Path) -> None:
    app = create_app(Settings.load({"UNDERSTUDY_DATA_DIR": str(tmp_path)}))
    pages = {
        route.path
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if isinstance(handler, HTTPRouteHandler)
        and "GET" in handler.http_methods
        and handler.opt.get("credential", "cookie") == "cookie"
    }
    assert sorted(pages - {place.route for place in PLACES} - set(ELSEWHERE)) == []


async def test_a_page_that_people_cannot_use_is_noticed(somebody: Opening) -> None:
    pia = await somebody("Pia")
    page = "<html lang=en><title>x</title><main><h1>x</h1><button></button>{}</main></html>"
    await pia.panel.set_content(page.format(""))
    assert len(await faults(pia.panel)) == 2, "on a desk and on a phone"
    await pia.panel.set_content(page.format("<p style='color: #ccc; background: #fff'>pale</p>"))
    assert len(await faults(pia.panel)) == 6, "and what is too pale, in light and in dark"
    await pia.panel.set_content("<html lang=en><title>x</title><main><h1>x</h1>" + "wide" * 200 + "</main></html>")
    assert await overflow(pia.panel) > 0


async def test_a_page_that_breaks_the_security_policy_is_noticed(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.panel.goto("/sign-in")
    async with pia.panel.expect_console_message():
        await pia.panel.evaluate("() => document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")
    await pia.panel.goto("/sign-in")
    assert "Content Security Policy" in pia.complaints[0]
    pia.complaints.clear()
