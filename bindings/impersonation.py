"""Impersonation: a membership stands in for another now, for at most 20 minutes. Its pages come later."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Identity
from tenants.people import Membership, User
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict
from tenants.roles import Role
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb

LONGEST = timedelta(minutes=20)

# What ending one needs of the logins made through it, without the class that looks back at this one.
_LOGINS = sa.table(
    "logins",
    sa.column("impersonation_id", Number),
    sa.column("ended_at", DateTimeUTC(timezone=True)),
    sa.column("ended_cause", sa.String()),
)


class Impersonation(Record, Audited):
    """One impersonation (`kind` impersonation) or exchanged token (`kind` token): the row is the truth at each use."""

    __tablename__ = "impersonations"
    noun = "impersonation"

    kind: Mapped[str] = mapped_column(sa.String(20))
    actor_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    app_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("apps.id"))
    mode: Mapped[str] = mapped_column(sa.String(10))
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    ticket: Mapped[str | None] = mapped_column(sa.String(100))
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_cause: Mapped[str | None] = mapped_column(sa.String(40))

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its subject is; a member's own, whichever side they are on."""
        if reach.extent is Extent.SELF:
            mine = reach.membership_id
            return sa.or_(cls.actor_membership_id == mine, cls.subject_membership_id == mine)
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its subject's tenant; one's own, on either side, always."""
        if reach.membership_id and reach.membership_id in {self.actor_membership_id, self.subject_membership_id}:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    async def end(self, session: AsyncSession, cause: str, now: datetime) -> None:
        """End it for good, and every login made through it in the same transaction."""
        if self.ended_at is not None:
            raise Conflict("This impersonation has ended already.")
        # Asked first: a question between the change and its entry would flush the change without it.
        subject = await _subject(session, self)
        named = (self.__tablename__, str(self.id), subject.name)
        self.ended_at, self.ended_cause = now, cause
        record(session, Verb.IMPERSONATION_ENDED, self, named=named, stand_in_id=self.id, cause=cause, subject=subject)
        await session.flush()
        await session.execute(
            sa.update(_LOGINS)
            .where(_LOGINS.c.impersonation_id == self.id, _LOGINS.c.ended_at.is_(None))
            .values(ended_at=now, ended_cause=f"impersonation_{cause}")
        )


async def _subject(session: AsyncSession, row: Impersonation) -> Identity:
    """Who was stood in for, as they are now."""
    members, people, tree = Membership.__table__, User.__table__, Tenant.__table__
    wanted = (
        sa.select(
            members.c.user_id, members.c.role, people.c.name, people.c.email, tree.c.id, tree.c.name, tree.c.kind,
            tree.c.path,
        )
        .join(people, people.c.id == members.c.user_id)
        .join(tree, tree.c.id == members.c.tenant_id)
        .where(members.c.id == row.subject_membership_id)
    )  # fmt: skip
    user_id, role, name, email, *place = (await session.execute(wanted)).one()
    return Identity(row.subject_membership_id, user_id, name, email, Role(role), *place)
