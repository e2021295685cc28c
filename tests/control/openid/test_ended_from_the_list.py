"""End from Active Impersonation Sessions, and what the app's token is worth a moment later."""

import pytest

from tests.control.openid.opening import open_as, taken, the_row
from tests.control.openid.story import Client, Panel
from tests.control.pages.visit import Panel as Pages


@pytest.mark.parametrize("name", ["Boris", "Nora"])
async def test_t21_b6_an_admins_end_is_felt_by_the_app_at_once(panel: Panel, softphone: Client, name: str) -> None:
    opened = await open_as(panel, "Olaf", "Bea", at="Bakery")
    token = str((await taken(softphone, opened))["access_token"])
    assert (await softphone.introspect(token))["active"] is True
    pages = Pages(panel.app, panel.store, panel.cast, panel.clock)
    admin = await pages.visit(name, "/impersonations")
    answer = await admin.send(f"/impersonations/{opened.id}/end")
    assert answer.status_code == 303
    assert await softphone.introspect(token) == {"active": False}
    assert (await the_row(panel, opened.id)).ended_cause == "ended_by_admin"


async def test_b6_clara_ends_nothing_at_bakery(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea", at="Bakery")
    token = str((await taken(softphone, opened))["access_token"])
    pages = Pages(panel.app, panel.store, panel.cast, panel.clock)
    clara = await pages.visit("Clara", "/impersonations")
    assert (await clara.send(f"/impersonations/{opened.id}/end")).status_code == 404
    assert (await softphone.introspect(token))["active"] is True


async def test_when_the_world_stops_each_app_feels_it(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Pia", "Dan", at="Dairy")
    token = str((await taken(softphone, opened))["access_token"])
    pages = Pages(panel.app, panel.store, panel.cast, panel.clock)
    ada = await pages.visit("Ada", "/impersonations/stop-the-world")
    sent = {"slug": "acme", "reason": "a laptop with open sign-ins was stolen"}
    assert (await ada.send("/impersonations/stop-the-world", sent)).status_code == 303
    assert await softphone.introspect(token) == {"active": False}
