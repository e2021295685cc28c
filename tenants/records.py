"""Base classes of every stored thing: ids, JSON, the audited mark, and how a thing says what lies within a reach."""

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from advanced_alchemy.base import CommonTableAttributes, create_registry
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import (
    ColumnProperty,
    DeclarativeBase,
    Mapped,
    QueryableAttribute,
    declared_attr,
    mapped_column,
)

from tenants.reach import Reach

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
"""A JSON column; advanced-alchemy's own JsonB fails on SQLAlchemy 2.1 when the table is built."""

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A numeric id; SQLite counts its own rowids only for a plain INTEGER."""

# Ordered byte by byte on both databases, so that "everything below this path" is a range of an index.
Path = sa.String(600).with_variant(sa.String(600, collation="C"), "postgresql")


class Record(CommonTableAttributes, DeclarativeBase):
    """A stored thing. Without a `within` of its own it lies in nobody's reach."""

    __abstract__ = True
    __table__: ClassVar[sa.Table]
    registry = create_registry({datetime: DateTimeUTC(timezone=True)})

    id: Mapped[int] = mapped_column(Number, primary_key=True, sort_order=-10)

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """The rows of this kind that lie in `reach`. Closed unless a kind says otherwise."""
        return sa.false()


class Audited:
    """Marks a record whose every change needs its entry; the database holds us to it by `last_entry_id`."""

    noun: ClassVar[str] = ""
    """What people call it in history ("company", "extension")."""
    derived: ClassVar[frozenset[str]] = frozenset()
    """Columns that follow from something recorded elsewhere and so need no entry (path, last used)."""
    secret: ClassVar[frozenset[str]] = frozenset()
    """Columns whose values are never written down: an entry says only "changed"."""
    lends: ClassVar[frozenset[str]] = frozenset()
    """Columns that somebody who stands in may give another value. Any other would outlive them: a credential, a grant,
    a destination, a place in the tree."""
    lends_new: ClassVar[bool] = False
    """Whether somebody who stands in may add one."""

    id: Mapped[int]
    __tablename__: str

    @declared_attr
    def last_entry_id(self) -> Mapped[int]:
        """The newest entry about this row: a database trigger refuses a change that does not move it."""
        return mapped_column(
            Number,
            sa.ForeignKey("entries.id", deferrable=True, initially="DEFERRED"),
            sort_order=100,
        )

    @property
    def label(self) -> str:
        """How history names this record, kept as of then."""
        return str(getattr(self, "name", "") or f"{self.noun} {getattr(self, 'id', '')}")

    @property
    def place(self) -> int | None:
        """The id of the tenant whose history this record belongs to."""
        tenant_id: int | None = getattr(self, "tenant_id", None)
        return tenant_id


@event.listens_for(Record, "attribute_instrument", propagate=True)
def _remember_before(cls: type[Any], key: str, attribute: QueryableAttribute[Any]) -> None:
    """Load the old value before a change: without it history would tell a false "before"."""
    if issubclass(cls, Audited) and isinstance(attribute.property, ColumnProperty):
        attribute.impl.active_history = True
