"""Breaking the glass: the way past `never` and consent, for one subject and one hour, with a second person's yes."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record


class BreakGlass(Record, Audited):
    """A platform admin asks, another one approves; it is open from then until `ends_at`, or until it is ended."""

    __tablename__ = "break_glasses"
    noun = "broken glass"

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    asked_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    reason: Mapped[str] = mapped_column(sa.String(1000))
    created_at: Mapped[datetime]
    approved_by_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    approved_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its subject is; a member sees those for themselves."""
        if reach.extent is Extent.SELF:
            return cls.subject_membership_id == reach.membership_id
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its subject's tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}
