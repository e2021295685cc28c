"""Second factors: a code from an authenticator app (TOTP, RFC 6238), and ten recovery codes for the day it is lost."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record


class Totp(Record, Audited):
    """A shared secret with somebody's authenticator app, sealed. Not in force before its first code was right."""

    __tablename__ = "totps"
    noun = "authenticator app"
    derived = frozenset({"last_counter"})
    secret = frozenset({"sealed"})

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    """The person's home, where its history belongs."""
    sealed: Mapped[str] = mapped_column(sa.Text)
    last_counter: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The time step of the last code that was taken: none of it or before is taken again."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """One's own, and those of the people whose home is in reach."""
        return _theirs(cls, reach)

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own always; otherwise the person's home."""
        return _touched(self, reach)


class RecoveryCode(Record):
    """One of ten codes, good once. Only its hash is stored."""

    __tablename__ = "recovery_codes"
    __table_args__ = (sa.UniqueConstraint("user_id", "code_hash"),)

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    code_hash: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """One's own."""
        return sa.false() if reach.extent is Extent.NOTHING else cls.user_id == reach.user_id

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own."""
        return set() if self.user_id == reach.user_id else None


def _theirs(kind: type[Totp], reach: Reach) -> sa.ColumnElement[bool]:
    if reach.extent is Extent.NOTHING:
        return sa.false()
    own = kind.user_id == reach.user_id
    return own if reach.extent is Extent.SELF else sa.or_(own, reach.tenants(kind.tenant_id))


def _touched(row: Totp, reach: Reach) -> set[int] | None:
    if reach.user_id and row.user_id == reach.user_id:
        return set()
    return None if reach.extent is Extent.SELF else {row.tenant_id}
