"""Positions in the trail that nothing can still come before: how far a reader of entries may go without missing any.

On PostgreSQL numbers are drawn before a transaction commits, so an entry may appear behind a reader who goes by
number. Each entry names its transaction; those below the oldest one that is still open are final, whether they were
committed or taken back. On SQLite there is one writer: numbers commit in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.history import newest_id
from tenants.trail import Entry

_transaction: sa.ColumnElement[int] = sa.literal_column("entries.transaction_id", sa.BigInteger())
"""Only PostgreSQL has this column, filled by the database itself."""
_OLDEST_OPEN = sa.cast(sa.cast(sa.func.pg_snapshot_xmin(sa.func.pg_current_snapshot()), sa.Text()), sa.BigInteger())


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """After an entry, in the order of transactions and then of numbers; on SQLite every transaction is 0."""

    transaction: int
    entry_id: int


async def position_now(session: AsyncSession) -> Position:
    """Everything before it is final, and everything that is still open or yet to come is behind it."""
    if _counts_transactions(session):
        oldest = (await session.execute(sa.select(_OLDEST_OPEN))).scalar_one()
        # Nothing of that transaction has been read, so the number before its first.
        return Position(oldest, 0)
    return Position(0, await newest_id(session))


async def entries_between(
    session: AsyncSession, start: Position, until: Position, which: sa.ColumnElement[bool], most: int
) -> Sequence[tuple[Position, Entry]]:
    """Final entries behind `start`, in order, with where each stands. `until` is a `position_now` of this session."""
    number: sa.ColumnElement[int] = _transaction if _counts_transactions(session) else sa.literal(0)
    wanted = sa.select(number.label("transaction"), Entry).where(which, *_between(session, start, until))
    wanted = wanted.order_by(*([number] if _counts_transactions(session) else []), Entry.id).limit(most)
    return [(Position(drawn, entry.id), entry) for drawn, entry in (await session.execute(wanted)).all()]


async def anything_between(
    session: AsyncSession, start: Position, until: Position, which: sa.ColumnElement[bool]
) -> bool:
    """Whether there is an entry like that at all."""
    wanted = sa.select(Entry.id).where(which, *_between(session, start, until)).limit(1)
    return (await session.execute(wanted)).first() is not None


def _between(session: AsyncSession, start: Position, until: Position) -> list[sa.ColumnElement[Any]]:
    if not _counts_transactions(session):
        return [Entry.id > start.entry_id, Entry.id <= until.entry_id]
    behind = sa.tuple_(_transaction, Entry.id) > sa.tuple_(sa.literal(start.transaction), sa.literal(start.entry_id))
    return [behind, _transaction < until.transaction]


def _counts_transactions(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"
