"""The trail: every change and act is written down in the same transaction, under both names.

A verb calls `record(session, Verb.X, thing)`; before the flush the changes of the thing are worked out from what
the session knows, the entry is inserted on the same connection, and the thing points at it. A changed record that
nobody spoke of stops the flush; a change that goes round the session is stopped by the database's triggers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

import rfc8785
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, Session, UOWTransaction, mapped_column
from sqlalchemy.orm.attributes import History
from sqlalchemy.orm.base import NO_VALUE

from tenants.actor import Actor, Identity
from tenants.fence import FencedSession
from tenants.reach import TREE, Extent, Reach, below
from tenants.records import Audited, Json, Number, Path, Record
from tenants.refusals import NotPermitted, Unrecorded
from tenants.verbs import Verb

SCHEMA = 1
"""Version of the entry's canonical form."""

CHANGED = "changed"
"""All that an entry says of a secret."""


class Entry(Record):
    """One line of the append-only history. The database refuses to change or delete it."""

    __tablename__ = "entries"

    occurred_at: Mapped[datetime]
    verb: Mapped[str] = mapped_column(sa.String(60))
    tenant_id: Mapped[int | None] = mapped_column(Number)
    tenant_path: Mapped[str | None] = mapped_column(Path)
    actor_membership_id: Mapped[int | None] = mapped_column(Number)
    actor_user_id: Mapped[int | None] = mapped_column(Number)
    actor_name: Mapped[str] = mapped_column(sa.String(250))
    actor_tenant_id: Mapped[int | None] = mapped_column(Number)
    actor_tenant_name: Mapped[str | None] = mapped_column(sa.String(250))
    subject_membership_id: Mapped[int | None] = mapped_column(Number)
    subject_user_id: Mapped[int | None] = mapped_column(Number)
    subject_name: Mapped[str | None] = mapped_column(sa.String(250))
    via: Mapped[str] = mapped_column(sa.String(20))
    stand_in_id: Mapped[int | None] = mapped_column(Number)
    record_type: Mapped[str | None] = mapped_column(sa.String(40))
    record_id: Mapped[str | None] = mapped_column(sa.String(40))
    record_name: Mapped[str | None] = mapped_column(sa.String(250))
    changes: Mapped[dict[str, Any]] = mapped_column(Json)
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    ticket: Mapped[str | None] = mapped_column(sa.String(100))
    request_id: Mapped[str | None] = mapped_column(sa.String(64))
    address: Mapped[str | None] = mapped_column(sa.String(64))
    schema_version: Mapped[int]
    leaf: Mapped[bytes]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Whose reach holds the tenant now, or holds the people who acted; a member sees what concerns them."""
        if reach.extent is Extent.SELF:
            mine = reach.membership_id
            return sa.or_(cls.actor_membership_id == mine, cls.subject_membership_id == mine)
        if reach.extent is Extent.SUBTREE and not reach.whole:
            return sa.or_(held(cls.tenant_id, reach.path), held(cls.actor_tenant_id, reach.path))
        return sa.or_(reach.tenants(cls.tenant_id), reach.tenants(cls.actor_tenant_id))


def held(column: sa.SQLColumnExpression[int | None], path: str) -> sa.ColumnElement[bool]:
    """The tenant lies at `path` or below it now. Asked of each row, so that a big subtree need not be listed first."""
    tree = TREE.alias()
    return sa.exists().where(tree.c.id == column, below(tree.c.path, path))


_INSERT = sa.insert(Entry.__table__)


@dataclass(slots=True)
class Saying:
    """What a verb said of a thing, until the flush makes an entry of it."""

    verb: Verb
    thing: Any
    reason: str | None
    ticket: str | None
    place: int | None
    subject: Identity | None
    stand_in_id: int | None
    details: dict[str, Any]
    named: tuple[str, str, str] | None
    changes: dict[str, Any] | None = None
    """Set where the row is not the session's: what a bulk change did to it."""


def record(
    session: AsyncSession,
    verb: Verb,
    thing: Record | None = None,
    *,
    reason: str | None = None,
    ticket: str | None = None,
    place: int | None = None,
    subject: Identity | None = None,
    stand_in_id: int | None = None,
    named: tuple[str, str, str] | None = None,
    **details: Any,
) -> None:
    """Say what is being done to `thing`, in this transaction.

    `place` is the tenant whose history it belongs to (the thing's own by default), `subject` the person it was
    done as or to, `named` stands for a thing without a row of its own, `details` are facts that are no change of
    a column.
    """
    sayings: list[Saying] = session.sync_session.info.setdefault("sayings", [])
    sayings.append(Saying(verb, thing, reason, ticket, place, subject, stand_in_id, details, named))


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a bulk change: what happened to a row that Core inserts or updates right after."""

    verb: Verb
    record: tuple[str, int, str]
    """Its table, id and name."""
    place: int
    path: str
    """The path of `place`, which may be as new as the row."""
    changes: dict[str, Any]
    """field -> [before, after], as `made` has it for a new row."""


def made(row: dict[str, Any]) -> dict[str, Any]:
    """The changes that a new row is, without its secrets: the caller leaves them out or says "changed"."""
    return {key: [None, plain(value)] for key, value in row.items() if key != "id" and value is not None}


def tell_in_bulk(session: Session, lines: Sequence[Told]) -> list[int]:
    """Write the entries of many rows at once and return their ids, for each row's `last_entry_id`.

    For imports and loads, where a flush of the session would take minutes. The database holds the rows to their
    entries as it does everywhere.
    """
    connection = session.connection()
    entry_ids = next_ids(connection, Entry.__tablename__, len(lines))
    rows = []
    for entry_id, line in zip(entry_ids, lines, strict=True):
        table, number, name = line.record
        named = (table, str(number), name)
        saying = Saying(line.verb, None, None, None, line.place, None, None, {}, named, line.changes)
        rows.append(_row(session, entry_id, saying, {line.place: line.path}))
    if rows:
        connection.execute(_INSERT, rows)
    return entry_ids


async def tell(
    connection: AsyncConnection,
    actor: Actor,
    now: datetime,
    verb: Verb,
    named: tuple[str, str, str],
    *,
    place: int,
    path: str,
    subject: Identity | None = None,
    stand_in_id: int | None = None,
    **details: Any,
) -> None:
    """Write one act down on a bare connection, in its transaction: the login path does without a session."""
    saying = Saying(verb, None, None, None, place, subject, stand_in_id, details, named)
    numbers = await connection.run_sync(next_ids, Entry.__tablename__, 1)
    row = _line(actor, now, numbers[0], saying, {place: path})
    await connection.execute(_INSERT, row)


@event.listens_for(FencedSession, "before_flush", insert=False)
def write_entries(session: Session, context: UOWTransaction | None = None, instances: Any = None) -> None:
    """Entries first, then the changes they speak of; a change nobody spoke of stops here."""
    if any(isinstance(row, Entry) for row in (*session.new, *session.dirty, *session.deleted)):
        raise Unrecorded("Entries are written by record() and never changed.")
    changed = {
        id(row): row
        for row in (*session.new, *session.dirty, *session.deleted)
        if isinstance(row, Audited) and (row in session.deleted or _changes(row))
    }
    sayings: list[Saying] = session.info.pop("sayings", [])
    spoken_of = {id(saying.thing) for saying in sayings}
    silent = [row for key, row in changed.items() if key not in spoken_of]
    if silent:
        raise Unrecorded(f"A change of {type(silent[0]).__name__} without its entry.")
    if sayings:
        _require_more_than_a_look(session, sayings)
        _require_nothing_that_outlives(session, changed.values())
        _insert(session, sayings)


LOOKING = frozenset({Verb.REFUSED, Verb.IMPERSONATION_STOPPED, Verb.IMPERSONATION_ENDED, Verb.SIGNED_OUT})
"""All that is written of somebody who stands in to look only: being refused, and leaving."""


def _require_more_than_a_look(session: Session, sayings: list[Saying]) -> None:
    """Nothing changes without its entry, so that whoever only looks changes nothing, whichever door they came by."""
    actor: Actor | None = session.info.get("actor")
    if actor is not None and actor.look and any(saying.verb not in LOOKING for saying in sayings):
        raise NotPermitted("You are signed in to look only: nothing can be changed.", rule="look")


ENDS = ("discarded_at", "ended_at", "revoked_at", "left_at", "cancelled_at")
"""The columns that say a record is over: an end leaves nothing behind, whoever brings it about."""


def _require_nothing_that_outlives(session: Session, changed: Iterable[Audited]) -> None:
    """Who stands in changes only what a record lends, adds only its kinds that are lent, and may end what there is.

    The doors are closed before this. Here it is closed whichever door somebody came by, and for each field of a form.
    """
    actor: Actor | None = session.info.get("actor")
    if actor is None or not actor.standing_in:
        return
    for row in changed:
        if not (row.lends_new if row in session.new else _lent(row)):
            raise NotPermitted("Stop impersonating first: this would outlive your standing in.", rule="outlives")


def _lent(row: Audited) -> bool:
    """Whether all that changes of a record is lent, or taken away, or goes with its end."""
    state, taken = sa.inspect(row), {}
    for column in state.mapper.column_attrs:
        history = state.attrs[column.key].history
        before, after = _before_and_after(history)
        if history.has_changes() and before != after:
            taken[column.key] = (before, after)
    if any(key in ENDS and before is None for key, (before, _) in taken.items()):
        return True
    own = row.lends | row.derived | {"last_entry_id"}
    return all(key in own or _taken_away(key, after) for key, (_, after) in taken.items())


def _taken_away(key: str, after: Any) -> bool:
    """Nothing, or no, in place of what was; unless it is the end of the record that goes."""
    return key not in ENDS and (after is None or after is False)


@event.listens_for(FencedSession, "before_commit")
def write_acts(session: Session) -> None:
    """Acts that changed no row (a refusal, a reveal) are still written; the flush would skip them."""
    session.flush()
    if session.info.get("sayings"):
        write_entries(session)


@event.listens_for(FencedSession, "after_soft_rollback")
def forget_sayings(session: Session, previous: Any) -> None:
    """What was rolled back was not done."""
    session.info.pop("sayings", None)


def _insert(session: Session, sayings: list[Saying]) -> None:
    connection = session.connection()
    _number_new_rows(session, connection)
    entry_ids = next_ids(connection, "entries", len(sayings))
    paths = _paths(connection, {_place(saying) for saying in sayings})
    rows = []
    for entry_id, saying in zip(entry_ids, sayings, strict=True):
        rows.append(_row(session, entry_id, saying, paths))
        if isinstance(saying.thing, Audited):
            saying.thing.last_entry_id = entry_id
    connection.execute(_INSERT, rows)


def _number_new_rows(session: Session, connection: sa.Connection) -> None:
    """Give new records their ids now, so that an entry can name what it speaks of."""
    waiting: dict[str, list[Any]] = {}
    for row in session.new:
        if isinstance(row, Audited):
            _fill_defaults(row)
        if isinstance(row, Audited) and row.__dict__.get("id") is None:
            waiting.setdefault(row.__tablename__, []).append(row)
    for table, rows in waiting.items():
        for row, number in zip(rows, next_ids(connection, table, len(rows)), strict=True):
            row.id = number


def _fill_defaults(row: Audited) -> None:
    """Set plain column defaults now, so that the first entry tells the whole row."""
    for attribute in sa.inspect(row).mapper.column_attrs:
        default = attribute.columns[0].default
        if default is not None and default.is_scalar and attribute.key not in row.__dict__:
            setattr(row, attribute.key, default.arg)


PROMISED = {"memberships": [("invitations", "membership_number")]}
"""Where an id of a table stands before its row does: of that the last row knows nothing."""


def next_ids(connection: sa.Connection, table: str, count: int) -> list[int]:
    """The next ids of a table: from its sequence, or after the last row where there is only one writer."""
    if connection.dialect.name == "postgresql":
        taken = sa.text("SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :count)")
        return sorted(connection.execute(taken, {"sequence": f"{table}_id_seq", "count": count}).scalars())
    last = max(connection.execute(each).scalar_one() or 0 for each in _greatest(table))
    return list(range(last + 1, last + 1 + count))


@cache
def _greatest(table: str) -> list[sa.Select[Any]]:
    """What asks for the last id of a table, and for the ids that were promised."""
    places = [(table, "id"), *PROMISED.get(table, ())]
    return [sa.select(sa.func.max(sa.column(name, Number))).select_from(sa.table(other)) for other, name in places]


async def numbered(session: AsyncSession, table: str) -> int:
    """The next id of a table, for a row that must know its own number before it is written."""
    return await session.run_sync(lambda inner: next_ids(inner.connection(), table, 1)[0])


def _paths(connection: sa.Connection, places: set[int | None]) -> dict[int, str]:
    wanted = [place for place in places if place is not None]
    return {row.id: row.path for row in connection.execute(_PLACES, {"places": wanted})} if wanted else {}


_PLACES = sa.select(TREE.c.id, TREE.c.path).where(TREE.c.id.in_(sa.bindparam("places", expanding=True)))


def _place(saying: Saying) -> int | None:
    if saying.place is not None:
        return saying.place
    return saying.thing.place if isinstance(saying.thing, Audited) else None


def _row(session: Session, entry_id: int, saying: Saying, paths: dict[int, str]) -> dict[str, Any]:
    actor: Actor | None = session.info.get("actor")
    if actor is None:
        raise Unrecorded("No actor: nothing is written without a name.")
    return _line(actor, session.info["now"], entry_id, saying, paths)


def _line(actor: Actor, now: datetime, entry_id: int, saying: Saying, paths: dict[int, str]) -> dict[str, Any]:
    place = _place(saying)
    row: dict[str, Any] = {
        "id": entry_id,
        "occurred_at": now,
        "verb": saying.verb.value,
        "tenant_id": place,
        "tenant_path": paths.get(place, getattr(saying.thing, "path", None)) if place is not None else None,
        "reason": saying.reason,
        "ticket": saying.ticket,
        "changes": saying.changes or (_changes(saying.thing) if isinstance(saying.thing, Audited) else {}),
        "details": saying.details,
        "schema_version": SCHEMA,
    }
    row |= _who(actor, saying) | _what(saying)
    row["leaf"] = canonical(row)
    return row


def _who(actor: Actor, saying: Saying) -> dict[str, Any]:
    true, subject = actor.true, saying.subject or (actor.apparent if actor.standing_in else None)
    return {
        "actor_membership_id": true.membership_id if true else None,
        "actor_user_id": true.user_id if true else None,
        "actor_name": true.shown_name if true else f"system: {actor.system}",
        "actor_tenant_id": true.tenant_id if true else None,
        "actor_tenant_name": true.tenant_name if true else None,
        "subject_membership_id": subject.membership_id if subject else None,
        "subject_user_id": subject.user_id if subject else None,
        "subject_name": subject.shown_name if subject else None,
        "via": actor.via.value,
        "stand_in_id": saying.stand_in_id if saying.stand_in_id is not None else actor.stand_in_id,
        "request_id": actor.origin.request_id or None,
        "address": actor.origin.address or None,
    }


def _what(saying: Saying) -> dict[str, Any]:
    thing = saying.thing
    if saying.named is not None:
        kind, number, name = saying.named
    elif thing is not None:
        kind, number = thing.__tablename__, str(thing.id)
        name = thing.label if isinstance(thing, Audited) else str(getattr(thing, "name", number))
    else:
        return {"record_type": None, "record_id": None, "record_name": None}
    return {"record_type": kind, "record_id": number, "record_name": name[:250]}


def _changes(row: Audited) -> dict[str, Any]:
    """field -> [before, after] of every audited column that really changed; a secret only as "changed"."""
    state = sa.inspect(row)
    changes: dict[str, Any] = {}
    for column in state.mapper.column_attrs:
        key = column.key
        if key in {"id", "last_entry_id"} or key in row.derived:
            continue
        history = state.attrs[key].history
        before, after = _before_and_after(history)
        if before == after or not history.has_changes():
            continue
        changes[key] = CHANGED if key in row.secret else [plain(before), plain(after)]
    return changes


def _before_and_after(history: History) -> tuple[Any, Any]:
    before = history.deleted[0] if history.deleted else None
    after = history.added[0] if history.added else None
    return (None if before is NO_VALUE else before), after


def plain(value: Any) -> Any:
    """A value as JSON has it; times are UTC with seconds and microseconds."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return value


def canonical(row: dict[str, Any]) -> bytes:
    """The entry as the bytes that are hashed and exported (RFC 8785); ids as text, since JSON numbers end at 2^53."""
    said = {key: plain(value) for key, value in row.items() if key != "leaf"}
    ids = {key: str(value) for key, value in said.items() if isinstance(value, int) and key != "schema_version"}
    return rfc8785.dumps(said | ids)
