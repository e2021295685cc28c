"""Who accessed an account, as a story: one line for each time that somebody was the person, with all they did then.

What a binding gives, and what was done to it, stays one line for each; so does what is told of no stand-in in reach.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.deeds import NO_DEEDS, REVEALS
from bindings.impersonation import Impersonation
from control.pages.parts.accesses import Access, found_by_others, told_as_accesses
from control.pages.parts.history import zone_and_locale
from control.pages.parts.shown_impersonations import ShownImpersonation, shown_impersonations, through_one
from control.visitor import Visitor
from tenants.trail import Entry
from tenants.verbs import Verb

DEEDS = 500
"""How much is told of the stories of one page; the page of each impersonation has all of it."""


@dataclass(frozen=True, slots=True)
class Deeds:
    """What was done while somebody was the person."""

    apps: tuple[str, ...] = ()
    """Where they logged in, by the apps' names of then."""
    changed: tuple[Access, ...] = ()
    revealed: tuple[Access, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list: something that was done, or with `story` a whole impersonation, begun by it."""

    access: Access
    story: ShownImpersonation | None = None
    deeds: Deeds = field(default_factory=Deeds)


@dataclass(frozen=True, slots=True)
class Stories:
    """A page of them, newest first."""

    rows: list[Line] = field(default_factory=list)
    next: str | None = None
    back_to: datetime | None = None


async def stories_of(
    session: AsyncSession,
    visitor: Visitor,
    user_id: int,
    members: Sequence[int],
    cursor: str | None = None,
    limit: int = 50,
) -> Stories:
    """What others did as these memberships of one person, or to stand in for them."""
    found, following = await found_by_others(session, user_id, members, cursor, limit, _no_part_of_a_story())
    accesses = await told_as_accesses(session, visitor, found.entries)
    begun = {each.id: int(each.record_id or 0) for each in found.entries if each.verb == Verb.IMPERSONATION_STARTED}
    stories = await _stories(session, visitor, list(begun.values()))
    deeds = await _deeds(session, visitor, members, list(stories.values()))
    rows = []
    for entry, access in zip(found.entries, accesses, strict=True):
        number = begun.get(entry.id, 0)
        rows.append(Line(access, stories.get(number), deeds.get(number, Deeds())))
    return Stories(rows, following, found.back_to)


def _no_part_of_a_story() -> sa.ColumnElement[bool]:
    """The beginning of an impersonation stands for all of it, however much was done."""
    known = sa.exists().where(Impersonation.id == Entry.stand_in_id)
    part = sa.or_(Entry.record_type == Impersonation.__tablename__, sa.and_(through_one(), known))
    return sa.or_(Entry.verb == Verb.IMPERSONATION_STARTED.value, Entry.record_type.is_(None), sa.not_(part))


async def _stories(session: AsyncSession, visitor: Visitor, numbers: list[int]) -> dict[int, ShownImpersonation]:
    if not numbers or visitor.actor is None:
        return {}
    rows = await session.scalars(sa.select(Impersonation).where(Impersonation.id.in_(numbers)))
    _, locale = zone_and_locale(visitor)
    shown = await shown_impersonations(session, rows.all(), visitor.actor, visitor.now, locale)
    return {each.id: each for each in shown}


async def _deeds(
    session: AsyncSession, visitor: Visitor, members: Sequence[int], stories: list[ShownImpersonation]
) -> dict[int, Deeds]:
    """What was done in each, oldest first. The person and the times come first, which an index has."""
    if not stories:
        return {}
    told = Verb.LOGGED_IN.value, *(verb.value for verb in Verb if verb not in NO_DEEDS)
    wanted = sa.select(Entry).where(
        Entry.subject_membership_id.in_(members),
        Entry.occurred_at >= min(each.created_at for each in stories),
        Entry.occurred_at <= max(each.ends_at for each in stories),
        through_one(),
        Entry.stand_in_id.in_([each.id for each in stories]),
        Entry.verb.in_(told),
    )
    entries = (await session.scalars(wanted.order_by(Entry.occurred_at, Entry.id).limit(DEEDS))).all()
    found: dict[int, Deeds] = {}
    for entry, access in zip(entries, await told_as_accesses(session, visitor, entries), strict=True):
        number = entry.stand_in_id or 0
        found[number] = _with(found.get(number, Deeds()), entry, access)
    return found


def _with(deeds: Deeds, entry: Entry, access: Access) -> Deeds:
    if entry.verb == Verb.LOGGED_IN:
        name = entry.record_name or ""
        return deeds if name in deeds.apps else Deeds((*deeds.apps, name), deeds.changed, deeds.revealed)
    if entry.verb in REVEALS:
        return Deeds(deeds.apps, deeds.changed, (*deeds.revealed, access))
    return Deeds(deeds.apps, (*deeds.changed, access), deeds.revealed)
