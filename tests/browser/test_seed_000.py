"""The first document, sentence by sentence: impersonating an end user by binding one's own login to their extension."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from bindings.moving import move_tenant
from tenants.store import Store
from tenants.tree import Tenant
from tests.browser.conftest import Opening
from tests.browser.demo_process import Demo
from tests.browser.mailbox import follow_link
from tests.browser.person import choose_by_start, expect_seen
from tests.cast import Cast, work_as

pytestmark = pytest.mark.browser


async def test_the_seven_steps_of_the_article(somebody: Opening) -> None:
    """Sign in; System, Users; your own user; User Bindings; phone system and extension; log in as always; not you."""
    pia = await somebody("Pia")
    await pia.sign_in()
    system = pia.panel.get_by_role("navigation", name="System")
    await system.get_by_role("link", name="Users", exact=True).click()
    await pia.panel.get_by_role("link", name=pia.name).first.click()
    await pia.panel.get_by_role("link", name="User Bindings").click()
    await choose_by_start(pia.panel, "phone_system", "Dairy PBX")
    await choose_by_start(pia.panel, "extension", "101")
    await pia.panel.get_by_role("button", name="Save").click()
    softphone = await pia.log_in("softphone")
    await expect_seen(softphone, name="Dan Dale", extension="101", tenant="Dairy", acting="Pia Pine")


async def test_a_login_that_is_open_stays_who_it_was_until_the_next_one(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    softphone = await pia.log_in("softphone")
    await expect_seen(softphone, name="Pia Pine", extension="100", tenant="Pine")
    await pia.bind("Dairy PBX", "101")
    await pia.look_at("softphone")
    await expect_seen(softphone, name="Pia Pine", extension="100", tenant="Pine")
    await softphone.get_by_role("button", name="Log out").click()
    await expect(softphone.locator("#logged-out")).to_be_visible()
    await pia.log_in("softphone")
    await expect_seen(softphone, name="Dan Dale", extension="101", tenant="Dairy", acting="Pia Pine")


async def test_every_app_opens_as_that_extensions_user(somebody: Opening) -> None:
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    await olaf.bind("Bakery PBX", "201")
    for app in ("softphone", "desk-client", "desk-admin"):
        page = await olaf.log_in(app)
        await expect_seen(page, name="Bea Bell", extension="201", tenant="Bakery", acting="Olaf Olsen")


async def test_bea_is_not_interrupted_and_keeps_her_password(somebody: Opening) -> None:
    bea, olaf = await somebody("Bea"), await somebody("Olaf")
    await bea.sign_in()
    hers = await bea.log_in("softphone")
    await expect_seen(hers, name="Bea Bell", extension="201", tenant="Bakery")
    await olaf.sign_in()
    await olaf.bind("Bakery PBX", "201")
    await olaf.log_in("softphone")
    await bea.look_at("softphone")
    await expect_seen(hers, name="Bea Bell", extension="201", tenant="Bakery")
    again = await somebody("Bea")
    await again.sign_in()
    await expect(again.panel.get_by_role("heading", level=1)).to_be_visible()


async def test_elsa_meets_layer_makes_her_profile_in_zoo_and_is_zoe(somebody: Opening, demo: Demo, cast: Cast) -> None:
    """A distribution partner has a user in the customer's layer, and impersonates with that one."""
    elsa = await somebody("Elsa")
    await elsa.sign_in()
    await elsa.open_own_bindings()
    await elsa.choose("Zoo PBX", "201")
    await elsa.panel.get_by_role("button", name="Save").click()
    await elsa.panel.get_by_role("button", name="Create my profile in Zoo").click()
    await expect(elsa.panel.get_by_role("status")).to_contain_text("Your profile in Zoo is made")
    await elsa.panel.get_by_role("button", name="Save").click()
    await expect(elsa.bar(elsa.panel)).to_contain_text("Your app logins open as Zoe Zeller, ext 201 at Zoo")
    softphone = await elsa.log_in("softphone")
    await expect_seen(softphone, name="Zoe Zeller", extension="201", tenant="Zoo", acting="Elsa Eden (Elm)")

    # Ada hangs Zoo under another reseller: what led from Elm into it is dead.
    await move(demo, cast, "Zoo", "Pine")
    try:
        await elsa.look_at("softphone")
        await expect(softphone.locator("#signed-out")).to_be_visible()
        await elsa.panel.goto("/account/profiles")
        await expect(elsa.panel.get_by_role("button", name="Zoo, as")).to_have_count(0)
    finally:
        await move(demo, cast, "Zoo", "Elm")


async def move(demo: Demo, cast: Cast, name: str, under: str) -> None:
    """Ada moves a company; the demo's clock is the machine's."""
    store, now, ada = Store(demo.database), datetime.now(UTC), cast.actor("Ada")
    try:
        async with work_as(store, ada, now) as session:
            tenant = await session.get_one(Tenant, cast.tenant(name).id)
            parent = await session.get_one(Tenant, cast.tenant(under).id)
            await move_tenant(session, ada, tenant, parent, now)
    finally:
        await store.close()


async def test_a_separate_user_in_zoos_layer_binds_there(somebody: Opening) -> None:
    """Elsa invites another address of hers into Zoo, accepts by its letter, and that user binds to Zoe."""
    elsa = await somebody("Elsa")
    await elsa.sign_in()
    page = elsa.panel
    await page.goto("/users/new")
    await page.locator("[name=name]").fill("Elsa at Zoo")
    await page.locator("[name=email]").fill("elsa@zoo.example")
    await page.locator("[name=tenant]").select_option(label="Zoo")
    await page.locator("[name=role]").select_option("admin")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("status")).to_contain_text("An invitation to Zoo is on its way")

    herself = await somebody("Elsa", called="Elsa at Zoo", address="elsa@zoo.example")
    joining = await follow_link(herself, "Elsa Eden invites you to Zoo", "/join/")
    await joining.get_by_label("Choose a password").fill("a long enough password")
    await joining.get_by_role("button", name="Join Zoo").click()
    await expect(joining.get_by_role("heading", name="Second factor")).to_be_visible()
    await herself.bind("Zoo PBX", "201")
    softphone = await herself.log_in("softphone")
    await expect_seen(softphone, name="Zoe Zeller", extension="201", tenant="Zoo", acting="Elsa at Zoo")
