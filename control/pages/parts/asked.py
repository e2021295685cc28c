"""Asked: the filters that an address holds, read in one way, so that every list refuses the same nonsense."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from unicodedata import category

import sqlalchemy as sa

from control.pages.parts.fields import number_in
from tenants.refusals import Invalid

LONGEST = 200
"""Characters that a filter takes."""


def words_in(said: Mapping[str, Any], name: str) -> str:
    """A filter or a search: one line of at most 200 characters, "" when it is not there."""
    text = str(said.get(name) or "").strip()
    if len(text) > LONGEST:
        raise _not_to_be_looked_for(name)
    _require_plain(text, name)
    return text


def _require_plain(text: str, name: str) -> None:
    if any(category(letter) in {"Cc", "Cs"} for letter in text):
        raise _not_to_be_looked_for(name)


def _not_to_be_looked_for(name: str) -> Invalid:
    return Invalid("This is too long, or holds characters that cannot be looked for.", field=name)


def id_in(said: Mapping[str, Any], name: str) -> int | None:
    """The number of a record; None when it is not there."""
    text = words_in(said, name)
    number = number_in(text)
    if text and number is None:
        raise Invalid("This is not the number of a record.", field=name)
    return number


def day_in(said: Mapping[str, Any], name: str) -> date | None:
    """A day, written 2026-11-21; None when it is not there."""
    text = words_in(said, name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid("A day is written like 2026-11-21.", field=name) from None


def one_of(said: Mapping[str, Any], name: str, *known: str) -> str:
    """A choice among those known; "" when none was made."""
    text = words_in(said, name)
    if text and text not in known:
        raise Invalid("This is not one of the choices.", field=name)
    return text


def filters_in(said: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The filters that hold, for the links of a list."""
    return {name: words_in(said, name) for name in names if words_in(said, name)}


def matching(sought: str, *columns: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[bool]:
    """Every word of a search stands in at least one of the columns, in any case of letters.

    Invalid for what no column can hold, whoever asks: PostgreSQL takes no zero byte at all.
    """
    tokens = sought.split()[:8]
    _require_plain("".join(tokens), "q")
    return sa.and_(
        sa.true(),
        *(sa.or_(*(column.icontains(token, autoescape=True) for column in columns)) for token in tokens),
    )
