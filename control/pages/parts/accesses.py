"""Who accessed an account: what others did as its person or to stand in for them, told so that the person may read it.

Entries are read by their subject, whatever kind of stand-in they came through. A member is told names and
organizations as of then, how, why and what changed; addresses, and numbers of records they do not see, stay away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.history import (
    NEWEST_FIRST,
    changes_of,
    sentence_of,
    way_of,
    who_of,
    zone_and_locale,
)
from control.pages.parts.history_names import names_in
from control.paging import cursor_of, read_cursor
from control.visitor import Visitor
from tenants.actor import Via
from tenants.history import Found, Search, newest
from tenants.trail import Entry

STAND_INS = ("bindings", "impersonations")
"""The records whose first entry says why somebody stands in."""


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that somebody else did."""

    at: datetime
    who: str
    organization: str | None
    verb: str
    did: str
    via: str
    how: str
    reason: str | None
    ticket: str | None
    changes: list[dict[str, Any]]
    """What changed; nothing where the change is the stand-in itself, which the sentence tells."""


@dataclass(frozen=True, slots=True)
class Accesses:
    """A page of them, newest first."""

    rows: list[Access] = field(default_factory=list)
    next: str | None = None
    back_to: datetime | None = None


async def accesses_of(
    session: AsyncSession,
    visitor: Visitor,
    user_id: int,
    members: Sequence[int],
    cursor: str | None = None,
    limit: int = 50,
) -> Accesses:
    """What others did as these memberships of one person, or to stand in for them."""
    found, following = await found_by_others(session, user_id, members, cursor, limit)
    return Accesses(await told_as_accesses(session, visitor, found.entries), following, found.back_to)


async def found_by_others(
    session: AsyncSession,
    user_id: int,
    members: Sequence[int],
    cursor: str | None,
    limit: int,
    *narrowed: sa.ColumnElement[bool],
) -> tuple[Found, str | None]:
    """The entries of it, newest first, and the cursor of the next ones."""
    if not members:
        return Found([]), None
    others = sa.or_(Entry.actor_user_id.is_(None), Entry.actor_user_id != user_id)
    before = read_cursor(cursor, NEWEST_FIRST, datetime) if cursor else None
    found = await newest(session, Search(subjects=tuple(members), narrowed=(others, *narrowed)), before, limit)
    return found, cursor_of(NEWEST_FIRST, *found.next) if found.next else None


async def told_as_accesses(session: AsyncSession, visitor: Visitor, entries: Sequence[Entry]) -> list[Access]:
    """Each of these entries as the person may read it."""
    names = await names_in(session, entries, numbers=False)
    whys = await _whys(session, entries)
    zone, locale = zone_and_locale(visitor)
    rows = []
    for entry in entries:
        reason, ticket = whys.get(_stand_in(entry), (None, None))
        rows.append(
            Access(
                at=entry.occurred_at,
                who=who_of(entry, locale),
                organization=entry.actor_tenant_name,
                verb=entry.verb,
                did=sentence_of(entry, names, locale),
                via=entry.via,
                how=str(way_of(entry, locale)["label"]),
                reason=entry.reason or reason,
                ticket=entry.ticket or ticket,
                changes=[] if entry.record_type in STAND_INS else changes_of(entry, names, zone, visitor.now, locale),
            )
        )
    return rows


def _stand_in(entry: Entry) -> tuple[str, str]:
    """The record of the stand-in that an entry came through, or is about."""
    if entry.record_type in STAND_INS:
        return entry.record_type, str(entry.record_id)
    kind = "bindings" if entry.via == Via.BINDING else "impersonations"
    return kind, str(entry.stand_in_id)


async def _whys(
    session: AsyncSession, entries: Sequence[Entry]
) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """The reason and ticket that each stand-in was begun with."""
    begun: dict[str, set[str]] = {}
    for entry in entries:
        if entry.stand_in_id is not None:
            kind, number = _stand_in(entry)
            begun.setdefault(kind, set()).add(number)
    found: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    for kind, numbers in begun.items():
        wanted = sa.select(Entry).where(
            Entry.record_type == kind,
            Entry.record_id.in_(numbers),
            sa.or_(Entry.reason.is_not(None), Entry.ticket.is_not(None)),
        )
        for entry in await session.scalars(wanted.order_by(Entry.occurred_at.desc(), Entry.id.desc())):
            found[kind, str(entry.record_id)] = entry.reason, entry.ticket
    return found
