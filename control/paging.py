"""Keyset paging: the next page begins after the last row shown, so page ten thousand costs what page one does."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.records import Number
from tenants.refusals import Invalid

T = TypeVar("T")
MOST = 200
LARGEST = 2**63 - 1
"""The largest number that either database can compare."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor of the next page when there is one."""

    items: list[T]
    next: str | None


async def page_of(
    session: AsyncSession,
    statement: sa.Select[T],
    columns: Mapping[str, sa.SQLColumnExpression[Any]],
    *,
    sort: str,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[T]:
    """One page of `statement`'s entities. `sort` names one of `columns`, with "-" before it for descending.

    `columns` must hold "id", which breaks ties, and map to attributes of the entity's own or joined columns.
    """
    name, down = sort.removeprefix("-"), sort.startswith("-")
    if name not in columns:
        raise Invalid(f"Sort by one of {', '.join(columns)}.", field="sort")
    key, tie = columns[name], columns["id"]
    stored = sa.select(key).selected_columns[0].type
    keyed = statement.add_columns(key.label("page_key"), tie.label("page_tie"))
    if cursor is not None:
        value, number = read_cursor(cursor, sort, stored.python_type)
        # A cursor may hold any number of 64 bits: PostgreSQL takes none beyond 32 for a smaller column's own.
        stored = Number if isinstance(stored, sa.Integer) else stored
        # As a pair, which one index serves; empty values come where the database puts them, so they are no keys.
        here, last = sa.tuple_(key, tie), sa.tuple_(sa.literal(value, stored), sa.literal(number))
        keyed = keyed.where(here < last if down else here > last)
    order = (key.desc(), tie.desc()) if down else (key.asc(), tie.asc())
    rows = (await session.execute(keyed.order_by(*order).limit(min(limit, MOST) + 1))).unique().all()
    shown = rows[: min(limit, MOST)]
    following = cursor_of(sort, shown[-1].page_key, shown[-1].page_tie) if len(rows) > len(shown) else None
    return Page([row[0] for row in shown], following)


async def counted(session: AsyncSession, wanted: sa.Select[Any], number: sa.SQLColumnExpression[int], most: int) -> int:
    """How many rows there are by their `number`, at most one more than `most`: where a person stops caring."""
    some = wanted.with_only_columns(number).order_by(None).limit(most + 1).subquery()
    return (await session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()


def cursor_of(sort: str, value: Any, number: int) -> str:
    """Where a list in this order goes on: after the row with this value and id."""
    shown = {"t": value.isoformat()} if isinstance(value, datetime) else {"v": value}
    return base64.urlsafe_b64encode(json.dumps({"s": sort, "n": number, **shown}).encode()).decode().rstrip("=")


def read_cursor(cursor: str, sort: str, kind: type[Any]) -> tuple[Any, int]:
    """The last row shown. Anybody may write a cursor: what the database could not compare is refused here."""
    try:
        said = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        value = datetime.fromisoformat(said["t"]).astimezone(UTC) if "t" in said else said["v"]
        number = said["n"]
        if said["s"] != sort or type(value) is not kind or type(number) is not int:
            raise ValueError
        if (
            "\0" in str(value).encode().decode()
            or abs(number) > LARGEST
            or (isinstance(value, int) and abs(value) > LARGEST)
        ):
            raise ValueError
        return value, number
    except (ValueError, KeyError, TypeError, OverflowError):
        raise Invalid("This cursor does not belong to this list.", field="cursor") from None
