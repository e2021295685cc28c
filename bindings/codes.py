"""Codes: secrets of 60 seconds that are good for one use, even when twenty redeem at once."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.login import Login
from tenants.credentials import digest, new_secret
from tenants.records import Number, Record

LIVES = timedelta(seconds=60)
AUTHORIZATION = "authorization"
"""The purpose of a code of the authorization endpoint."""
HANDOFF = "handoff"
"""The purpose of what opens an impersonation at an app; its `redirect_uri` is the origin that may redeem it."""
FRAME = "frame"
"""The purpose of what lets the banner's frame ask once who stands in."""


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
    dpop_jkt: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    """The thumbprint of the key that alone redeems it, where the app named one (RFC 9449 section 10)."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]

    @classmethod
    async def issue(
        cls,
        connection: AsyncConnection | AsyncSession,
        login: Login,
        *,
        redirect_uri: str,
        nonce: str | None,
        code_challenge: str,
        now: datetime,
        purpose: str = AUTHORIZATION,
        dpop_jkt: str | None = None,
    ) -> tuple["Code", str]:
        """A code for this login, with its secret; only the hash is stored."""
        secret = new_secret()
        row = {
            "purpose": purpose,
            "code_hash": digest(secret),
            "login_id": login.id,
            "app_id": login.app_id,
            "redirect_uri": redirect_uri,
            "scope": login.scope,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "dpop_jkt": dpop_jkt,
            "created_at": now,
            "expires_at": now + LIVES,
        }
        await connection.execute(_ISSUE, row)
        return cls(**row), secret


_codes = Code.__table__
_ISSUE = sa.insert(_codes)
_CONSUME = (
    sa.update(_codes)
    .where(
        _codes.c.code_hash == sa.bindparam("hash"),
        _codes.c.purpose == sa.bindparam("kind"),
        _codes.c.app_id == sa.bindparam("app"),
        _codes.c.consumed_at.is_(None),
        _codes.c.expires_at > sa.bindparam("now"),
    )
    .values(consumed_at=sa.bindparam("now"))
    .returning(_codes.c.id)
)


async def consume(
    connection: AsyncConnection | AsyncSession, secret: str, purpose: str, app_id: int, now: datetime
) -> bool:
    """Use the code up. True for exactly one of all who try, and only while it lives.

    The database decides, by one conditional update: whoever reads first and writes later redeems twice.
    """
    asked = {"hash": digest(secret), "kind": purpose, "app": app_id, "now": now}
    return (await connection.execute(_CONSUME, asked)).one_or_none() is not None
