"""Teams as pages show them: who is in each, who leads it, who may join."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from control.pages.parts.becoming import Becoming, becoming
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.teams import Team, TeamMember
from tenants.tree import Tenant

SORTS: dict[str, sa.SQLColumnExpression[Any]] = {"id": Team.id, "name": Team.name}
MOST = 500


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A line of the list."""

    id: int
    name: str
    tenant_id: int
    tenant_name: str
    members: int
    leads: list[str]


@dataclass(frozen=True, slots=True)
class TeamPlace:
    """Somebody in a team."""

    id: int
    """Of the place, for its history."""
    membership_id: int
    user_id: int
    name: str
    email: str
    role: str
    lead: bool


async def team_rows(session: AsyncSession, teams: Sequence[Team]) -> list[TeamRow]:
    """These teams with their company, how many are in them, and who leads."""
    ids = [team.id for team in teams]
    names = dict(
        (await session.execute(sa.select(Tenant.id, Tenant.name).where(Tenant.id.in_([t.tenant_id for t in teams]))))
        .tuples()
        .all()
    )
    places = await session.execute(_PLACES.where(TeamMember.team_id.in_(ids)))
    inside: dict[int, list[Any]] = {}
    for place in places:
        inside.setdefault(place.team_id, []).append(place)
    return [
        TeamRow(
            team.id,
            team.name,
            team.tenant_id,
            names.get(team.tenant_id, ""),
            len(inside.get(team.id, [])),
            [place.name for place in inside.get(team.id, []) if place.lead],
        )
        for team in teams
    ]


_PLACES = (
    sa.select(
        TeamMember.id,
        TeamMember.team_id,
        TeamMember.membership_id,
        TeamMember.lead,
        Membership.role,
        User.id.label("user_id"),
        User.name,
        User.email,
    )
    .join(Membership, Membership.id == TeamMember.membership_id)
    .join(User, User.id == Membership.user_id)
    .where(TeamMember.left_at.is_(None), Membership.discarded_at.is_(None), User.discarded_at.is_(None))
    .order_by(TeamMember.lead.desc(), User.name, TeamMember.id)
)


async def places_of(session: AsyncSession, team: Team) -> list[TeamPlace]:
    """Who is in this team: leads first, then by name."""
    rows = await session.execute(_PLACES.where(TeamMember.team_id == team.id))
    return [TeamPlace(row.id, row.membership_id, row.user_id, row.name, row.email, row.role, row.lead) for row in rows]


async def becoming_in(
    session: AsyncSession, actor: Actor | None, tenant: Tenant, places: Sequence[TeamPlace]
) -> dict[int, Becoming]:
    """The buttons to become the people of a team, by membership."""
    wanted = sa.select(Membership).where(Membership.id.in_([place.membership_id for place in places]))
    members = await session.scalars(wanted.options(joinedload(Membership.user)))
    return await becoming(session, actor, [(member, member.user, tenant) for member in members])


async def who_may_join(session: AsyncSession, team: Team) -> list[tuple[int, str]]:
    """The people of the team's company who are not in it, by name; at most 500."""
    inside = sa.select(TeamMember.membership_id).where(TeamMember.team_id == team.id, TeamMember.left_at.is_(None))
    wanted = (
        sa.select(Membership.id, User.name, User.email)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.tenant_id == team.tenant_id,
            Membership.discarded_at.is_(None),
            User.discarded_at.is_(None),
            ~User.service,
            Membership.id.not_in(inside),
        )
        .order_by(User.name, Membership.id)
        .limit(MOST)
    )
    return [(row.id, f"{row.name}, {row.email}") for row in await session.execute(wanted)]
