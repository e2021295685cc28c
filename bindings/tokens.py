"""Tokens of a login: refresh tokens by their hash, access tokens by their `jti`. The row is the truth."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.records import Number, Record

ACCESS_LIVES = timedelta(minutes=10)
REFRESH_LIVES = timedelta(days=30)


class Token(Record):
    """One token of a login: `kind` is access or refresh. `token_hash` is the hash of the refresh token or the jti."""

    __tablename__ = "tokens"

    kind: Mapped[str] = mapped_column(sa.String(10))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    login_id: Mapped[str] = mapped_column(sa.String(32), sa.ForeignKey("logins.id"))
    app_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("apps.id"))
    scope: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
