"""Notices: what a person is yet to be told of those who stood in for them. Written with the start, told by letter."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Identity
from tenants.policy import Notice
from tenants.records import Number, Record


class AccessNotice(Record):
    """One start or login that its subject is to be told of. Nobody's reach holds it: the house writes and tells."""

    __tablename__ = "notices"

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    actor_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    actor_name: Mapped[str] = mapped_column(sa.String(250))
    actor_tenant_name: Mapped[str] = mapped_column(sa.String(200))
    via: Mapped[str] = mapped_column(sa.String(20))
    stand_in_id: Mapped[int] = mapped_column(Number)
    at_once: Mapped[bool]
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    created_at: Mapped[datetime]
    told_at: Mapped[datetime | None]


_INSERT = sa.insert(AccessNotice.__table__)


async def note(
    connection: AsyncConnection,
    actor: Identity,
    subject_membership_id: int,
    tenant_id: int,
    wanted: Notice,
    now: datetime,
    *,
    via: str,
    stand_in_id: int,
    reason: str | None,
) -> None:
    """Note down, in the transaction of the start, what the subject's rules say they are told of."""
    if wanted is Notice.NONE:
        return
    row = {
        "tenant_id": tenant_id,
        "subject_membership_id": subject_membership_id,
        "actor_membership_id": actor.membership_id,
        "actor_name": actor.shown_name,
        "actor_tenant_name": actor.tenant_name,
        "via": via,
        "stand_in_id": stand_in_id,
        "at_once": wanted is Notice.AT_ONCE,
        "reason": reason,
        "created_at": now,
    }
    await connection.execute(_INSERT, row)
