"""Role change: what giving a membership another role takes along, asked of the guard before it is done."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding, broken, run_out
from bindings.facts import Found, fetch_facts
from bindings.guard import Act, judge
from bindings.impersonation import Impersonation, end_all
from tenants.actor import Actor
from tenants.api_keys import ApiKey
from tenants.people import Membership, User
from tenants.reach import below
from tenants.roles import RIGHTS, Permission, Role, may
from tenants.teams import Team, TeamMember
from tenants.tree import Tenant

COUNTED = 10_000
"""Nobody waits for more people to be counted: the number shown is then the least."""


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What would no longer hold. `people` are those whom the membership could stand in for until now."""

    bindings: int = 0
    bindings_to_them: int = 0
    impersonations: int = 0
    keys: int = 0
    teams: int = 0
    people: int = 0


async def preview(
    session: AsyncSession, membership: Membership, roles: Iterable[Role], now: datetime
) -> dict[Role, RoleChange]:
    """For each of these roles, what it would change. The membership has its tenant loaded."""
    stand_ins = _StandIns(membership, now)
    await stand_ins.fetch(session)
    keys, teams = await _keys(session, membership, now), await _teams_led(session, membership)
    old = Role(membership.role)
    reached = await _people(session, membership, old)
    found = {}
    for role in roles:
        lost = reached - await _people(session, membership, role) if reached else 0
        found[role] = RoleChange(
            bindings=stand_ins.lost(stand_ins.own, role),
            bindings_to_them=stand_ins.lost(stand_ins.to_them, role),
            impersonations=len(stand_ins.impersonations_lost(role)),
            keys=keys if RIGHTS[old].may - RIGHTS[role].may else 0,
            teams=teams if old is Role.SUPERVISOR and role is not old else 0,
            people=max(0, lost),
        )
    return found


async def change_role(session: AsyncSession, actor: Actor, membership: Membership, role: Role, now: datetime) -> None:
    """Give the role, and end the impersonations that the guard does not allow with it.

    Doors call this rather than the membership's own verb, which knows nothing of stand-ins. Bindings are left to go
    stale: whoever made one is told why at their next login.
    """
    stand_ins = _StandIns(membership, now)
    await stand_ins.fetch(session)
    await membership.change_role(session, actor, role, now)
    await end_all(session, stand_ins.impersonations_lost(role), "rights_lost", now)


class _StandIns:
    """The open stand-ins that a membership is a side of, with the facts that the guard judges them by."""

    def __init__(self, membership: Membership, now: datetime) -> None:
        self.membership, self.now = membership, now
        self.own: list[tuple[Binding, Found]] = []
        self.to_them: list[tuple[Binding, Found]] = []
        self.impersonations: list[tuple[Impersonation, Found]] = []

    async def fetch(self, session: AsyncSession) -> None:
        """A membership is a side of few: a handful of statements."""
        member = self.membership
        # By person and by tenant as well, which the indexes on bindings know.
        mine = sa.or_(
            sa.and_(Binding.user_id == member.user_id, Binding.membership_id == member.id),
            sa.and_(Binding.tenant_id == member.tenant_id, Binding.subject_membership_id == member.id),
        )
        for binding in await session.scalars(sa.select(Binding).where(mine, Binding.ended_at.is_(None))):
            found = await fetch_facts(
                session,
                Act.BIND,
                binding.membership_id,
                subject_membership_id=binding.subject_membership_id,
                extension_id=binding.extension_id,
                reason=binding.reason,
                ticket=binding.ticket,
                mode=binding.mode,
            )
            if found is not None and run_out(binding, self.now) is None and broken(binding, found) is None:
                side = self.own if binding.membership_id == member.id else self.to_them
                side.append((binding, found))
        await self._fetch_impersonations(session)

    async def _fetch_impersonations(self, session: AsyncSession) -> None:
        mine = sa.or_(
            Impersonation.actor_membership_id == self.membership.id,
            Impersonation.subject_membership_id == self.membership.id,
        )
        live = sa.select(Impersonation).where(mine, Impersonation.ended_at.is_(None), Impersonation.ends_at > self.now)
        for row in (await session.scalars(live)).all():
            found = await fetch_facts(
                session,
                Act.TOKEN if row.kind == "token" else Act.IMPERSONATE,
                row.actor_membership_id,
                subject_membership_id=row.subject_membership_id,
                reason=row.reason,
                ticket=row.ticket,
                mode=row.mode,
            )
            if found is not None and judge(found.facts) is None:
                self.impersonations.append((row, found))

    def lost(self, bindings: list[tuple[Binding, Found]], role: Role) -> int:
        """Those that the guard would no longer allow."""
        return sum(broken(binding, self._with(found, role)) is not None for binding, found in bindings)

    def impersonations_lost(self, role: Role) -> list[Impersonation]:
        """The same of impersonations."""
        return [row for row, found in self.impersonations if judge(self._with(found, role).facts) is not None]

    def _with(self, found: Found, role: Role) -> Found:
        """The facts as they would be with the other role on this side."""
        facts = found.facts
        if facts.actor.membership_id == self.membership.id:
            return replace(found, facts=replace(facts, actor=replace(facts.actor, role=role)))
        subject = replace(facts.subject, role=role) if facts.subject else None
        return replace(found, facts=replace(facts, subject=subject))


async def _keys(session: AsyncSession, membership: Membership, now: datetime) -> int:
    live = sa.select(sa.func.count(ApiKey.id)).where(
        ApiKey.membership_id == membership.id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now
    )
    return (await session.execute(live)).scalar_one()


async def _teams_led(session: AsyncSession, membership: Membership) -> int:
    led = _led(membership).with_only_columns(sa.func.count(TeamMember.id))
    return (await session.execute(led)).scalar_one()


def _led(membership: Membership) -> sa.Select[int]:
    return (
        sa.select(TeamMember.team_id)
        .join(Team, Team.id == TeamMember.team_id)
        .where(TeamMember.membership_id == membership.id, TeamMember.lead.is_(True))
        .where(TeamMember.left_at.is_(None), Team.discarded_at.is_(None))
    )


async def _people(session: AsyncSession, membership: Membership, role: Role) -> int:
    """How many memberships one with this role may stand in for, as far as rank goes and anybody counts."""
    if not may(role, Permission.STAND_IN):
        return 0
    theirs = (
        sa.select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.discarded_at.is_(None), User.discarded_at.is_(None), User.id != membership.user_id)
    )
    # A sponsored membership ranks as its sponsor, who is above everybody there.
    outranked = Role if membership.sponsor_id is not None else RIGHTS[role].above
    here = sa.and_(Membership.tenant_id == membership.tenant_id, Membership.role.in_(outranked))
    if role is Role.SUPERVISOR:
        mates = sa.select(TeamMember.membership_id).where(
            TeamMember.team_id.in_(_led(membership)), TeamMember.left_at.is_(None)
        )
        wanted = theirs.where(here, Membership.id.in_(mates))
    else:
        path = membership.tenant.path
        under = sa.select(Tenant.id).where(below(Tenant.path, path), Tenant.path != path)
        wanted = theirs.where(sa.or_(here, Membership.tenant_id.in_(under)))
    some = wanted.limit(COUNTED).subquery()
    return (await session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()
