"""Logos: pictures that were decoded and written anew as PNG, known by their hash, the same for whoever uses them."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Record


class Logo(Record):
    """One picture. Everybody who knows its hash may see it: sign-in pages show it before anybody is known."""

    __tablename__ = "logos"

    hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    content: Mapped[bytes]
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Everybody's."""
        return sa.false() if reach.extent is Extent.NOTHING else sa.true()

    def touches(self, reach: Reach) -> set[int] | None:
        """Nobody's place: it means nothing until a tenant takes it as theirs."""
        return set()
