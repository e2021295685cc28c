"""The page without a server that docs/connect-with-javascript.md shows, in a real chromium, for Pia bound to Dan."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from bindings.apps import App
from tenants.actor import Actor
from tenants.store import Store
from tenants.tree import Tenant
from tests.browser.conftest import Opening
from tests.browser.demo_process import REPOSITORY, Demo
from tests.browser.foreign import Foreign, serving
from tests.cast import Cast, bind, house_work

pytestmark = pytest.mark.browser

DOC = REPOSITORY / "docs" / "connect-with-javascript.md"
PAGE = """<!doctype html><html lang="en"><title>Calls</title><h1>Calls</h1><p id="said">…</p>
<button id="in">Log in</button><button id="out">Log out</button><script type="module" src="/page.js"></script>"""
PARTS = """
const said = document.getElementById("said");
document.getElementById("in").onclick = logIn;
document.getElementById("out").onclick = logOut;
try {
  await finish();
  const who = await whoIsIt();
  said.textContent = who ? `${who.name}, really ${who.act?.name ?? who.name}` : "nobody";
} catch (error) {
  said.textContent = error.message;
}
"""


@pytest.fixture
async def spa(demo: Demo, cast: Cast) -> AsyncIterator[Foreign]:
    """The documented page at an origin of its own, known to the panel as one without a secret."""
    with serving(demo, cast) as app:
        store, now = Store(demo.database), datetime.now(UTC)
        try:
            async with house_work(store, now) as session:
                owner = await session.get_one(Tenant, cast.tenant("Acme").id)
                known, _ = await App.register(
                    session,
                    Actor.house("the story"),
                    owner,
                    name="My page",
                    client_id="my-page",
                    redirect_uris=[f"{app.origin}/"],
                    post_logout_redirect_uris=[f"{app.origin}/"],
                    kind="spa",
                    first_party=True,
                    now=now,
                )
            found = re.search(r"```js\n(.*?)```", DOC.read_text("utf-8"), flags=re.S)
            assert found
            code = found[1].replace("https://panel.example", demo.panel)
            policy = f"default-src 'none'; script-src 'self'; connect-src {demo.panel}"
            app.serve("/", PAGE, policy=policy)
            app.serve("/page.js", code + PARTS, kind="text/javascript")
            yield app
            async with house_work(store, datetime.now(UTC)) as session:
                await (await session.get_one(App, known.id)).discard(session, datetime.now(UTC))
        finally:
            await store.close()


async def test_a_page_without_a_server_sees_dan_and_that_pia_acts(
    spa: Foreign, demo: Demo, cast: Cast, somebody: Opening
) -> None:
    store = Store(demo.database)
    try:
        await bind(store, cast, "Pia", "Dairy", "101", datetime.now(UTC))
    finally:
        await store.close()
    pia = await somebody("Pia")
    page = pia.panel
    await page.goto(f"{spa.origin}/")
    await expect(page.locator("#said")).to_have_text("nobody")
    await page.click("#in")
    await pia.sign_in(page)
    await expect(page.locator("#said")).to_have_text("Dan Dale, really Pia Pine")
    assert page.url == f"{spa.origin}/"
    await page.reload()
    await expect(page.locator("#said")).to_have_text("Dan Dale, really Pia Pine")
    await page.click("#out")
    await expect(page.locator("#said")).to_have_text("nobody")
