"""Seats: how many licences of a product a tenant and all below it may hold."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record


class SeatLimit(Record, Audited):
    """The most licences of one product in a tenant's subtree; None where the limit was taken away again."""

    __tablename__ = "seat_limits"
    noun = "seat limit"
    __table_args__ = (sa.UniqueConstraint("tenant_id", "product_id"),)

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    product_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("products.id"))
    seats: Mapped[int | None]
    created_at: Mapped[datetime]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; nothing for members."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}
