"""Delivery: one event on its way to one webhook, and what became of it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Number, Record
from tenants.refusals import OutOfReach

TEST = "webhook.test"
"""The event that somebody sends to see whether it arrives."""
KEPT = timedelta(days=30)
"""How long a delivery that is over can be looked at and sent again."""


class Failure(StrEnum):
    """Why this house itself did not send, or sends no more."""

    DISABLED = "disabled"
    CLOSED = "closed"
    """The webhook's tenant is suspended or discarded."""
    MOVED = "moved"
    """What it tells of lies outside the tenant by now."""


class Outcome(StrEnum):
    """How far it has come."""

    DELIVERED = "delivered"
    WAITING = "waiting"
    FAILED = "failed"


class WebhookDelivery(Record):
    """One event for one webhook. It waits while `done_at` is empty; an `error` says what the last try met."""

    __tablename__ = "webhook_deliveries"

    webhook_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("webhooks.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    """The webhook's."""
    entry_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("entries.id"))
    event: Mapped[str] = mapped_column(sa.String(60))
    created_at: Mapped[datetime]
    tries: Mapped[int]
    try_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    status: Mapped[int | None]
    """What the other end answered last (an HTTP status)."""
    error: Mapped[str | None] = mapped_column(sa.String(200))

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where the webhook is."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """The webhook's tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    def of(cls, webhook_id: int, tenant_id: int, entry_id: int, event: str, now: datetime) -> "WebhookDelivery":
        """A new one, due at once."""
        return cls(
            webhook_id=webhook_id,
            tenant_id=tenant_id,
            entry_id=entry_id,
            event=event,
            created_at=now,
            tries=0,
            try_at=now,
        )

    @property
    def message_id(self) -> str:
        """The same for every try and every replay, so that who was told twice can tell."""
        return f"msg_{self.id}"

    @property
    def outcome(self) -> Outcome:
        """How far it has come."""
        if self.done_at is None:
            return Outcome.WAITING
        return Outcome.DELIVERED if self.error is None else Outcome.FAILED

    def start_again(self, now: datetime) -> None:
        """As if it had never been tried."""
        self.tries, self.try_at, self.done_at, self.status, self.error = 0, now, None, None, None

    @classmethod
    async def start_all_again(
        cls, session: AsyncSession, webhook_id: int, since: datetime, now: datetime, *, failed: bool
    ) -> int:
        """All that are over of those since then, or of these only what failed; returns how many."""
        over = sa.and_(cls.webhook_id == webhook_id, cls.done_at.is_not(None), cls.created_at >= since)
        which = sa.and_(over, cls.error.is_not(None)) if failed else over
        again = {"tries": 0, "try_at": now, "done_at": None, "status": None, "error": None}
        return await _changed(session, sa.update(cls).where(which).values(**again))

    @classmethod
    async def give_up_all(cls, session: AsyncSession, webhook_id: int, now: datetime) -> int:
        """Those that wait are over; returns how many."""
        over = {"done_at": now, "try_at": None, "error": Failure.DISABLED.value}
        waiting = sa.and_(cls.webhook_id == webhook_id, cls.done_at.is_(None))
        return await _changed(session, sa.update(cls).where(waiting).values(**over))

    @classmethod
    async def forget(cls, session: AsyncSession, now: datetime) -> int:
        """Those that were over KEPT ago are gone; returns how many."""
        old = cls.done_at < now - KEPT
        return await _changed(session, sa.delete(cls).where(old))


async def _changed(session: AsyncSession, statement: sa.Update | sa.Delete) -> int:
    result = await session.execute(statement.execution_options(synchronize_session=False))
    return int(cast(sa.CursorResult[Any], result).rowcount)


async def find_delivery(session: AsyncSession, webhook_id: int, delivery_id: int) -> WebhookDelivery:
    """The delivery of that webhook, when in reach; otherwise OutOfReach."""
    found = await session.get(WebhookDelivery, delivery_id)
    if found is None or found.webhook_id != webhook_id:
        raise OutOfReach
    return found
