"""Folding: every audited row, rebuilt from its entries alone, has to come out as it stands in the database."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.trail import CHANGED, Entry, plain
from tests.kinds import AUDITED


async def misfits(session: AsyncSession) -> list[str]:
    """Every difference between the audited rows and what their entries tell. Empty in a house whose trail is true.

    The session must reach everywhere.
    """
    found = []
    for kind in AUDITED:
        table = kind.__tablename__
        told: dict[str, list[Entry]] = defaultdict(list)
        for entry in await session.scalars(sa.select(Entry).where(Entry.record_type == table).order_by(Entry.id)):
            told[str(entry.record_id)].append(entry)
        for row in await session.scalars(sa.select(kind)):
            found += [f"{table} {row.id}: {problem}" for problem in differences(row, told.pop(str(row.id), []))]
        found += [f"{table} {number}: entries without a row" for number in told]
    return found


def differences(row: Any, entries: list[Entry]) -> list[str]:
    """Where one row is not what its entries say."""
    if not entries:
        return ["no entry at all"]
    folded = fold(entries)
    found = []
    for column in sa.inspect(type(row)).column_attrs:
        key = column.key
        if key in {"id", "last_entry_id"} or key in row.derived:
            continue
        stored, told = as_json(getattr(row, key)), folded.get(key)
        if key in row.secret:
            if (stored is not None) != (told == CHANGED):
                found.append(f"{key} is a secret that its entries do not speak of")
        elif stored != told:
            found.append(f"{key} is {stored!r}, its entries say {told!r}")
    # Acts that change nothing (a sign-in of a person, a login to an app) may name the row later.
    newest = max((entry.id for entry in entries if entry.changes), default=0)
    if row.last_entry_id not in [entry.id for entry in entries if entry.id >= newest]:
        found.append(f"its last entry is {newest}, not {row.last_entry_id}")
    return found


def fold(entries: list[Entry]) -> dict[str, Any]:
    """What a row must be after its entries, oldest first; each must begin where the one before it ended."""
    row: dict[str, Any] = {}
    for entry in entries:
        for field, change in entry.changes.items():
            if change == CHANGED:
                row[field] = CHANGED
                continue
            before, after = change
            assert row.get(field) == before, f"entry {entry.id}: {field} was {row.get(field)!r}, not {before!r}"
            row[field] = after
    return row


def as_json(value: Any) -> Any:
    """A value as an entry has it."""
    if isinstance(value, datetime):
        return plain(value)
    return json.loads(json.dumps(plain(value)))
