"""Codes: secrets of 60 seconds that are good for one use, even when twenty redeem at once."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.records import Number, Record

LIVES = timedelta(seconds=60)


class Code(Record):
    """An authorization code (RFC 6749 section 4.1.2). `purpose` keeps its kind from another's endpoint."""

    __tablename__ = "codes"

    purpose: Mapped[str] = mapped_column(sa.String(20))
    code_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    login_id: Mapped[str] = mapped_column(sa.String(32), sa.ForeignKey("logins.id"))
    app_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("apps.id"))
    redirect_uri: Mapped[str] = mapped_column(sa.String(2000))
    scope: Mapped[str] = mapped_column(sa.String(200))
    nonce: Mapped[str | None] = mapped_column(sa.String(512))
    code_challenge: Mapped[str] = mapped_column(sa.String(128))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]
