"""Call recordings: what is known of a call that was recorded, and what people noted of it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record


class Recording(Record, Audited):
    """One recorded call. A private one is its member's and their own company's business."""

    __tablename__ = "recordings"
    noun = "recording"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "external_id"),
        sa.ForeignKeyConstraint(["extension_id", "tenant_id"], ["extensions.id", "extensions.tenant_id"]),
        sa.ForeignKeyConstraint(["membership_id", "tenant_id"], ["memberships.id", "memberships.tenant_id"]),
    )

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    extension_id: Mapped[int | None] = mapped_column(Number)
    membership_id: Mapped[int | None] = mapped_column(Number)
    external_id: Mapped[str | None] = mapped_column(sa.String(100))
    """What the phone system calls it, so that it is not taken in twice."""
    direction: Mapped[str] = mapped_column(sa.String(10))
    party: Mapped[str] = mapped_column(sa.String(60))
    """Who was at the other end, as the phone system knew them."""
    started_at: Mapped[datetime]
    seconds: Mapped[int]
    disposition: Mapped[str | None] = mapped_column(sa.String(30))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    private: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        """Who was at the other end, and when."""
        return f"{self.party}, {self.started_at:%Y-%m-%d %H:%M}"

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; a member sees their own."""
        if reach.extent is Extent.SELF:
            return cls.membership_id == reach.membership_id
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}
