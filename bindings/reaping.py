"""Reaping: writing down what has ended by itself. Each use asks the rows anew, so that being late changes nothing."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.apps import App
from bindings.impersonation import GOODBYE, SILENCE, Impersonation
from bindings.login import Login

MOST = 10
"""Impersonations that one transaction ends: the rest waits for the next."""
ASKED = 100
"""Those about whom one transaction asks the guard."""

_logins = Login.__table__


def run_out(now: datetime) -> sa.Select[Impersonation]:
    """Those whose own row says that they are over, and which nobody has ended yet."""
    row = Impersonation
    never_opened = sa.and_(
        row.app_id.is_not(None), row.seen_at.is_(None), row.beat_at.is_(None), row.created_at <= now - SILENCE
    )
    over = sa.or_(
        row.ends_at <= now, row.goodbye_at <= now - GOODBYE, row.beat_at <= now - SILENCE, never_opened
    )  # fmt: skip
    return sa.select(row).where(row.ended_at.is_(None), over).order_by(row.id).limit(MOST)


async def anything(connection: AsyncConnection, now: datetime, *, guard: bool) -> bool:
    """Whether there is something to end, or with `guard` something to ask about."""
    row = Impersonation
    going = sa.select(row.id).where(row.ended_at.is_(None)).limit(1)
    late = sa.select(_logins.c.id).where(_logins.c.ended_at.is_(None), _logins.c.ends_at <= now).limit(1)
    unfit = sa.select(App.__table__.c.id).where(App.__table__.c.sweep_since.is_not(None)).limit(1)
    wanted = [going if guard else run_out(now).with_only_columns(row.id).limit(1), late, unfit]
    for each in wanted:
        if (await connection.execute(each)).first() is not None:
            return True
    return False


async def reap(session: AsyncSession, now: datetime) -> int:
    """End what has run out, as of when it did; how many impersonations that were."""
    count = 0
    for row in (await session.scalars(run_out(now))).all():
        cause, at = row.over(now) or (None, now)
        if cause is not None:
            count += await row.end(session, cause, now, at=at)
    # The logins of bindings that reached their end: their apps are told as of any other end.
    await session.execute(
        sa.update(_logins)
        .where(_logins.c.ended_at.is_(None), _logins.c.ends_at <= now)
        .values(ended_at=_logins.c.ends_at, ended_cause="expired")
    )
    return count


async def ask_again(session: AsyncSession, now: datetime, after: int = 0) -> int:
    """Ask the guard of those that go on, from the id `after` on, and end what it refuses; the id to go on from.

    Whatever changes a rule ends them itself. This finds what no act did: a window of consent that has closed.
    """
    row = Impersonation
    going = (
        sa.select(row).where(row.ended_at.is_(None), row.ends_at > now, row.id > after).order_by(row.id).limit(ASKED)
    )
    rows = (await session.scalars(going)).all()
    for each in rows:
        refused, _ = await each.refused(session, now)
        if refused is not None:
            await each.end(session, refused.rule or "live", now)
    return rows[-1].id if len(rows) == ASKED else 0
