"""Passkeys: keys on somebody's own devices (WebAuthn Level 3), to sign in with alone or after a password."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Json, Number, Record


class Passkey(Record, Audited):
    """One device's public key. Binary values are base64url, as browsers send them."""

    __tablename__ = "passkeys"
    noun = "passkey"
    derived = frozenset({"sign_count", "last_used_at"})
    secret = frozenset({"credential_id", "public_key"})

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    """The person's home, where its history belongs."""
    credential_id: Mapped[str] = mapped_column(sa.String(1400), unique=True)
    public_key: Mapped[str] = mapped_column(sa.Text)
    sign_count: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    name: Mapped[str] = mapped_column(sa.String(100))
    transports: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """One's own, and those of the people whose home is in reach."""
        if reach.extent is Extent.NOTHING:
            return sa.false()
        own = cls.user_id == reach.user_id
        return own if reach.extent is Extent.SELF else sa.or_(own, reach.tenants(cls.tenant_id))

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own always; otherwise the person's home."""
        if reach.user_id and self.user_id == reach.user_id:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}
