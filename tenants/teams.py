"""Teams: groups of memberships inside one tenant, with leads. A lead may stand in for the team's members."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor
from tenants.people import Membership
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Role
from tenants.text import named
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb


class Team(Record, Audited):
    """A group of memberships inside one tenant, with leads."""

    __tablename__ = "teams"
    noun = "team"
    lends = frozenset({"name"})
    lends_new = True
    __table_args__ = (sa.UniqueConstraint("id", "tenant_id"),)

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]
    external_id: Mapped[str | None] = mapped_column(sa.String(255), default=None)

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; a member sees the teams they are in."""
        if reach.extent is Extent.SELF:
            places = TeamMember.__table__
            mine = sa.select(places.c.team_id).where(
                places.c.membership_id == reach.membership_id, places.c.left_at.is_(None)
            )
            return cls.id.in_(mine)
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def create(cls, session: AsyncSession, tenant: Tenant, name: str, now: datetime) -> "Team":
        """A new team without members."""
        team = cls(tenant_id=tenant.id, name=named(name), created_at=now)
        session.add(team)
        record(session, Verb.TEAM_CREATED, team)
        await session.flush()
        return team

    async def rename(self, session: AsyncSession, name: str) -> None:
        """Another name."""
        name = named(name)
        if name != self.name:
            self.name = name
            record(session, Verb.TEAM_CHANGED, self)
            await session.flush()

    async def keep_external_id(self, session: AsyncSession, external_id: str | None) -> None:
        """What the system that provisions it calls it from now on."""
        if external_id != self.external_id:
            self.external_id = external_id
            record(session, Verb.TEAM_CHANGED, self)
            await session.flush()

    async def discard(self, session: AsyncSession, now: datetime) -> None:
        """Nobody leads or is in it any more; the record stays."""
        if self.discarded_at is not None:
            raise Conflict(f"{self.name} is discarded already.")
        self.discarded_at = now
        record(session, Verb.TEAM_DISCARDED, self)
        await session.flush()

    async def undiscard(self, session: AsyncSession, actor: Actor) -> None:
        """Bring the record back, with its people; who led it leads again only when an admin says so."""
        if self.discarded_at is None:
            raise Conflict(f"{self.name} is not discarded.")
        leads = sa.select(TeamMember).where(TeamMember.team_id == self.id, TeamMember.lead.is_(True))
        for place in (await session.scalars(leads)).all():
            await place.set_lead(session, actor, lead=False)
        self.discarded_at = None
        record(session, Verb.TEAM_UNDISCARDED, self)
        await session.flush()

    async def add(
        self, session: AsyncSession, actor: Actor, membership: Membership, *, lead: bool = False
    ) -> "TeamMember":
        """Put a membership of the same tenant into the team; only an admin makes somebody lead."""
        if lead:
            _require_admin(actor)
        if membership.tenant_id != self.tenant_id:
            raise Invalid("A team holds people of its own company.", field="membership")
        if self.discarded_at is not None or membership.discarded_at is not None:
            raise Conflict("The team or the membership has ended.")
        there = sa.select(TeamMember).where(TeamMember.team_id == self.id, TeamMember.membership_id == membership.id)
        place = (await session.scalars(there)).one_or_none()
        if place is not None and place.left_at is None:
            raise Conflict(f"{membership.label} is in {self.name} already.")
        if place is None:
            place = TeamMember(team_id=self.id, tenant_id=self.tenant_id, membership_id=membership.id)
            session.add(place)
        place.lead, place.left_at, place.about = lead, None, membership.label
        record(session, Verb.TEAM_MEMBER_ADDED, place, team=self.name)
        await session.flush()
        return place


class TeamMember(Record, Audited):
    """A membership's place in a team. Composite keys keep both in one tenant."""

    __tablename__ = "team_members"
    noun = "team member"
    __table_args__ = (
        sa.UniqueConstraint("team_id", "membership_id"),
        sa.ForeignKeyConstraint(["team_id", "tenant_id"], ["teams.id", "teams.tenant_id"]),
        sa.ForeignKeyConstraint(["membership_id", "tenant_id"], ["memberships.id", "memberships.tenant_id"]),
    )

    team_id: Mapped[int] = mapped_column(Number)
    tenant_id: Mapped[int] = mapped_column(Number)
    membership_id: Mapped[int] = mapped_column(Number)
    lead: Mapped[bool] = mapped_column(default=False)
    left_at: Mapped[datetime | None]

    about = ""

    @property
    def label(self) -> str:
        """Who it is, where that is known by now."""
        return self.about or f"membership {self.membership_id}"

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; a member sees their own places."""
        if reach.extent is Extent.SELF:
            return cls.membership_id == reach.membership_id
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    async def leave(self, session: AsyncSession, now: datetime) -> None:
        """Out of the team."""
        if self.left_at is not None:
            raise Conflict("They have left this team already.")
        self.left_at, self.lead = now, False
        record(session, Verb.TEAM_MEMBER_CHANGED, self)
        await session.flush()

    async def set_lead(self, session: AsyncSession, actor: Actor, *, lead: bool) -> None:
        """Make them lead, or no longer: an admin's word, since a lead may stand in for the others."""
        _require_admin(actor)
        if self.left_at is not None:
            raise Conflict("They have left this team.")
        if self.lead != lead:
            self.lead = lead
            record(session, Verb.TEAM_MEMBER_CHANGED, self)
            await session.flush()


def _require_admin(actor: Actor) -> None:
    if actor.true is not None and (actor.apparent is None or actor.apparent.role is not Role.ADMIN):
        raise NotPermitted("Only an admin makes somebody lead of a team.")


async def find_team(session: AsyncSession, team_id: int) -> Team:
    """The team, when in reach; otherwise OutOfReach."""
    team = await session.get(Team, team_id)
    if team is None:
        raise OutOfReach
    return team


async def find_place(session: AsyncSession, team_id: int, membership_id: int) -> TeamMember:
    """Somebody's place in a team in reach, while they are in it; otherwise OutOfReach."""
    wanted = sa.select(TeamMember).where(
        TeamMember.team_id == team_id, TeamMember.membership_id == membership_id, TeamMember.left_at.is_(None)
    )
    place = (await session.scalars(wanted)).one_or_none()
    if place is None:
        raise OutOfReach
    return place


async def teams_of(session: AsyncSession, user_ids: Sequence[int]) -> dict[int, list[Team]]:
    """The teams in reach that these people are in, by name."""
    wanted = (
        sa.select(Membership.user_id, Team)
        .join(TeamMember, TeamMember.membership_id == Membership.id)
        .join(Team, Team.id == TeamMember.team_id)
        .where(Membership.user_id.in_(user_ids), Membership.discarded_at.is_(None))
        .where(TeamMember.left_at.is_(None), Team.discarded_at.is_(None))
        .order_by(Team.name, Team.id)
    )
    found: dict[int, list[Team]] = {}
    for user_id, team in await session.execute(wanted):
        found.setdefault(user_id, []).append(team)
    return found
