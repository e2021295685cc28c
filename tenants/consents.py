"""Consent: a window in which somebody may stand in where the rules ask for consent, given to one organization."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record


class Consent(Record, Audited):
    """Who may stand in for whom, until when. With `digits` it waits for one operator to say them.

    `membership_id` is the one person it is for, or None for everybody in the company. `to_tenant_id` is whose people
    may use it; of spoken digits `operator_id` is the one person who said them, and nobody before that.
    """

    __tablename__ = "consents"
    noun = "consent"
    secret = frozenset({"digits"})
    derived = frozenset({"tries"})

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    membership_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    to_tenant_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    operator_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    granted_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    digits: Mapped[str | None] = mapped_column(sa.String(64))
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where it opens a company; a member's own."""
        if reach.extent is Extent.SELF:
            return cls.membership_id == reach.membership_id
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own; otherwise the company it opens."""
        if self.membership_id is not None and self.membership_id == reach.membership_id:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}
