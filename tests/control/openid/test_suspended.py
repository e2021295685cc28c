"""What a suspension shuts, service by service, at every level and scope; and that lifting it brings nothing back."""

from dataclasses import dataclass

import httpx

from bindings.endings import suspend_tenant
from tenants.api_keys import SCOPES, ApiKey
from tenants.people import find_membership
from tenants.tree import Scope, Suspension, Tenant
from tests.cast import PASSWORD, house_work, work_as
from tests.control.openid.story import Client, Panel, Tokens
from tests.control.pages.visit import PANEL

REASON = "unpaid since May"
PEOPLE = {"Nora": "North", "Olaf": "Oak", "Bea": "Bakery"}


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
    return Opened(browser, key, await softphone.log_in(browser) if name == "Bea" else None)


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


async def test_every_service_at_every_level(panel: Panel, softphone: Client) -> None:
    """B24, B29: shut while closed, each of them; open for everybody else; and nothing comes back by lifting."""
    ada = panel.cast.actor("Ada")
    for place, scope, shut in (
        ("North", Scope.STAFF, {"Nora"}),
        ("North", Scope.ALL, {"Nora", "Olaf", "Bea"}),
        ("Oak", Scope.STAFF, {"Olaf"}),
        ("Oak", Scope.ALL, {"Olaf", "Bea"}),
        ("Bakery", Scope.STAFF, {"Bea"}),
        ("Bakery", Scope.ALL, {"Bea"}),
    ):
        before = {name: await open_all(panel, softphone, name) for name in PEOPLE}
        async with work_as(panel.store, ada, panel.clock.now) as session:
            tenant = await session.get_one(Tenant, panel.cast.tenant(place).id)
            row = await suspend_tenant(session, ada, tenant, scope, REASON, panel.clock.now)
        for name, opened in before.items():
            said = await works(panel, softphone, opened)
            assert set(said.values()) == {name not in shut}, f"{place} {scope}: {name} {said}"
        assert not await may_sign_in(panel, min(shut)), f"{place} {scope}"
        async with work_as(panel.store, ada, panel.clock.now) as session:
            await (await session.get_one(Suspension, row.id)).lift(session, ada, panel.clock.now)
        for name, opened in before.items():
            said = await works(panel, softphone, opened)
            assert set(said.values()) == {name not in shut}, f"lifted {place} {scope}: {name} {said}"
        assert await may_sign_in(panel, min(shut)), f"lifted {place} {scope}"
        again = await open_all(panel, softphone, "Bea")
        assert set((await works(panel, softphone, again)).values()) == {True}
