"""Provisioning: one company's people as the system that provisions them sees them (RFC 7643).

Somebody whose invitation waits and somebody who has joined are one record with one number: that of the membership,
kept for it from the start. Whether the address was known before is told by nothing in it.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from tenants.actor import Actor
from tenants.invitations import Invitation
from tenants.people import Membership, User
from tenants.refusals import Conflict, OutOfReach
from tenants.roles import Role
from tenants.teams import Team, TeamMember
from tenants.text import email_address
from tenants.trail import Entry, numbered
from tenants.tree import Tenant


@dataclass(frozen=True, slots=True)
class Provisioned:
    """One person of the company, joined or invited."""

    number: int
    membership_id: int | None
    invitation_id: int | None
    email: str
    name: str
    external_id: str | None
    active: bool
    """In use; of an invitation, that its letter went out."""
    role: str
    created_at: datetime
    changed_at: datetime


@lru_cache(maxsize=256)
def people(tenant_id: int) -> sa.Subquery:
    """Everybody of the company who is provisioned, with the columns of `Provisioned`.

    A profile that somebody above has there, and a program's own membership, are none of its people. Kept: to put it
    together takes longer than to ask it.
    """
    in_use = sa.and_(Membership.discarded_at.is_(None), User.discarded_at.is_(None))
    joined = (
        sa.select(
            Membership.id.label("number"),
            Membership.id.label("membership_id"),
            sa.cast(sa.null(), sa.BigInteger()).label("invitation_id"),
            User.email.label("email"),
            User.name.label("name"),
            Membership.external_id.label("external_id"),
            in_use.label("active"),
            # What a role gave does not come back with the record.
            sa.case((in_use, Membership.role), else_=Role.MEMBER.value).label("role"),
            Membership.created_at.label("created_at"),
            sa.func.coalesce(Entry.occurred_at, Membership.created_at).label("changed_at"),
        )
        .join(User, User.id == Membership.user_id)
        .outerjoin(Entry, Entry.id == Membership.last_entry_id)
        .where(
            Membership.tenant_id == tenant_id,
            Membership.sponsor_id.is_(None),
            User.service.is_(False),
            sa.or_(Membership.discarded_at.is_(None), Membership.withdrawn.is_(False)),
        )
    )
    theirs = aliased(Membership)
    there = sa.select(theirs.id).where(theirs.id == Invitation.membership_number, theirs.discarded_at.is_(None))
    invited = (
        sa.select(
            Invitation.membership_number,
            sa.cast(sa.null(), sa.BigInteger()),
            Invitation.id,
            Invitation.email,
            Invitation.name,
            Invitation.external_id,
            Invitation.sent_at.is_not(None),
            Invitation.role,
            Invitation.created_at,
            sa.func.coalesce(Entry.occurred_at, Invitation.created_at),
        )
        .outerjoin(Entry, Entry.id == Invitation.last_entry_id)
        .where(
            Invitation.tenant_id == tenant_id,
            Invitation.membership_number.is_not(None),
            Invitation.waiting(),
            ~there.exists(),
        )
    )
    return sa.union_all(joined, invited).subquery("people")


async def find_provisioned(session: AsyncSession, tenant_id: int, number: int) -> Provisioned:
    """The person with this number; otherwise OutOfReach."""
    found = await provisioned(session, tenant_id, {number})
    if not found:
        raise OutOfReach
    return found[0]


async def provisioned(session: AsyncSession, tenant_id: int, numbers: set[int]) -> list[Provisioned]:
    """Those of the company who have one of these numbers, in their order."""
    return [Provisioned(*row) for row in await session.execute(_numbered(tenant_id), {"numbers": list(numbers)})]


@lru_cache(maxsize=256)
def _numbered(tenant_id: int) -> sa.Select[Any]:
    everybody = people(tenant_id)
    these = everybody.c.number.in_(sa.bindparam("numbers", expanding=True))
    return sa.select(*everybody.c).where(these).order_by(everybody.c.number)


async def invite(
    session: AsyncSession,
    actor: Actor,
    tenant: Tenant,
    email: str,
    name: str,
    role: Role,
    external_id: str | None,
    now: datetime,
) -> Invitation:
    """An invitation-to-be that the provisioning system knows by its membership's number. Nothing is sent yet.

    Conflict (`uniqueness`) for an address that is among the company's own people: no other company is looked at.
    """
    address = email_address(email)
    there = await _there(session, tenant.id, address)
    if there is not None and not (there.discarded_at is not None and there.withdrawn):
        raise Conflict(f"{address} is among the people of {tenant.name} already.", rule="uniqueness")
    waiting = sa.select(Invitation.id).where(
        Invitation.tenant_id == tenant.id,
        Invitation.email == address,
        Invitation.waiting(),
        Invitation.membership_number.is_not(None),
    )
    if (await session.scalars(waiting)).first() is not None:
        raise Conflict(f"{address} is among the people of {tenant.name} already.", rule="uniqueness")
    # Whoever was here before comes back as the same membership.
    number = there.id if there is not None else await numbered(session, Membership.__tablename__)
    kept = (number, external_id)
    invitation = await Invitation.prepare(session, actor, tenant.id, address, name, role, now, provisioned=kept)
    if (invitation.membership_number, invitation.external_id) != kept:
        await invitation.provision(session, *kept)
    return invitation


async def _there(session: AsyncSession, tenant_id: int, address: str) -> Membership | None:
    """The membership that somebody with this address has, or had, in the company."""
    wanted = sa.select(Membership).join(User, User.id == Membership.user_id)
    return (await session.scalars(wanted.where(Membership.tenant_id == tenant_id, User.email == address))).first()


@lru_cache(maxsize=256)
def places(tenant_id: int) -> sa.Subquery:
    """Who is in which team in use, or will be once they join: `number`, `team_id` and the team's name."""
    in_use = sa.and_(Team.tenant_id == tenant_id, Team.discarded_at.is_(None))
    inside = (
        sa.select(TeamMember.membership_id.label("number"), Team.id.label("team_id"), Team.name.label("name"))
        .join(Team, Team.id == TeamMember.team_id)
        .where(in_use, TeamMember.left_at.is_(None))
    )
    spaced = sa.literal(" ") + sa.cast(Team.id, sa.String()) + " "
    meant = (
        sa.select(Invitation.membership_number, Team.id, Team.name)
        .join(Team, Invitation.team_ids.contains(spaced))
        .where(
            in_use,
            Invitation.tenant_id == tenant_id,
            Invitation.waiting(),
            Invitation.membership_number.is_not(None),
            Invitation.team_ids.is_not(None),
        )
    )
    return sa.union_all(inside, meant).subquery("places")


async def people_of_teams(session: AsyncSession, team_ids: set[int], tenant_id: int) -> dict[int, set[int]]:
    """Who is in each of these teams, or will be once they join, by number."""
    found: dict[int, set[int]] = {team_id: set() for team_id in team_ids}
    taken = places(tenant_id)
    known = taken.c.number.in_(sa.select(people(tenant_id).c.number))
    wanted = sa.select(taken.c.team_id, taken.c.number).where(taken.c.team_id.in_(team_ids), known)
    for team_id, number in await session.execute(wanted):
        found[team_id].add(number)
    return found


async def teams_of_people(session: AsyncSession, numbers: set[int], tenant_id: int) -> dict[int, dict[int, str]]:
    """The teams in use that each of these people is in, or will be: the name by the id."""
    found: dict[int, dict[int, str]] = {number: {} for number in numbers}
    for number, team_id, name in await session.execute(_places_of(tenant_id), {"numbers": list(numbers)}):
        found[number][team_id] = name
    return found


@lru_cache(maxsize=256)
def _places_of(tenant_id: int) -> sa.Select[Any]:
    taken = places(tenant_id)
    these = taken.c.number.in_(sa.bindparam("numbers", expanding=True))
    return sa.select(taken.c.number, taken.c.team_id, taken.c.name).where(these).order_by(taken.c.team_id)
