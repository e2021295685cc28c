"""History: entries of the trail found by what is asked, newest first, at the price of a page however long it is.

An index of (key, time, id) is walked for each key that the question names: a tenant in reach, a person, a record, a
kind of record. What no index answers (a field, a word, a verb) is looked for among the newest `LOOKED_AT` entries of
those walks; the answer says how far back that was, and the next page goes on from there.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.actor import Via
from tenants.reach import ROOT, TREE, Reach, below
from tenants.trail import Entry, held

LOOKED_AT = 20_000
"""How many entries are looked through for one page, at most."""
FEW = 1000
"""So many tenants are walked one by one; where there are more, the whole trail is close enough to theirs."""

Position = tuple[datetime, int]
"""Where in the history: a moment, and the entry's id among those of the same moment."""

_ROWS = Entry.__table__
_NEWEST_FIRST = (_ROWS.c.occurred_at.desc(), _ROWS.c.id.desc())


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of the history. Every part narrows; what may be seen at all is the session's reach."""

    record: tuple[str, str] | None = None
    """Table and id."""
    kinds: tuple[str, ...] = ()
    """Tables of records."""
    verb: str | None = None
    field: str | None = None
    """A column that was changed."""
    via: str | None = None
    members: tuple[int, ...] = ()
    """Memberships that acted, or as or to whom it was done."""
    actors: tuple[int, ...] = ()
    subjects: tuple[int, ...] = ()
    narrowed: tuple[sa.ColumnElement[bool], ...] = ()
    """Further conditions that no index answers."""
    under: str | None = None
    """The path of a tenant: what happened there and below."""
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""
    last_id: int | None = None
    """Nothing newer than this entry: what an export begins with."""


@dataclass(frozen=True, slots=True)
class Found:
    """Some entries, newest first; where the next ones begin; and how far back was looked, when that was a limit."""

    entries: list[Entry]
    next: Position | None = None
    back_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Walk:
    """One index, walked from the newest entry back: where `column` has `value`, or has each tenant under `path`."""

    column: sa.Column[Any] | None = None
    value: Any = None
    path: str | None = None
    also: sa.ColumnElement[bool] | None = None

    @property
    def key(self) -> list[sa.ColumnElement[bool]]:
        """What its entries have in common; nothing yet where it is one walk for each tenant."""
        key = [] if self.column is None or self.path is not None else [self.column == self.value]
        return key if self.also is None else [*key, self.also]


async def newest(session: AsyncSession, search: Search, before: Position | None = None, limit: int = 50) -> Found:
    """The newest entries of a search that lie before a position."""
    if search.until is not None:
        before = min(before or (search.until, 0), (search.until, 0))
    walks, exact = await _walks(session, search)
    floor = None if exact else await _floor(session, walks, before)
    conditions = [*_conditions(search), *_between(before, floor)]
    found: dict[int, Entry] = {}
    for walk in walks:
        rows = await session.scalars(_page(session, walk, conditions, limit + 1))
        found |= {entry.id: entry for entry in rows}
    entries = sorted(found.values(), key=_position, reverse=True)
    if len(entries) > limit:
        return Found(entries[:limit], _position(entries[limit - 1]))
    if floor is None or (search.since is not None and floor[0] < search.since):
        return Found(entries)
    return Found(entries, (floor[0], floor[1] + 1), floor[0])


async def every(session: AsyncSession, search: Search, at_once: int = 1000) -> AsyncIterator[list[Entry]]:
    """All entries of a search, newest first, some at a time and none kept in the session."""
    before: Position | None = None
    while True:
        found = await newest(session, search, before, at_once)
        session.expunge_all()
        if found.entries:
            yield found.entries
        if found.next is None:
            return
        before = found.next


async def newest_id(session: AsyncSession) -> int:
    """The id of the newest entry anywhere, which says nothing of what it is."""
    newest_one: int | None = (await session.execute(sa.select(sa.func.max(_ROWS.c.id)))).scalar_one()
    return newest_one or 0


def _position(entry: Entry) -> Position:
    return entry.occurred_at, entry.id


async def _walks(session: AsyncSession, search: Search) -> tuple[list[_Walk], bool]:
    """The walks that meet every entry of the search, and whether they meet little else."""
    reach: Reach = session.sync_session.info["reach"]
    unanswered = search.narrowed or search.verb or search.field
    rows = _ROWS.c
    if search.record is not None:
        kind, number = search.record
        return [_Walk(rows.record_id, number, also=rows.record_type == kind)], not unanswered
    people = _people(search)
    if people:
        return people, False
    if search.under is not None and search.under != ROOT:
        few = await _few_tenants(session, below(TREE.c.path, search.under))
        exact = few and not (unanswered or search.kinds or search.via)
        return [_Walk(rows.tenant_id, path=search.under) if few else _Walk()], exact
    if not reach.whole and await _few_tenants(session, reach.paths(TREE.c.path)):
        both = [_Walk(column, path=reach.path) for column in (rows.tenant_id, rows.actor_tenant_id)]
        return both, not (unanswered or search.kinds or search.via)
    exact = reach.whole and not unanswered
    if search.kinds:
        return [_Walk(rows.record_type, kind) for kind in search.kinds], exact and search.via is None
    if search.via not in {None, Via.DIRECT.value}:
        return [_Walk(rows.via, search.via, also=_STOOD_IN)], exact
    return [_Walk()], exact and search.via is None


# Said as the partial index says it, or no planner would see that the index has them all.
_STOOD_IN = _ROWS.c.via != sa.literal(Via.DIRECT.value, literal_execute=True)


def _people(search: Search) -> list[_Walk]:
    by, about = _ROWS.c.actor_membership_id, _ROWS.c.subject_membership_id
    if search.subjects:
        return [_Walk(about, member) for member in search.subjects]
    if search.actors:
        return [_Walk(by, member) for member in search.actors]
    return [_Walk(column, member) for member in search.members for column in (by, about)]


async def _few_tenants(session: AsyncSession, where: sa.ColumnElement[bool]) -> bool:
    some = sa.select(TREE.c.id).where(where).limit(FEW + 1).subquery()
    return (await session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one() <= FEW


def _conditions(search: Search) -> list[sa.ColumnElement[bool]]:
    """Everything that is asked, whichever index answers a part of it."""
    rows = _ROWS.c
    pairs = (
        (rows.verb, search.verb),
        (rows.via, search.via),
    )
    found = [column == value for column, value in pairs if value is not None]
    several = (
        (rows.record_type, search.kinds),
        (rows.actor_membership_id, search.actors),
        (rows.subject_membership_id, search.subjects),
    )
    found += [column.in_(values) for column, values in several if values]
    if search.field is not None:
        found.append(rows.changes[search.field].as_string().is_not(None))
    if search.record is not None:
        found += [rows.record_type == search.record[0], rows.record_id == search.record[1]]
    if search.members:
        columns = (rows.actor_membership_id, rows.subject_membership_id)
        found.append(sa.or_(*(column.in_(search.members) for column in columns)))
    if search.under is not None:
        found.append(held(rows.tenant_id, search.under))
    if search.since is not None:
        found.append(rows.occurred_at >= search.since)
    if search.last_id is not None:
        found.append(rows.id <= search.last_id)
    return [*found, *search.narrowed]


def _between(before: Position | None, floor: Position | None) -> list[sa.ColumnElement[bool]]:
    here = sa.tuple_(_ROWS.c.occurred_at, _ROWS.c.id)
    found = [] if before is None else [here < _pair(before)]
    return found if floor is None else [*found, here > _pair(floor)]


def _pair(position: Position) -> sa.Tuple:
    moment, number = position
    return sa.tuple_(sa.literal(moment.astimezone(UTC), _ROWS.c.occurred_at.type), sa.literal(number))


def _page(
    session: AsyncSession, walk: _Walk, conditions: Sequence[sa.ColumnElement[bool]], limit: int
) -> sa.Select[Entry]:
    """The newest entries of one walk."""
    wanted = sa.select(Entry).order_by(Entry.occurred_at.desc(), Entry.id.desc()).limit(limit)
    if walk.path is None or walk.column is None:
        return wanted.where(*walk.key, *conditions)
    below_here = below(TREE.c.path, walk.path)
    if session.get_bind().dialect.name != "postgresql":
        return wanted.where(walk.column.in_(sa.select(TREE.c.id).where(below_here)), *conditions)
    # Each tenant's newest by its own stretch of the index: no planner thinks of that by itself.
    theirs = sa.select(_ROWS.c.occurred_at, _ROWS.c.id).where(walk.column == TREE.c.id, *conditions)
    each = theirs.order_by(*_NEWEST_FIRST).limit(limit).lateral()
    ids = sa.select(each.c.id).select_from(TREE.join(each, sa.true())).where(below_here)
    return wanted.where(Entry.id.in_(ids.order_by(each.c.occurred_at.desc(), each.c.id.desc()).limit(limit)))


async def _floor(session: AsyncSession, walks: Sequence[_Walk], before: Position | None) -> Position | None:
    """Where the walks have met `LOOKED_AT` entries together; None when they meet fewer. It reads only positions."""
    floors = [await _floor_of(session, walk, LOOKED_AT // len(walks), before) for walk in walks]
    return max((floor for floor in floors if floor is not None), default=None)


async def _floor_of(session: AsyncSession, walk: _Walk, share: int, before: Position | None) -> Position | None:
    met = sa.select(_ROWS.c.occurred_at, _ROWS.c.id).where(*walk.key, *_between(before, None))
    met = met.order_by(*_NEWEST_FIRST).limit(1)
    if walk.path is None or walk.column is None or session.get_bind().dialect.name != "postgresql":
        return _first((await session.execute(met.offset(share))).all())
    tenants = sa.select(sa.func.count()).select_from(TREE).where(below(TREE.c.path, walk.path))
    count = (await session.execute(tenants)).scalar_one()
    each = met.where(walk.column == TREE.c.id).offset(max(share // max(count, 1), 1)).lateral()
    floors = sa.select(each.c.occurred_at, each.c.id).select_from(TREE.join(each, sa.true()))
    newest_floor = floors.where(below(TREE.c.path, walk.path)).order_by(each.c.occurred_at.desc(), each.c.id.desc())
    return _first((await session.execute(newest_floor.limit(1))).all())


def _first(rows: Sequence[Any]) -> Position | None:
    return (rows[0].occurred_at, rows[0].id) if rows else None
