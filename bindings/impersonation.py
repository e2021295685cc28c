"""Impersonation: a membership stands in for another now, for at most 20 minutes. Its pages come later."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record

LONGEST = timedelta(minutes=20)


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
