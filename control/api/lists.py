"""Lists: what every list takes (q, limit, cursor, sort, discarded), said once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import sqlalchemy as sa
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.shapes import Listed
from control.paging import LARGEST, MOST, page_of
from tenants.text import clean

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Listing:
    """What somebody asked of a list."""

    q: str | None
    limit: int
    cursor: str | None
    sort: str | None
    discarded: bool

    def like(self, *columns: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[bool]:
        """One of these columns holds the words that are looked for."""
        if self.q is None or not self.q.strip():
            return sa.true()
        words = clean(self.q, "q")
        return sa.or_(*(column.icontains(words, autoescape=True) for column in columns))

    def still_there(self, column: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[bool]:
        """What is in use, or what was discarded when that is asked for."""
        return column.is_not(None) if self.discarded else column.is_(None)


Asking = NamedDependency[Listing]
OfUser = Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only by this person.")]
OfTenant = Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only of this tenant.")]


async def listing(
    q: Annotated[str | None, QueryParameter(max_length=200, description="Words to look for.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST, description="How many at most.")] = 50,
    cursor: Annotated[str | None, QueryParameter(max_length=2000, description="`next` of the page before.")] = None,
    sort: Annotated[
        str | None, QueryParameter(max_length=40, description='A column, with "-" before it for descending.')
    ] = None,
    discarded: Annotated[bool, QueryParameter(description="What was discarded or has ended, instead.")] = False,
) -> Listing:
    """What the query string asks of a list."""
    return Listing(q, limit, cursor, sort, discarded)


async def page(
    session: AsyncSession,
    statement: sa.Select[T],
    columns: Mapping[str, sa.SQLColumnExpression[Any]],
    asked: Listing,
    shaped: Callable[[Sequence[T]], Awaitable[list[S]]],
    *,
    sort: str = "name",
) -> Listed[S]:
    """One page of `statement`, in its shape."""
    found = await page_of(session, statement, columns, sort=asked.sort or sort, cursor=asked.cursor, limit=asked.limit)
    return Listed(await shaped(found.items), found.next)
