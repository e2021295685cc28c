"""Everything that somebody has open at once, and which of it still answers."""

from dataclasses import dataclass

import httpx

from tenants.api_keys import SCOPES, ApiKey
from tenants.people import find_membership
from tests.cast import PASSWORD, house_work
from tests.control.openid.story import Client, Panel, Tokens
from tests.control.pages.visit import PANEL

WITH_EXTENSION = {"Bea"}
"""Who has an extension to log in to the softphone with."""


@dataclass
class Opened:
    """Everything that somebody had open when it came."""

    browser: httpx.AsyncClient
    key: str
    tokens: Tokens | None


async def open_all(panel: Panel, softphone: Client, name: str) -> Opened:
    browser = await panel.sign_in(name)
    async with house_work(panel.store, panel.clock.now) as session:
        membership = await find_membership(session, panel.cast.membership_id(name))
        _, key = await ApiKey.make(session, membership, "theirs", list(SCOPES), 90, panel.clock.now)
    return Opened(browser, key, await softphone.log_in(browser) if name in WITH_EXTENSION else None)


async def works(panel: Panel, softphone: Client, opened: Opened) -> dict[str, bool]:
    """Which services answer."""
    page = await opened.browser.get("/account", headers={"Accept": "text/html"})
    api = await panel.browser().get("/api/v1/me", headers={"Authorization": f"Bearer {opened.key}"})
    found = {"page": page.status_code == 200, "key": api.status_code == 200}
    if opened.tokens is None:
        return found
    found["introspection"] = bool((await softphone.introspect(opened.tokens.access))["active"])
    found["userinfo"] = (await softphone.userinfo(opened.tokens.access)).status_code == 200
    renewed = await softphone.renew(opened.tokens.refresh)
    if renewed.status_code == 200:
        opened.tokens = Tokens(renewed.json(), opened.tokens.claims)
    return found | {"refresh": renewed.status_code == 200}


async def may_sign_in(panel: Panel, name: str) -> bool:
    """With the right password, at the sign-in page."""
    browser = panel.browser()
    await browser.get("/sign-in", headers={"Accept": "text/html"})
    form = await browser.get("/sign-in", headers={"Accept": "text/html"})
    token = form.text.partition('name="_csrf_token" value="')[2].partition('"')[0]
    sent = {"email": panel.cast.user(name).email, "password": PASSWORD, "_csrf_token": token}
    answer = await browser.post("/sign-in", data=sent, headers={"Accept": "text/html", "Origin": PANEL})
    return answer.status_code == 303
