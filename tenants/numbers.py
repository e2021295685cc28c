"""Inbound numbers: what the world dials (E.164), routed to an extension of the same tenant."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.phones import Extension
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record


class InboundNumber(Record, Audited):
    """A number of a tenant. Another tenant may hold the same one, and neither learns of it."""

    __tablename__ = "numbers"
    noun = "number"
    __table_args__ = (
        sa.ForeignKeyConstraint(["extension_id", "tenant_id"], ["extensions.id", "extensions.tenant_id"]),
    )

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    e164: Mapped[str] = mapped_column(sa.String(20))
    note: Mapped[str | None] = mapped_column(sa.String(200))
    extension_id: Mapped[int | None] = mapped_column(Number)
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        """The number itself."""
        return self.e164

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; a member sees those that ring at their extension."""
        if reach.extent is Extent.SELF:
            phones = Extension.__table__
            return cls.extension_id.in_(sa.select(phones.c.id).where(phones.c.membership_id == reach.membership_id))
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}
