"""Two admins at one record: the second is told what the first changed, and nothing that anybody typed is lost."""

import asyncio
import re
from html import unescape

import httpx
import pytest

from tenants.people import User
from tenants.tree import Tenant
from tests.cast import house_work
from tests.control.pages.visit import Panel, Visit, words


def seen_of(visit: Visit) -> dict[str, str]:
    """How much of the record's history the open form knows of."""
    return {"_seen": visit.hidden("_seen")}


def typed(answer: httpx.Response, name: str) -> str:
    """What a field of a form holds."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', answer.text)
    return unescape(found[1]) if found else ""


async def zone_of_dairy(panel: Panel) -> tuple[str, str]:
    async with house_work(panel.store) as session:
        dairy = await session.get_one(Tenant, panel.cast.tenant("Dairy").id)
        return dairy.name, dairy.zone


async def test_ada_saves_after_pia_and_is_told_what_pia_changed(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Dina').id}"
    ada, pia = await panel.visit("Ada", path), await panel.visit("Pia", path)
    assert (await pia.send(path, {"name": "Dina Dawn", **seen_of(pia)})).status_code == 303
    told = await ada.send(path, {"name": "Dina Day", **seen_of(ada)})
    assert told.status_code == 409
    assert "Pia Pine changed the user Dina Dawn, 09:00 London" in words(told)
    assert "was Dina Dove → now Dina Dawn" in words(told)
    assert typed(told, "name") == "Dina Day"
    # She saves again, knowing it.
    ada.page = told
    assert (await ada.send(path, {"name": "Dina Day", **seen_of(ada)})).status_code == 303
    history = words(await ada.open(path + "/history"))
    assert "was Dina Dawn → now Dina Day" in history


async def test_a_third_change_is_told_as_well(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Dina').id}"
    ada, pia = await panel.visit("Ada", path), await panel.visit("Pia", path)
    await pia.send(path, {"name": "Dina Dawn", **seen_of(pia)})
    ada.page = await ada.send(path, {"name": "Dina Day", **seen_of(ada)})
    await pia.open(path)
    await pia.send(path, {"name": "Dina Dusk", **seen_of(pia)})
    told = await ada.send(path, {"name": "Dina Day", **seen_of(ada)})
    assert (told.status_code, "now Dina Dusk" in words(told), "now Dina Dawn" in words(told)) == (409, True, False)


async def test_a_change_of_something_else_is_nobodys_concern(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Paul').id}"
    pia, paul = await panel.visit("Pia", path), await panel.visit("Paul")
    await paul.send("/account/theme", {"theme": "dark"})
    assert (await pia.send(path, {"name": "Paul Pond", **seen_of(pia)})).status_code == 303


async def test_two_who_type_the_same_have_nothing_to_settle(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Dina').id}"
    ada, pia = await panel.visit("Ada", path), await panel.visit("Pia", path)
    await pia.send(path, {"name": "Dina Dawn", **seen_of(pia)})
    assert (await ada.send(path, {"name": "Dina Dawn", **seen_of(ada)})).status_code == 303


async def test_an_untouched_field_of_an_old_form_does_not_undo_a_newer_value(panel: Panel) -> None:
    path = f"/companies/{panel.cast.tenant('Dairy').id}/edit"
    ada, pia = await panel.visit("Ada", path), await panel.visit("Pia", path)
    form = {"name": "Dairy", "slug": "dairy", "zone": "Europe/London"}
    await pia.send(path, form | {"zone": "Europe/Paris"} | seen_of(pia))
    told = await ada.send(path, form | {"name": "Dairy Ltd"} | seen_of(ada))
    assert (told.status_code, "now Europe/Paris" in words(told), typed(told, "name")) == (409, True, "Dairy Ltd")
    assert await zone_of_dairy(panel) == ("Dairy", "Europe/Paris")


async def test_phone_system_extension_and_app_are_kept_the_same_way(panel: Panel) -> None:
    cast = panel.cast
    forms = {
        f"/phone-systems/{cast.phone_system_id('Dairy')}": {"name": "Dairy PBX", "host": "dairy.pbx.example"},
        f"/extensions/{cast.extension('Dairy', '101').id}": {"name": "", "membership": str(cast.membership_id("Dan"))},
        f"/apps/{cast.app_id('softphone')}": {
            "name": "Softphone",
            "redirect_uris": "http://softphone.localhost:8100/callback",
            "post_logout_redirect_uris": "",
            "login_uri": "",
        },
    }
    for path, form in forms.items():
        first, second = await panel.visit("Ada", path), await panel.visit("Ada", path)
        assert (await first.send(path, form | {"name": "First"} | seen_of(first))).status_code == 303, path
        told = await second.send(path, form | {"name": "Second"} | seen_of(second))
        assert (told.status_code, typed(told, "name")) == (409, "Second"), path
        assert "now First" in words(told), path


async def test_a_forged_number_gets_nobody_anywhere(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Zoe').id}"
    pia = await panel.visit("Pia")
    assert (await pia.send(path, {"name": "Mallory", "_seen": "1"})).status_code == 404
    own = f"/users/{panel.cast.user('Dina').id}"
    assert (await pia.send(own, {"name": "Dina Dawn", "_seen": "no number"})).status_code == 303


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_of_two_who_save_at_once_one_is_told(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Dina').id}"
    ada, pia = await panel.visit("Ada", path), await panel.visit("Pia", path)
    answers = await asyncio.gather(
        ada.send(path, {"name": "Dina Day", **seen_of(ada)}), pia.send(path, {"name": "Dina Dawn", **seen_of(pia)})
    )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    async with house_work(panel.store) as session:
        name = (await session.get_one(User, panel.cast.user("Dina").id)).name
    assert name == ("Dina Day" if answers[0].status_code == 303 else "Dina Dawn")
