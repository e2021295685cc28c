"""Folding: every audited row, rebuilt from its entries alone, has to come out as it stands in the database."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.records import Audited, Record
from tenants.trail import CHANGED, Entry, plain


async def misfits(session: AsyncSession) -> list[str]:
    """What does not fold, one line each: a value no entry tells, a false "before", an entry without its row."""
    kinds: list[Any] = [each.class_ for each in Record.registry.mappers if issubclass(each.class_, Audited)]
    told = await _entries(session)
    found: list[str] = []
    for kind in sorted(kinds, key=lambda each: each.__tablename__):
        table = kind.__table__
        rows = {str(row["id"]): row for row in (await session.execute(sa.select(table))).mappings()}
        for number, row in rows.items():
            found += _misfits_of(kind, number, row, told.pop((kind.__tablename__, number), []))
        found += [f"{name} {number}: entries without a row" for name, number in told if name == kind.__tablename__]
    return found


Told = list[tuple[int, dict[str, Any]]]


async def _entries(session: AsyncSession) -> dict[tuple[str, str], Told]:
    """Of each record: its entries in order, each with its id and the changes it tells."""
    entries = Entry.__table__
    wanted = sa.select(entries.c.record_type, entries.c.record_id, entries.c.id, entries.c.changes)
    told: dict[tuple[str, str], Told] = defaultdict(list)
    for record_type, record_id, entry_id, changes in await session.execute(wanted.order_by(entries.c.id)):
        if record_type is not None:
            told[record_type, record_id].append((entry_id, changes))
    return told


def _misfits_of(kind: type[Any], number: str, row: Any, told: Told) -> list[str]:
    name = f"{kind.__tablename__} {number}"
    columns = {column.name for column in kind.__table__.columns} - {"id", "last_entry_id"} - kind.derived
    folded: dict[str, Any] = dict.fromkeys(columns)
    found = []
    for entry_id, changes in told:
        for column, change in changes.items():
            if change == CHANGED:
                continue
            before, after = change
            if folded.get(column) != before:
                found.append(f"{name}: entry {entry_id} tells a false before of {column}")
            folded[column] = after
    found += [
        f"{name}: {column} is {plain(row[column])!r}, its entries say {folded[column]!r}"
        for column in sorted(columns - kind.secret)
        if folded[column] != plain(row[column])
    ]
    if row["last_entry_id"] not in [entry_id for entry_id, _ in told]:
        found.append(f"{name}: points at an entry of something else")
    return found
