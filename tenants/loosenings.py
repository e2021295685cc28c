"""Loosening: a tenant's own admins give up a protection; told to all its admins, in force a day later."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Json, Number, Record


class Loosening(Record, Audited):
    """The rules as they are wanted. One waits at a time in each tenant; until `takes_effect_at` it can be cancelled."""

    __tablename__ = "loosenings"
    noun = "loosening"

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    wanted: Mapped[dict[str, Any]] = mapped_column(Json)
    asked_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    created_at: Mapped[datetime]
    takes_effect_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where the tenant is."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}
