"""Groups over SCIM are a company's teams: filled and emptied by its directory, led by whom its admins say."""

import sqlalchemy as sa

from tenants.people import find_membership
from tenants.teams import Team, TeamMember
from tests.cast import house_work, work_as
from tests.conftest import ON_BOTH
from tests.control.scim.conftest import Directory, Scim
from tests.control.scim.test_users import accepts, replacing


async def members_of(directory: Directory, number: str) -> set[str]:
    answer = await directory.get(f"/Groups/{number}")
    assert answer.status_code == 200, answer.text
    return {each["value"] for each in answer.json().get("members", [])}


@ON_BOTH
async def test_a_team_is_filled_and_emptied_by_operations(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), str(scim.cast.membership_id("Zoe"))
    made = await elsa.post("/Groups", {"displayName": "Night", "externalId": "g-1", "members": [{"value": zoe}]})
    assert made.status_code == 201
    number = made.json()["id"]
    assert made.json()["members"] == [{"value": zoe, "$ref": f"http://localhost:8000/scim/v2/Users/{zoe}"}]
    in_team = (await elsa.get(f"/Users/{zoe}")).json()["groups"]
    assert [(each["value"], each["display"]) for each in in_team] == [(number, "Night")]
    invited = (await elsa.invited("later@zoo.example"))["id"]
    await elsa.patch(f"/Groups/{number}", {"op": "add", "path": "members", "value": [{"value": invited}]})
    assert await members_of(elsa, number) == {zoe, invited}
    await elsa.patch(f"/Groups/{number}", {"op": "remove", "path": f'members[value eq "{zoe}"]'})
    assert await members_of(elsa, number) == {invited}
    # As some directories send it
    await elsa.patch(f"/Groups/{number}", {"op": "Remove", "path": "members", "value": [{"value": invited}]})
    assert await members_of(elsa, number) == set()
    renamed = await elsa.patch(f"/Groups/{number}", replacing("displayName", "Day"))
    assert (renamed.json()["displayName"], renamed.json()["externalId"]) == ("Day", "g-1")


async def test_who_was_put_into_a_team_before_they_joined_is_in_it_then(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    invited = (await elsa.invited("later@zoo.example"))["id"]
    number = (await elsa.post("/Groups", {"displayName": "Night", "members": [{"value": invited}]})).json()["id"]
    await accepts(scim, invited)
    assert await members_of(elsa, number) == {invited}
    async with house_work(scim.store) as session:
        inside = sa.select(TeamMember).where(TeamMember.team_id == int(number))
        places = (await session.scalars(inside)).all()
    assert [(place.membership_id, place.lead, place.left_at) for place in places] == [(int(invited), False, None)]


async def test_a_lead_is_not_made_over_scim_and_goes_when_they_leave(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), scim.cast.membership_id("Zoe")
    made = {"displayName": "Night", "members": [{"value": str(zoe), "lead": True, "type": "lead"}]}
    number = (await elsa.post("/Groups", made)).json()["id"]
    actor = scim.cast.actor("Elsa")
    async with work_as(scim.store, actor, scim.clock.now) as session:
        place = (await session.scalars(sa.select(TeamMember).where(TeamMember.team_id == int(number)))).one()
        assert place.lead is False
        await place.set_lead(session, actor, lead=True)
    await elsa.send("PUT", f"/Groups/{number}", {"displayName": "Night"})
    await elsa.send("PUT", f"/Groups/{number}", {"displayName": "Night", "members": [{"value": str(zoe)}]})
    async with house_work(scim.store) as session:
        place = (await session.scalars(sa.select(TeamMember).where(TeamMember.team_id == int(number)))).one()
        assert (place.lead, place.left_at) == (False, None)


async def test_a_deleted_team_is_gone_and_a_neighbours_never_was_there(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    number = (await elsa.post("/Groups", {"displayName": "Night"})).json()["id"]
    assert (await elsa.send("DELETE", f"/Groups/{number}")).status_code == 204
    actor = scim.cast.actor("Boris")
    async with work_as(scim.store, actor, scim.clock.now) as session:
        bea = await find_membership(session, scim.cast.membership_id("Bea"))
        theirs = await Team.create(session, bea.tenant, "Bakers", scim.clock.now)
    for each in (number, theirs.id, "x", "9" * 30):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            answer = await elsa.send(method, f"/Groups/{each}", {"displayName": "Mine"} if method != "GET" else None)
            assert answer.status_code == 404, f"{method} {each}"
    assert (await elsa.get('/Groups?filter=displayName eq "Bakers"')).json()["totalResults"] == 0
