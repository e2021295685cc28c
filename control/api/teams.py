"""Teams: groups of memberships inside one tenant, with leads."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from litestar.params import JSONBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.recheck import recheck
from control.api.doors import Asked, Session, acting, alters, creates, reads, removes
from control.api.lists import Asking, OfTenant, page
from control.api.shapes import Id, Listed, Named, PathId, Sent, Text, tenants_named
from tenants.people import Membership, User, find_membership
from tenants.roles import Permission
from tenants.teams import Team, TeamMember, find_place, find_team
from tenants.tree import find_tenant

MANAGE, KEEP, SEE = Permission.MANAGE_PEOPLE, Permission.KEEP_TEAMS, Permission.SEE_PEOPLE


class TeamPlace(Struct):
    """Somebody's place in a team."""

    membership: int
    name: str
    lead: bool


class TeamShape(Struct):
    """A team and who is in it."""

    id: int
    name: str
    tenant: Named | None
    members: list[TeamPlace]
    created_at: datetime
    discarded_at: datetime | None


class NewTeam(Sent):
    """A team to make."""

    tenant: Id
    name: Text


class NewTeamMember(Sent):
    """A membership of the same tenant; only an admin makes somebody lead."""

    membership: Id
    lead: bool = False


class TeamChange(Sent):
    """What can be changed."""

    name: Text


class LeadChange(Sent):
    """Whether they lead the team."""

    lead: bool


@reads("/teams", may=SEE, summary="List the teams in reach")
async def list_teams(session: Session, listing: Asking, tenant: OfTenant = None) -> Listed[TeamShape]:
    """The teams in reach, by name."""
    wanted = sa.select(Team).where(listing.like(Team.name), listing.still_there(Team.discarded_at))
    if tenant is not None:
        wanted = wanted.where(Team.tenant_id == tenant)

    async def shaped(teams: Sequence[Team]) -> list[TeamShape]:
        return await _shapes(session, teams)

    return await page(session, wanted, {"id": Team.id, "name": Team.name}, listing, shaped)


@reads("/teams/{team_id:int}", may=SEE, summary="Show a team")
async def show_team(session: Session, team_id: PathId) -> TeamShape:
    """The team, when in reach."""
    return (await _shapes(session, [await find_team(session, team_id)]))[0]


@creates("/teams", may=KEEP, outlives=False, summary="Make a team")
async def create_team(request: Asked, session: Session, data: JSONBody[NewTeam]) -> TeamShape:
    """A new team without members."""
    team = await Team.create(session, await find_tenant(session, data.tenant), data.name, request.user.now)
    return (await _shapes(session, [team]))[0]


@alters("/teams/{team_id:int}", may=KEEP, outlives=False, summary="Rename a team")
async def rename_team(request: Asked, session: Session, team_id: PathId, data: JSONBody[TeamChange]) -> TeamShape:
    """Another name."""
    team = await find_team(session, team_id)
    await team.rename(session, data.name)
    return (await _shapes(session, [team]))[0]


@creates("/teams/{team_id:int}/discard", may=KEEP, outlives=False, summary="Discard a team", status=200)
async def discard_team(request: Asked, session: Session, team_id: PathId) -> TeamShape:
    """Nobody leads it any more; the record stays."""
    team = await find_team(session, team_id)
    await team.discard(session, request.user.now)
    await recheck(session, await find_tenant(session, team.tenant_id), request.user.now)
    return (await _shapes(session, [team]))[0]


@creates("/teams/{team_id:int}/undiscard", may=KEEP, outlives=True, summary="Bring a team back", status=200)
async def undiscard_team(request: Asked, session: Session, team_id: PathId) -> TeamShape:
    """The team with its people, and without leads."""
    team = await find_team(session, team_id)
    await team.undiscard(session, acting(request))
    return (await _shapes(session, [team]))[0]


@creates("/teams/{team_id:int}/members", may=KEEP, outlives=True, summary="Add somebody to a team")
async def add_team_member(
    request: Asked, session: Session, team_id: PathId, data: JSONBody[NewTeamMember]
) -> TeamShape:
    """A membership of the team's own tenant, once. Only an admin makes somebody lead."""
    team, membership = await find_team(session, team_id), await find_membership(session, data.membership)
    await team.add(session, acting(request), membership, lead=data.lead)
    return (await _shapes(session, [team]))[0]


@alters("/teams/{team_id:int}/members/{membership_id:int}", may=MANAGE, outlives=True, summary="Make somebody lead")
async def set_team_lead(
    request: Asked, session: Session, team_id: PathId, membership_id: PathId, data: JSONBody[LeadChange]
) -> TeamShape:
    """Lead, or no longer."""
    place = await find_place(session, team_id, membership_id)
    await place.set_lead(session, acting(request), lead=data.lead)
    await recheck(session, await find_tenant(session, place.tenant_id), request.user.now)
    return (await _shapes(session, [await find_team(session, team_id)]))[0]


@removes("/teams/{team_id:int}/members/{membership_id:int}", may=KEEP, outlives=False, summary="Take somebody out")
async def remove_team_member(request: Asked, session: Session, team_id: PathId, membership_id: PathId) -> None:
    """Out of the team; they can be added again."""
    place = await find_place(session, team_id, membership_id)
    await place.leave(session, request.user.now)
    await recheck(session, await find_tenant(session, place.tenant_id), request.user.now)


async def _shapes(session: AsyncSession, teams: Sequence[Team]) -> list[TeamShape]:
    tenants = await tenants_named(session, [team.tenant_id for team in teams])
    members: dict[int, list[TeamPlace]] = {}
    rows = await session.execute(
        sa.select(TeamMember.team_id, TeamMember.membership_id, User.name, TeamMember.lead)
        .join(Membership, Membership.id == TeamMember.membership_id)
        .join(User, User.id == Membership.user_id)
        .where(TeamMember.team_id.in_([team.id for team in teams]), TeamMember.left_at.is_(None))
        .order_by(User.name, TeamMember.id)
    )
    for row in rows:
        members.setdefault(row.team_id, []).append(TeamPlace(row.membership_id, row.name, row.lead))
    return [
        TeamShape(
            team.id,
            team.name,
            tenants.get(team.tenant_id),
            members.get(team.id, []),
            team.created_at,
            team.discarded_at,
        )
        for team in teams
    ]


ROUTES = [
    list_teams,
    show_team,
    create_team,
    rename_team,
    discard_team,
    undiscard_team,
    add_team_member,
    set_team_lead,
    remove_team_member,
]
