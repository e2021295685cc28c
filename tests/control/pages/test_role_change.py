"""Another role: what it takes along is counted through the guard before, and is gone after."""

import pytest
import sqlalchemy as sa

from bindings.binding import Binding, staleness
from bindings.facts import fetch_facts
from bindings.guard import Act, judge
from bindings.impersonation import Impersonation
from bindings.role_change import preview
from tenants.api_keys import ApiKey
from tenants.people import Membership, find_membership
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.cast import NOW, Cast, bind, house_work, work_as
from tests.cast import impersonate as start
from tests.control.pages.visit import Panel, words

ONE_DATABASE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def role_of(panel: Panel, name: str) -> str:
    """Where the role of somebody at home is changed."""
    identity = panel.cast.identity(name)
    return f"/companies/{identity.tenant_id}/members/{identity.membership_id}/role"


async def impersonate(panel: Panel, name: str, subject: str) -> int:
    """Somebody stands in for another now."""
    return await start(panel.store, panel.cast, name, subject, panel.clock.now)


async def key_of(panel: Panel, name: str) -> None:
    async with work_as(panel.store, panel.cast.actor(name), panel.clock.now) as session:
        membership = await find_membership(session, panel.cast.membership_id(name))
        await ApiKey.make(session, membership, "script", ["read"], 90, panel.clock.now)


@ONE_DATABASE
async def test_the_choice_says_what_each_role_takes_along(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Opal", "Bakery", "201", panel.clock.now)
    await key_of(panel, "Opal")
    await impersonate(panel, "Opal", "Cora")
    olaf = await panel.visit("Olaf", role_of(panel, "Opal"))
    shown = words(olaf.shown)
    takes = (
        "1 binding of theirs stops working. 1 impersonation ends. 1 API key loses rights. "
        "There are 8 people for whom they can no longer stand in."
    )
    assert f"Their own profile and extension. {takes}" in shown
    assert "history. Operator" in shown, "an admin may all that an operator may"


@ONE_DATABASE
async def test_a_promotion_ends_what_reaches_up_to_them(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Paul", "Pine", "101", panel.clock.now)
    pia = await panel.visit("Pia", role_of(panel, "Pete"))
    shown = words(pia.shown)
    assert (
        "Admin Everything here and below: people, phones, policy, standing in, history. 1 binding to them stops"
        in shown
    )
    assert "Supervisor Invites members and stands in for the teams they lead. Auditor" in shown


@ONE_DATABASE
async def test_a_lead_loses_their_team(panel: Panel) -> None:
    boris = await panel.visit("Boris", role_of(panel, "Bruno"))
    assert (
        "They lead 1 team, and no longer stand in for its people. "
        "There are 2 people for whom they can no longer stand in."
    ) in words(boris.shown)


@ONE_DATABASE
async def test_opal_is_auditor_and_what_she_held_is_over(panel: Panel) -> None:
    held = await bind(panel.store, panel.cast, "Opal", "Bakery", "201", panel.clock.now)
    now_on = await impersonate(panel, "Opal", "Cora")
    olaf = await panel.visit("Olaf", role_of(panel, "Opal"))
    assert (await olaf.send(role_of(panel, "Opal"), {"role": "auditor"})).status_code == 303
    async with house_work(panel.store, panel.clock.now) as session:
        stale = await staleness(session, await session.get_one(Binding, held), panel.clock.now)
        impersonation = await session.get_one(Impersonation, now_on)
        told = await session.scalars(sa.select(Entry.verb).where(Entry.record_type == "impersonations"))
        assert (stale and stale.rule, impersonation.ended_cause) == ("permission", "rights_lost")
        assert list(told)[1:] == [Verb.IMPERSONATION_ENDED]


@ONE_DATABASE
async def test_what_the_guard_still_allows_goes_on(panel: Panel) -> None:
    now_on = await impersonate(panel, "Olaf", "Cora")
    ada = await panel.visit("Ada", role_of(panel, "Olaf"))
    assert (await ada.send(role_of(panel, "Olaf"), {"role": "operator"})).status_code == 303
    async with house_work(panel.store) as session:
        assert (await session.get_one(Impersonation, now_on)).ended_at is None


async def test_nobody_is_told_of_a_role_they_may_not_change(panel: Panel) -> None:
    clara = await panel.visit("Clara")
    assert (await clara.open(role_of(panel, "Opal"))).status_code == 404
    opal = await panel.visit("Opal")
    assert (await opal.open(role_of(panel, "Bea"))).status_code == 403


async def test_the_people_counted_are_those_whom_the_guard_allows(store: Store, cast: Cast) -> None:
    """South asks for its own layer and is left out: the count is of rank, and says so."""
    async with house_work(store) as session:
        everybody = list(await session.scalars(sa.select(Membership.id).order_by(Membership.id)))
        for name in ("Ada", "Nora", "Olaf", "Opal", "Boris", "Bruno", "Pia", "Paul", "Bea", "Amos"):
            membership = await find_membership(session, cast.membership_id(name))
            allowed = 0
            for subject in everybody:
                found = await fetch_facts(session, Act.IMPERSONATE, membership.id, subject_membership_id=subject)
                refused = judge(found.facts) if found else None
                allowed += found is not None and (refused is None or refused.rule == "layer")
            lost = (await preview(session, membership, [Role.AUDITOR], NOW))[Role.AUDITOR]
            assert lost.people == allowed, name
