"""How long a directory's key opens its company: while the company is its admin's, and the admin is one."""

from typing import Any

import pytest
import sqlalchemy as sa

from bindings.endings import discard_tenant, suspend_tenant, undiscard_tenant, what_stops
from bindings.moving import move_tenant, what_moves
from bindings.role_change import change_role
from tenants.api_keys import ApiKey
from tenants.people import find_membership
from tenants.roles import Role
from tenants.tree import Scope, Suspension, Tenant
from tests.cast import house_work, work_as
from tests.control.scim.conftest import USER, Directory, Scim


async def asked(directory: Directory, scim: Scim) -> set[tuple[int, str]]:
    """What reading and writing answer, in SCIM's words."""
    zoe, person = scim.cast.membership_id("Zoe"), {"schemas": [USER], "userName": "kit@zoo.example"}
    answers = [await directory.get("/Users"), await directory.get(f"/Users/{zoe}"), await directory.get("/Groups")]
    answers.append(await directory.post("/Users", person))
    answers.append(await directory.send("DELETE", f"/Users/{zoe}"))
    return {(each.status_code, each.json()["status"]) for each in answers}


async def moved(scim: Scim, company: str, to: str) -> None:
    ada = scim.cast.actor("Ada")
    async with work_as(scim.store, ada, scim.clock.now) as session:
        tenant = await session.get_one(Tenant, scim.cast.tenant(company).id)
        parent = await session.get_one(Tenant, scim.cast.tenant(to).id)
        await move_tenant(session, ada, tenant, parent, scim.clock.now)


async def test_a_company_that_moved_to_another_branch_is_not_there_for_the_old_line(scim: Scim) -> None:
    elsa, sven = await scim.of("Elsa", "Zoo"), await scim.of("Sven", "Zoo")
    await moved(scim, "Zoo", "Pine")
    for directory in (elsa, sven):
        assert await asked(directory, scim) == {(401, "401")}
    # What was moved is as it was: nobody was ended, nobody was invited
    ada = await scim.of("Ada", "Zoo")
    found = (await ada.get("/Users")).json()["Resources"]
    assert ["kit@zoo.example" in {each["userName"] for each in found}, all(each["active"] for each in found)] == [
        False,
        True,
    ]


async def test_a_company_that_moved_within_the_line_stays_with_those_above_both(scim: Scim) -> None:
    olaf, nora = await scim.of("Olaf", "Bakery"), await scim.of("Nora", "Bakery")
    ada = scim.cast.actor("Ada")
    async with work_as(scim.store, ada, writes=False) as session:
        bakery, north = [await session.get_one(Tenant, scim.cast.tenant(each).id) for each in ("Bakery", "North")]
        told = await what_moves(session, ada, bakery, north, scim.clock.now)
    assert [(each.kind, each.count) for each in told.cuts if each.count] == [("api_keys", 1)]
    await moved(scim, "Bakery", "North")
    assert ((await olaf.get("/Users")).status_code, (await nora.get("/Users")).status_code) == (401, 200)


async def test_a_key_opens_no_company_that_its_admin_does_not_reach(scim: Scim) -> None:
    """However it came to be: there is nothing of it in SCIM."""
    async with house_work(scim.store, scim.clock.now) as session:
        elsa, bakery = scim.cast.membership_id("Elsa"), scim.cast.tenant("Bakery").id
        membership = await find_membership(session, elsa)
        _, secret = await ApiKey._keep(session, membership, bakery, "wrong", "scim", 9, scim.clock.now)
    assert await asked(Directory(scim.client, secret), scim) == {(404, "404")}


async def test_a_key_ends_with_its_company_and_does_not_come_back_with_it(scim: Scim) -> None:
    elsa, actor = await scim.of("Elsa", "Zoo"), scim.cast.actor("Elsa")
    async with work_as(scim.store, actor, scim.clock.now) as session:
        zoo = await session.get_one(Tenant, scim.cast.tenant("Zoo").id)
        await discard_tenant(session, actor, zoo, scim.clock.now)
    assert await asked(elsa, scim) == {(401, "401")}
    async with work_as(scim.store, actor, scim.clock.now) as session:
        await undiscard_tenant(session, actor, await session.get_one(Tenant, zoo.id), scim.clock.now)
    assert await asked(elsa, scim) == {(401, "401")}


async def test_a_key_ends_when_its_company_is_suspended_and_a_new_one_waits_for_the_end_of_that(scim: Scim) -> None:
    elsa, actor = await scim.of("Elsa", "Zoo"), scim.cast.actor("Elsa")
    async with work_as(scim.store, actor, scim.clock.now) as session:
        zoo = await session.get_one(Tenant, scim.cast.tenant("Zoo").id)
        stops = await what_stops(session, actor, zoo, Scope.STAFF, scim.clock.now)
        row = await suspend_tenant(session, actor, zoo, Scope.STAFF, "unpaid", scim.clock.now)
    assert stops.api_keys == 1
    again = await scim.of("Elsa", "Zoo")
    assert (await asked(elsa, scim), await asked(again, scim)) == ({(401, "401")}, {(409, "409")})
    async with work_as(scim.store, actor, scim.clock.now) as session:
        await (await session.get_one(Suspension, row.id)).lift(session, actor, scim.clock.now)
    assert ((await elsa.get("/Users")).status_code, (await again.get("/Users")).status_code) == (401, 200)


async def test_a_key_ends_with_its_admins_own_house(scim: Scim) -> None:
    elsa, sven = await scim.of("Elsa", "Zoo"), scim.cast.actor("Sven")
    async with work_as(scim.store, sven, scim.clock.now) as session:
        elm = await session.get_one(Tenant, scim.cast.tenant("Elm").id)
        await suspend_tenant(session, sven, elm, Scope.STAFF, "unpaid", scim.clock.now)
    assert await asked(elsa, scim) == {(401, "401")}


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR, Role.MEMBER])
async def test_a_key_ends_with_its_admins_role(scim: Scim, role: Role) -> None:
    nora = await scim.of("Nora", "Bakery")
    olaf, by = await scim.of("Olaf", "Bakery"), scim.cast.actor("Nora")
    async with work_as(scim.store, by, scim.clock.now) as session:
        membership = await find_membership(session, scim.cast.membership_id("Olaf"))
        await change_role(session, by, membership, role, scim.clock.now)
    assert await asked(olaf, scim) == {(403, "403")}
    assert (await nora.get("/Users")).status_code == 200


async def test_a_key_ends_when_it_is_revoked_and_when_its_days_are_over(scim: Scim) -> None:
    elsa, other = await scim.of("Elsa", "Zoo"), await scim.of("Elsa", "Zoo")
    async with work_as(scim.store, scim.cast.actor("Elsa"), scim.clock.now) as session:
        first: Any = sa.select(ApiKey).order_by(ApiKey.id).limit(1)
        await (await session.scalars(first)).one().revoke(session, scim.clock.now)
    assert await asked(elsa, scim) == {(401, "401")}
    assert (await other.get("/Users")).status_code == 200
    scim.clock.pass_(days=91)
    assert (await other.get("/Users")).status_code == 401
