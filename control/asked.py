"""Asked: what an address or a form says, read in one way, so that every page refuses the same nonsense."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from unicodedata import category

import sqlalchemy as sa
from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.params import Parameter

from control.visitor import Visitor
from tenants.refusals import Invalid

LARGEST = 2**63 - 1
"""The largest number an id can be."""
LONGEST = 200
"""Characters that a filter takes."""

RecordId = Annotated[int, Parameter(ge=1, le=LARGEST)]
"""An id in a path."""


def words_in(said: Mapping[str, Any], name: str) -> str:
    """A filter or a search: one line of at most 200 characters, "" when it is not there."""
    text = str(said.get(name) or "").strip()
    if len(text) > LONGEST or any(category(letter) in {"Cc", "Cs"} for letter in text):
        raise Invalid("This is too long, or holds characters that cannot be looked for.", field=name)
    return text


def number_in(said: Mapping[str, Any], name: str) -> int | None:
    """An id in a filter or form; None when it is not there."""
    text = words_in(said, name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) <= LARGEST):
        raise Invalid("This is not the number of a record.", field=name)
    return int(text)


def day_in(said: Mapping[str, Any], name: str) -> date | None:
    """A day, written 2026-11-21; None when it is not there."""
    text = words_in(said, name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid("A day is written like 2026-11-21.", field=name) from None


def one_of(said: Mapping[str, Any], name: str, known: Mapping[str, Any]) -> str:
    """A choice among those known; "" when none was made."""
    text = words_in(said, name)
    if text and text not in known:
        raise Invalid("This is not one of the choices.", field=name)
    return text


def lines_in(said: Mapping[str, Any], name: str) -> list[str]:
    """What stands on the lines of a field of several lines, without the empty ones."""
    return [line.strip() for line in str(said.get(name) or "").splitlines() if line.strip()]


async def form_of(request: Request[Visitor, Any, Any]) -> dict[str, str]:
    """The fields of a form as text. The hidden ones that the door reads are left out."""
    form: FormMultiDict = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str) and not name.startswith("_")}


def matching(sought: str, *columns: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[bool]:
    """Every word of a search stands in at least one of the columns, in any case of letters."""
    tokens = sought.split()[:8]
    return sa.and_(
        sa.true(),
        *(sa.or_(*(column.icontains(token, autoescape=True) for column in columns)) for token in tokens),
    )
