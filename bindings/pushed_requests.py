"""Pushed authorization requests (RFC 9126): an app leaves its request here first, and sends browsers with its name.

The name is good for 60 seconds and for one code. A browser that came in time may sign in meanwhile, or read a page:
then it has ten minutes in all. Only the one that is given the code uses it up, so that reloading a page loses nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from bindings.codes import LIVES
from tenants.credentials import digest, new_secret
from tenants.records import Json, Number, Record

PREFIX = "urn:ietf:params:oauth:request_uri:"
TAKEN_UP = timedelta(minutes=10)
"""How long after it was pushed a request that was taken up in time may still come to its code."""
NOT_KEPT = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
"""How the app showed itself: no part of what it asks."""


class PushedRequest(Record):
    """The fields of an authorization request that an app pushed. Only the hash of its name is stored."""

    __tablename__ = "pushed_requests"

    uri_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    app_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("apps.id"))
    fields: Mapped[dict[str, str]] = mapped_column(Json)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Pushed:
    """A pushed request that a browser came with: its row, and what the app asked."""

    id: int
    fields: dict[str, str]


_rows = PushedRequest.__table__
_PUSH = sa.insert(_rows)
_TAKE_UP = (
    sa.update(_rows)
    .where(
        _rows.c.uri_hash == sa.bindparam("hash"),
        _rows.c.app_id == sa.bindparam("app"),
        _rows.c.consumed_at.is_(None),
        _rows.c.expires_at > sa.bindparam("now"),
        _rows.c.created_at > sa.bindparam("since"),
    )
    # Coming again and again keeps nothing alive: its birth is asked for too.
    .values(expires_at=sa.bindparam("far"))
    .returning(_rows.c.id, _rows.c.fields)
)
_UNDER_WAY = sa.select(_rows.c.fields).where(
    _rows.c.uri_hash == sa.bindparam("hash"),
    _rows.c.app_id == sa.bindparam("app"),
    _rows.c.consumed_at.is_(None),
    _rows.c.created_at > sa.bindparam("since"),
)
_CONSUME = (
    sa.update(_rows)
    .where(_rows.c.id == sa.bindparam("row"), _rows.c.consumed_at.is_(None))
    .values(consumed_at=sa.bindparam("now"))
    .returning(_rows.c.id)
)


async def push(connection: AsyncConnection, app_id: int, fields: Mapping[str, str], now: datetime) -> tuple[str, int]:
    """Keep a request that passed its checks; its name, and for how many seconds it is good."""
    secret = new_secret()
    row = {
        "uri_hash": digest(secret),
        "app_id": app_id,
        "fields": {name: value for name, value in fields.items() if name not in NOT_KEPT},
        "created_at": now,
        "expires_at": now + LIVES,
    }
    await connection.execute(_PUSH, row)
    return PREFIX + secret, int(LIVES.total_seconds())


async def take_up(connection: AsyncConnection, uri: str, app_id: int, now: datetime) -> Pushed | None:
    """What this very app asked under this name, while it is good; None otherwise."""
    asked = {
        "hash": digest(uri.removeprefix(PREFIX)),
        "app": app_id,
        "now": now,
        "since": now - TAKEN_UP,
        "far": now + TAKEN_UP,
    }
    row = (await connection.execute(_TAKE_UP, asked)).one_or_none()
    return Pushed(row.id, dict(row.fields)) if row is not None else None


async def return_address(connection: AsyncConnection, uri: str, app_id: int, now: datetime) -> str | None:
    """Where the browser of a request that is under way will be sent in the end: what a page's policy has to name."""
    asked = {"hash": digest(uri.removeprefix(PREFIX)), "app": app_id, "since": now - TAKEN_UP}
    fields = (await connection.execute(_UNDER_WAY, asked)).scalar_one_or_none()
    return fields.get("redirect_uri") if fields else None


async def consume(connection: AsyncConnection, pushed: Pushed, now: datetime) -> bool:
    """Use it up. True for exactly one of all who try: the database decides, in the transaction of the code."""
    return (await connection.execute(_CONSUME, {"row": pushed.id, "now": now})).one_or_none() is not None
