"""Numbers asked for: what a search among inbound numbers finds, for pages and programs alike."""

from typing import Any

import sqlalchemy as sa

from control.pages.parts.asked import matching
from tenants.numbers import InboundNumber, digits_sought


def saying(sought: str, *columns: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[bool]:
    """Digits are part of the number however they are written; whatever is sought may stand in one of the columns."""
    told = matching(sought, *(sa.func.coalesce(column, "") for column in columns))
    digits = digits_sought(sought)
    if digits is None:
        return told
    if sought.strip().startswith("+"):
        return InboundNumber.e164.startswith(f"+{digits}")
    return sa.or_(InboundNumber.e164.contains(digits), told)
