"""Discarding people from the list: named before it is done, each under the rank guard, and taken back with Undo."""

import re
from html import unescape

import httpx
import pytest
import sqlalchemy as sa

from tenants.api_keys import ApiKey
from tenants.people import User, find_membership
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.cast import bind, house_work, work_as
from tests.control.pages.test_users import names_on
from tests.control.pages.visit import Panel, Visit, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def ids(panel: Panel, *names: str) -> list[str]:
    return [str(panel.cast.user(name).id) for name in names]


def asked(answer: httpx.Response) -> list[str]:
    """Whom the page that asks would discard."""
    return re.findall(r'<input type="hidden" name="id" value="(\d+)">', answer.text)


async def take_back(visit: Visit) -> httpx.Response:
    """Press Undo on the notice."""
    found = re.search(r'<form method="post" action="(/users/undiscard[^"]*)"', visit.shown.text)
    assert found is not None
    return await visit.send(unescape(found[1]))


async def discarded(panel: Panel) -> set[str]:
    async with house_work(panel.store) as session:
        return set(await session.scalars(sa.select(User.name).where(User.discarded_at.is_not(None))))


async def test_the_question_names_the_person_and_what_ends(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Paul", "Dairy", "101", panel.clock.now)
    async with work_as(panel.store, panel.cast.actor("Paul"), panel.clock.now) as session:
        paul = await find_membership(session, panel.cast.membership_id("Paul"))
        await ApiKey.make(session, paul, "script", ["read"], 90, panel.clock.now)
    await panel.visit("Paul")
    path = f"/users/{panel.cast.user('Paul').id}"
    pia = await panel.visit("Pia", path)
    assert f'href="{path}/discard" data-dialog' in pia.shown.text
    shown = words(await pia.open(f"{path}/discard"))
    assert (
        "Discard Paul Penn? Paul Penn loses access at once. 1 binding ends. 1 sign-in ends. 1 API key ends. "
        "The record stays, and you can undiscard."
    ) in shown
    await pia.follow(await pia.send(f"{path}/discard"))
    assert "Paul Penn is discarded" in words(pia.shown)


async def test_a_binding_to_somebody_is_told_apart_from_their_own(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    pia = await panel.visit("Pia", f"/users/{panel.cast.user('Dan').id}/discard")
    assert "Dan Dale loses access at once. 1 binding to them stops working. The record" in words(pia.shown)


async def test_who_cannot_be_discarded_is_said_on_their_page(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Ben').id}"
    clara = await panel.visit("Clara", path)
    assert "Discard This must be done by the person or by their home organization." in words(clara.shown)
    assert (await clara.open(f"{path}/discard")).status_code == 403


async def test_two_are_ticked_discarded_and_taken_back(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Paul", "Dairy", "101", panel.clock.now)
    chosen = ids(panel, "Paul", "Pete")
    pia = await panel.visit("Pia", f"/users/discard?id={chosen[0]}&id={chosen[1]}&role=member")
    assert "Discard 2 people?" in words(pia.shown)
    assert "Paul Penn paul@pine.example 1 binding ends." in words(pia.shown)
    assert asked(pia.shown) == chosen
    answer = await pia.send("/users/discard", {"id": chosen, "role": "member"})
    assert answer.headers["location"] == "/users?role=member"
    await pia.follow(answer)
    assert "2 people are discarded and have no access any more." in words(pia.shown)
    assert names_on((pia.shown).text) == ["Dan Dale", "Dina Dove"]
    answer = await take_back(pia)
    assert "2 people are back, as plain members." in words(await pia.follow(answer))
    assert await discarded(panel) == set()


async def test_the_list_has_a_box_for_each_and_one_for_all_and_works_without_script(panel: Panel) -> None:
    pia = await panel.visit("Pia", "/users?role=member")
    assert '<form class="bulk" id="chosen" method="get" action="/users/discard">' in pia.shown.text
    assert pia.shown.text.count('name="id"') == 3
    assert "Select all 3" in words(pia.shown)
    everything = await pia.open("/users/discard?everything=1&role=member")
    assert asked(everything) == ids(panel, "Dan", "Dina", "Pete")
    opal = await panel.visit("Opal", "/users")
    assert 'class="bulk"' not in opal.shown.text
    assert (await opal.open("/users/discard?everything=1")).status_code == 403


async def test_those_who_are_refused_are_named_and_do_not_stop_the_others(panel: Panel) -> None:
    chosen = ids(panel, "Clara", "Ben", "Cora")
    clara = await panel.visit("Clara", f"/users/discard?id={chosen[0]}&id={chosen[1]}&id={chosen[2]}")
    assert asked(clara.shown) == ids(panel, "Cora")
    shown = words(clara.shown)
    assert "You cannot discard them Ben Bond This must be done by the person" in shown
    # Sent all the same, the guard says it again.
    told = await clara.send("/users/discard", {"id": chosen})
    assert (told.status_code, "1 person is discarded" in words(told)) == (200, True)
    assert "These were not Ben Bond This must be done by the person" in words(told)
    assert await discarded(panel) == {"Cora Crane"}
    async with house_work(panel.store) as session:
        refused = (await session.scalars(sa.select(Entry).where(Entry.verb == Verb.REFUSED))).all()
    assert [(entry.actor_name, entry.details["rule"]) for entry in refused] == [("Clara Cole", "rank")] * 2
    again = await clara.send("/users/discard", {"id": ids(panel, "Cora")})
    assert (again.status_code, "Cora Crane is discarded already." in words(again)) == (409, True)


async def test_one_who_is_out_of_reach_stops_it_all_and_is_not_told_of(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    for stranger in (*ids(panel, "Zoe"), "999999", "0", "x"):
        pair = [*ids(panel, "Pete"), stranger]
        assert (await pia.open(f"/users/discard?id={pair[0]}&id={pair[1]}")).status_code == 404
        await pia.open("/users")
        assert (await pia.send("/users/discard", {"id": pair})).status_code == 404
        assert (await pia.send(f"/users/undiscard?ids={'.'.join(pair)}")).status_code == 404
    assert await discarded(panel) == set()


async def test_nobody_and_too_many_are_refused(panel: Panel) -> None:
    pia = await panel.visit("Pia", "/users")
    assert (await pia.send("/users/discard", {})).status_code == 422
    assert (await pia.send("/users/discard", {"id": [str(number) for number in range(1, 202)]})).status_code == 422
    assert (await pia.open("/users/discard")).status_code == 422
    assert (await pia.open("/users/discard?everything=1&q=nobody")).status_code == 422


async def test_what_was_discarded_above_is_not_taken_back_below(panel: Panel) -> None:
    bea = panel.cast.user("Bea").id
    olaf = await panel.visit("Olaf", "/users")
    await olaf.send("/users/discard", {"id": ids(panel, "Bea")})
    boris = await panel.visit("Boris", "/users")
    told = await boris.send(f"/users/undiscard?ids={bea}")
    assert (told.status_code, "0 people are back" in words(told), "Bea Bell" in words(told)) == (409, True, True)
    assert await discarded(panel) == {"Bea Bell"}
