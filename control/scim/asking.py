"""What is asked of a list over SCIM: filter, order and page, told to the database (RFC 7644 section 3.4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from scim2_models import (
    InvalidFilterException,
    InvalidPathException,
    InvalidValueException,
    Resource,
    ScimFilter,
    SearchRequest,
    TooManyException,
)
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)
from sqlalchemy.ext.asyncio import AsyncSession

from control.scim.documents import MOST

LONGEST_FILTER = 1_000
"""Characters."""
DEEPEST = 20
"""Brackets in a filter."""
USUAL = 100
"""Records on a page unless one says how many."""

Columns = Mapping[str, sa.ColumnElement[Any]]
"""The attributes that can be asked for, in small letters."""


class Exact(sa.String):
    """Text that is the same only letter for letter (RFC 7643 section 2.2, caseExact)."""

    cache_ok = True


@dataclass(frozen=True, slots=True)
class Several:
    """An attribute with many values, each a row of another table."""

    columns: Columns
    """Its sub-attributes."""
    rows: sa.Select[Any]
    """Its rows, as far as they are those of the record that is asked about."""

    def some(self, condition: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[bool]:
        """There is one for which it is so."""
        return (self.rows if condition is None else self.rows.where(condition)).exists()


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a kind of record is found by."""

    columns: Columns
    several: Mapping[str, Several]


@dataclass(frozen=True, slots=True)
class Found:
    """One page."""

    total: int
    start: int
    rows: list[Any]


KNOWN = ("filter", "sortBy", "sortOrder", "startIndex", "count", "attributes", "excludedAttributes")


def asked_of(kind: type[Resource[Any]], query: Mapping[str, Any]) -> SearchRequest[Any]:
    """A query string, or the body of a search, as the request that it is; SCIM's own errors for what it cannot be."""
    said = str(query.get("filter") or "")
    if len(said) > LONGEST_FILTER or said.count("(") + said.count("[") > DEEPEST:
        raise TooManyException(detail=f"A filter has at most {LONGEST_FILTER} characters and {DEEPEST} brackets.")
    given = {key: query[key] for key in KNOWN if query.get(key) not in (None, "")}
    return _search_of(kind).model_validate(given)


@cache
def _search_of(kind: type[Resource[Any]]) -> type[SearchRequest[Any]]:
    """Kept: the class of the message is made anew each time it is named."""
    return SearchRequest[kind]  # type: ignore[valid-type]


async def find(
    session: AsyncSession, everybody: sa.Subquery, known: Attributes, asked: SearchRequest[Any], key: str
) -> Found:
    """The page of `everybody` that was asked for. `key` is the column that puts the same things in order."""
    wanted = sa.select(*everybody.c)
    if asked.filter is not None:
        wanted = wanted.where(condition(asked.filter, known))
    total = await session.scalar(sa.select(sa.func.count()).select_from(wanted.subquery())) or 0
    if asked.sort_by is not None:
        column = known.columns.get(str(asked.sort_by).rpartition(":")[2].lower())
        if column is None:
            raise InvalidPathException(detail=f"Nothing is put in order by “{asked.sort_by}” here.")
        falling = asked.sort_order is SearchRequest.SortOrder.descending
        # Those without a value come last, or first when falling.
        wanted = wanted.order_by(
            column.is_(None).desc() if falling else column.is_(None), column.desc() if falling else column
        )
    start = max(1, asked.start_index or 1)
    count = USUAL if asked.count is None else min(asked.count, MOST)
    if start > 2**31:
        raise InvalidValueException(detail="There is no such page.")
    page = wanted.order_by(everybody.c[key]).offset(start - 1).limit(count)
    return Found(total, start, list(await session.execute(page)) if count else [])


def condition(asked: ScimFilter[Any], known: Attributes) -> sa.ColumnElement[bool]:
    """The filter as a condition on the columns."""
    return _Condition(known).visit(asked.ast)


class _Condition(FilterVisitor[sa.ColumnElement[bool]]):
    """Walks the filter's tree."""

    def __init__(self, known: Attributes, prefix: str = "") -> None:
        self.known, self.prefix = known, prefix

    def visit_comparison(self, node: Comparison) -> sa.ColumnElement[bool]:
        several, column = self._several(node.attr_path), self._column(node.attr_path)
        said = _compared(column, node.op, _value(column, node.value))
        return several.some(said) if several is not None else said

    def visit_present(self, node: Present) -> sa.ColumnElement[bool]:
        several, column = self._several(node.attr_path), self._column(node.attr_path)
        return several.some() if several is not None else column.is_not(None)

    def visit_not(self, node: Not) -> sa.ColumnElement[bool]:
        # What is not there is not equal to anything either.
        return sa.not_(sa.func.coalesce(self.visit(node.expr), sa.false()))

    def visit_logical_expr(self, node: LogicalExpr) -> sa.ColumnElement[bool]:
        join = sa.and_ if node.op is LogicalOperator.and_ else sa.or_
        return join(*(self.visit(each) for each in node.terms))

    def visit_value_path(self, node: ValuePath) -> sa.ColumnElement[bool]:
        inner: FilterNode = node.val_filter
        several = self._several(node.attr_path)
        if several is not None:
            # All of it is asked of the same value.
            return several.some(_Condition(Attributes(several.columns, {})).visit(inner))
        return _Condition(self.known, f"{node.attr_path.attr.lower()}.").visit(inner)

    def _several(self, path: AttrPath) -> Several | None:
        return None if self.prefix else self.known.several.get(path.attr.lower())

    def _column(self, path: AttrPath) -> sa.ColumnElement[Any]:
        several = self._several(path)
        columns = self.known.columns if several is None else several.columns
        # A list of values is asked by their own "value" unless another is named (RFC 7643 section 2.4).
        name = f"{self.prefix}{path.attr}" + (f".{path.sub_attr}" if path.sub_attr else "")
        column = columns.get((name if several is None else path.sub_attr or "value").lower())
        if column is None:
            raise InvalidFilterException(detail=f"Nothing is found by “{name}” here.")
        return column


def _value(column: sa.ColumnElement[Any], value: Any) -> Any:
    """The value as the column has it. InvalidFilterException for one of another kind."""
    if value is None:
        return None
    if isinstance(column.type, sa.Boolean):
        if isinstance(value, bool):
            return value
    elif isinstance(column.type, sa.String):
        if isinstance(value, str) and "\0" not in value:
            return value
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment
    raise InvalidFilterException(detail="This attribute is not compared with such a value.")


PARTS = {CompareOperator.co: "icontains", CompareOperator.sw: "istartswith", CompareOperator.ew: "iendswith"}


def _part(column: sa.ColumnElement[Any], op: CompareOperator, value: str) -> sa.ColumnElement[bool]:
    """Part of a text letter for letter; LIKE is not, on SQLite."""
    if op is CompareOperator.co:
        return sa.func.replace(column, value, "") != column if value else column.is_not(None)
    start = 1 if op is CompareOperator.sw else sa.func.length(column) - len(value) + 1
    return sa.and_(sa.func.length(column) >= len(value), sa.func.substr(column, start, len(value)) == value)


def _compared(column: sa.ColumnElement[Any], op: CompareOperator, value: Any) -> sa.ColumnElement[bool]:
    if value is None:
        if op not in {CompareOperator.eq, CompareOperator.ne}:
            raise InvalidFilterException(detail="Only eq and ne are asked of null.")
        return column.is_(None) if op is CompareOperator.eq else column.is_not(None)
    textual = isinstance(column.type, sa.String)
    if isinstance(column.type, Exact) and op in PARTS:
        return _part(column, op, value)
    if op in PARTS:
        if not textual:
            raise InvalidFilterException(detail=f"“{op}” is asked of text.")
        found: sa.ColumnElement[bool] = getattr(column, PARTS[op])(value, autoescape=True)
        return found
    if isinstance(column.type, sa.Boolean):
        if op not in {CompareOperator.eq, CompareOperator.ne}:
            raise InvalidFilterException(detail="Only eq and ne are asked of true and false.")
        return column.is_(value) if op is CompareOperator.eq else column.is_not(value)
    exact = not textual or isinstance(column.type, Exact)
    left, right = (column, value) if exact else (sa.func.lower(column), sa.func.lower(value))
    compared: dict[CompareOperator, sa.ColumnElement[bool]] = {
        CompareOperator.eq: left == right,
        CompareOperator.ne: sa.or_(left != right, column.is_(None)),
        CompareOperator.gt: left > right,
        CompareOperator.ge: left >= right,
        CompareOperator.lt: left < right,
        CompareOperator.le: left <= right,
    }
    return compared[op]
