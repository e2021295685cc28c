"""E-mail changes: a new address confirms, the old one agrees or lets 72 hours pass."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record


class EmailChange(Record, Audited):
    """A wish for another address, until it is applied or cancelled. Its history belongs to the person's home."""

    __tablename__ = "email_changes"
    noun = "e-mail change"

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    email: Mapped[str] = mapped_column(sa.String(254))
    asked_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    own: Mapped[bool]
    """Asked for by the person themselves, rather than by an admin."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    agreed_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        """The address it would be."""
        return self.email

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where the person's home is, and one's own."""
        if reach.extent is Extent.NOTHING:
            return sa.false()
        own = cls.user_id == reach.user_id
        return own if reach.extent is Extent.SELF else sa.or_(own, reach.tenants(cls.tenant_id))

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own always; otherwise the person's home."""
        if reach.user_id and self.user_id == reach.user_id:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}
