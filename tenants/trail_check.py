"""The sealed trail held against itself: what each entry says, its bytes, their hash, and what was signed of all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from tenants.merkle import Frontier, leaf_hash
from tenants.refusals import Refusal
from tenants.sealed_trail import Leaf, PendingEntry, SealedCheckpoint, TrailKey
from tenants.sealing import Sealed
from tenants.signed_notes import Checkpoint, Forged, NoteKey
from tenants.trail import Entry, canonical

AT_ONCE = 1000
"""Rows that are read at once."""

ENTRIES, LEAVES, PENDING = Entry.__table__, Leaf.__table__, PendingEntry.__table__
SIGNED, KEYS = SealedCheckpoint.__table__, TrailKey.__table__


class NotAsSealed(Refusal):
    """The trail is not what was sealed; the sentence names the first fault."""

    status = 409
    rule = "sealed"


@dataclass(frozen=True, slots=True)
class Sound:
    """What was found in order."""

    sealed: int
    pending: int
    checkpoints: int


async def check_trail(
    session: AsyncSession, secret_key: bytes, advance: Callable[[int], None] = lambda entries: None
) -> Sound:
    """Recompute everything that was sealed. Raises NotAsSealed at the first fault.

    `session` must not have been used yet: all is read as of one moment. `advance` hears how many leaves are done.
    """
    connection = await _of_one_moment(session)
    keys = [_opened(key, secret_key) for key in await session.scalars(sa.select(TrailKey).order_by(TrailKey.id))]
    frontier, signed = Frontier(), 0
    while True:
        rows = (await connection.execute(_leaves_from(frontier.size))).mappings().all()
        notes = await _notes_between(connection, frontier.size, frontier.size + len(rows))
        for row in rows:
            _require_leaf(row, frontier)
            if frontier.size in notes:
                _require_signed(notes.pop(frontier.size), frontier, keys)
                signed += 1
        advance(len(rows))
        if len(rows) < AT_ONCE:
            break
    await _require_nothing_cut_off(connection, frontier)
    return Sound(frontier.size, await _require_pending(connection), signed)


async def _of_one_moment(session: AsyncSession) -> AsyncConnection:
    """On PostgreSQL each statement would otherwise see what was sealed since the one before."""
    if session.get_bind().dialect.name == "postgresql":
        return await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return await session.connection()


def _opened(key: TrailKey, secret_key: bytes) -> NoteKey:
    """The key that signs; its private half must be ours, or somebody has put another in its place."""
    try:
        ours = key.signer(secret_key).public_key().public_bytes_raw() == key.public
    except (Sealed, ValueError):
        ours = False
    if not ours:
        raise NotAsSealed(f"The key {key.verifier} is not one that this house has made.")
    return key.verifier


def _leaves_from(number: int) -> sa.Select[Any]:
    leaves = sa.select(LEAVES.c.id.label("entry_id"), LEAVES.c.number, LEAVES.c.hash, *ENTRIES.c)
    joined = leaves.outerjoin_from(LEAVES, ENTRIES, ENTRIES.c.id == LEAVES.c.id)
    return joined.where(LEAVES.c.number >= number).order_by(LEAVES.c.number).limit(AT_ONCE)


async def _notes_between(connection: AsyncConnection, after: int, to: int) -> dict[int, Any]:
    asked = sa.select(SIGNED).where(SIGNED.c.size > after, SIGNED.c.size <= to)
    return {row.size: row for row in await connection.execute(asked)}


def _require_leaf(row: sa.RowMapping, frontier: Frontier) -> None:
    """The next number, an entry that says what its bytes say, and their hash."""
    if row["number"] != frontier.size:
        raise NotAsSealed(f"Leaf {frontier.size} is missing.")
    if row["id"] is None:
        raise NotAsSealed(f"Entry {row['entry_id']} is missing; it was sealed as leaf {row['number']}.")
    _require_as_written(row)
    if leaf_hash(row["leaf"]) != row["hash"]:
        raise NotAsSealed(f"Entry {row['id']} is not what was sealed as leaf {row['number']}.")
    frontier.append(row["hash"])


def _require_as_written(row: sa.RowMapping) -> None:
    if canonical({column.name: row[column.name] for column in ENTRIES.c}) != row["leaf"]:
        raise NotAsSealed(f"Entry {row['id']} was changed: it is not what its bytes say.")


def _require_signed(row: Any, frontier: Frontier, keys: list[NoteKey]) -> None:
    """The note is ours and says what the leaves say up to here; so does what the sealer goes on from."""
    found = next(_said(row.note, keys), None)
    if found is None:
        raise NotAsSealed(f"The checkpoint of size {row.size} is not signed by the key of this house.")
    root = frontier.root()
    if (found.size, found.root) != (frontier.size, root) or row.root != root or row.frontier != bytes(frontier):
        raise NotAsSealed(f"The checkpoint of size {row.size} is not that of the {row.size} leaves before it.")


def _said(note: str, keys: list[NoteKey]) -> Iterator[Checkpoint]:
    for key in keys:
        try:
            yield key.open(note)
        except Forged:
            continue


async def _require_nothing_cut_off(connection: AsyncConnection, frontier: Frontier) -> None:
    """The newest checkpoint is that of all leaves; no entry is neither sealed nor pending."""
    newest = (await connection.execute(sa.select(sa.func.max(SIGNED.c.size)))).scalar_one() or 0
    if newest > frontier.size:
        raise NotAsSealed(f"{newest} entries were sealed and signed for, and only {frontier.size} are there.")
    if newest < frontier.size:
        raise NotAsSealed(f"The leaves from {newest} on were never signed for.")
    sealed = sa.select(LEAVES.c.id).where(LEAVES.c.id == ENTRIES.c.id).exists()
    waits = sa.select(PENDING.c.id).where(PENDING.c.id == ENTRIES.c.id).exists()
    lost = sa.select(ENTRIES.c.id).where(~sealed, ~waits).order_by(ENTRIES.c.id).limit(1)
    entry_id = (await connection.execute(lost)).scalar_one_or_none()
    if entry_id is not None:
        raise NotAsSealed(f"Entry {entry_id} is neither sealed nor waiting to be.")


async def _require_pending(connection: AsyncConnection) -> int:
    """What waits is there, and says what its bytes say; how many that are."""
    last, count = 0, 0
    while True:
        waiting = sa.select(PENDING.c.id.label("entry_id"), *ENTRIES.c)
        joined = waiting.outerjoin_from(PENDING, ENTRIES, ENTRIES.c.id == PENDING.c.id)
        wanted = joined.where(PENDING.c.id > last).order_by(PENDING.c.id).limit(AT_ONCE)
        rows = (await connection.execute(wanted)).mappings().all()
        for row in rows:
            if row["id"] is None:
                raise NotAsSealed(f"Entry {row['entry_id']} is missing; it waited to be sealed.")
            _require_as_written(row)
        count += len(rows)
        if len(rows) < AT_ONCE:
            return count
        last = rows[-1]["entry_id"]
