"""A role that goes takes along what it was good for: logins through a binding, at once and for good."""

import pytest
import sqlalchemy as sa

from bindings import role_change
from bindings.binding import Binding
from tenants.actor import Actor
from tenants.people import Membership, User, find_membership
from tenants.roles import Role
from tenants.tree import Tenant
from tests.cast import bind, house_work, work_as
from tests.control.openid.story import Client, Panel, told

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def also_operator_of_north(panel: Panel) -> None:
    """Opal has a second membership, from which she could stand in for Bea as well."""
    async with house_work(panel.store, panel.clock.now) as session:
        opal = await session.get_one(User, panel.cast.user("Opal").id)
        north = await session.get_one(Tenant, panel.cast.tenant("North").id)
        await Membership.create(session, Actor.house("the story"), opal, north, Role.OPERATOR, panel.clock.now)


async def give(panel: Panel, role: Role) -> None:
    """Olaf gives Opal a role at Oak."""
    olaf = panel.cast.actor("Olaf")
    async with work_as(panel.store, olaf, panel.clock.now) as session:
        opal = await find_membership(session, panel.cast.membership_id("Opal"))
        await role_change.change_role(session, olaf, opal, role, panel.clock.now)


async def test_c20_opals_role_goes_and_no_other_membership_takes_over(panel: Panel, softphone: Client) -> None:
    await also_operator_of_north(panel)
    held = await bind(panel.store, panel.cast, "Opal", "Bakery", "201", panel.clock.now)
    opal = await panel.sign_in("Opal")
    tokens = await softphone.log_in(opal)
    assert tokens.claims["name"] == "Bea Bell"
    await give(panel, Role.MEMBER)
    assert await softphone.introspect(tokens.access) == {"active": False}
    assert (await softphone.userinfo(tokens.access)).status_code == 401
    assert (await softphone.renew(tokens.refresh)).json()["error"] == "invalid_grant"
    assert told(await softphone.ask(opal, prompt="none"))["error"] == "interaction_required"
    page = await softphone.ask(opal)
    assert "Continue as yourself" in page.text
    # The role comes back, what it was good for does not: a login has met the stale binding.
    await give(panel, Role.OPERATOR)
    async with house_work(panel.store) as session:
        row = (await session.execute(sa.select(Binding.ended_cause).where(Binding.id == held))).scalar_one()
    assert row == "stale_reach"
    assert "Bea Bell" not in (await softphone.ask(opal)).text


async def test_a_role_that_still_allows_it_ends_nothing(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Opal", "Bakery", "201", panel.clock.now)
    tokens = await softphone.log_in(await panel.sign_in("Opal"))
    await give(panel, Role.ADMIN)
    assert (await softphone.introspect(tokens.access))["active"] is True
    assert (await softphone.renew(tokens.refresh)).status_code == 200
