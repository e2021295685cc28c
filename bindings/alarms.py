"""Alarms: one person goes into unusually many companies within an hour, and those above them are told."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.impersonation import MANY, Impersonation, companies_lately
from tenants.actor import Actor
from tenants.trail import Entry, record
from tenants.verbs import Verb

QUIET = timedelta(hours=1)
"""After it was told it is not told again for so long, though the count may go down and up again."""


async def many_companies(session: AsyncSession, actor: Actor, stand: Impersonation, now: datetime) -> int | None:
    """How many companies it are by now, where this start is the one that makes it many; None for every other start.

    It is written down where the person belongs. Asked right after a start, in its transaction, which holds the
    person's row: of two starts at once one is the tenth.
    """
    who = actor.true
    if who is None:
        return None
    count = await companies_lately(session, who.user_id, now)
    before = await companies_lately(session, who.user_id, now, but=stand.id)
    if not before < MANY <= count or await _told_lately(session, who.membership_id, now):
        return None
    record(session, Verb.MANY_COMPANIES, None, place=who.tenant_id, stand_in_id=stand.id, companies=count)
    return count


async def _told_lately(session: AsyncSession, membership_id: int, now: datetime) -> bool:
    told = sa.select(Entry.id).where(
        Entry.actor_membership_id == membership_id,
        Entry.verb == Verb.MANY_COMPANIES,
        Entry.occurred_at > now - QUIET,
    )
    return (await session.scalars(told.limit(1))).first() is not None
