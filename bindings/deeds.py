"""Deeds: what somebody did while they stood in, read from the trail."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.impersonation import Impersonation
from tenants.trail import Entry
from tenants.verbs import Verb

REVEALS = frozenset(
    {
        Verb.RECORDING_REVEALED,
        Verb.RECORDINGS_EXPORTED,
        Verb.USERS_EXPORTED,
        Verb.TENANTS_EXPORTED,
        Verb.HISTORY_EXPORTED,
    }
)
"""What shows more than a page does, and is told for that alone."""
NO_DEEDS = frozenset(
    {
        Verb.IMPERSONATION_STARTED,
        Verb.IMPERSONATION_STOPPED,
        Verb.IMPERSONATION_ENDED,
        Verb.LOGGED_IN,
        Verb.LOGIN_ENDED,
        Verb.LOGIN_REFUSED,
        Verb.SIGNED_OUT,
        Verb.REFUSED,
    }
)
"""What is told of a stand-in that changes nothing and shows nothing: its own beginning and end, and what it may not."""


def changed_through(stand: Impersonation) -> sa.Select[Entry]:
    """What was changed."""
    return _through(stand).where(Entry.verb.not_in(NO_DEEDS | REVEALS))


def revealed_through(stand: Impersonation) -> sa.Select[Entry]:
    """What was looked into or taken out."""
    return _through(stand).where(Entry.verb.in_(REVEALS))


async def anything_done(session: AsyncSession, stand: Impersonation) -> bool:
    """Whether there is anything to tell of it besides that it was."""
    deeds = _through(stand).where(Entry.verb.not_in(NO_DEEDS)).limit(1)
    return (await session.scalars(deeds)).first() is not None


def _through(stand: Impersonation) -> sa.Select[Entry]:
    """All that was done by it: the way and the times first, which an index has."""
    return sa.select(Entry).where(
        Entry.via == stand.kind,
        Entry.occurred_at >= stand.created_at,
        Entry.occurred_at <= stand.ends_at,
        Entry.stand_in_id == stand.id,
    )
