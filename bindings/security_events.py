"""Security events that wait: verifications, and what was held while an app had paused its stream (RFC 8417).

What is told of a login that has ended just now needs no row here: the login is it (bindings/logout_tokens.py).
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.apps import App
from tenants.records import Json, Number, Record

LEASE = timedelta(seconds=30)
"""How long one that was taken is left to who took it: longer than any try lasts."""
PAUSES = tuple(timedelta(seconds=each) for each in (2, 10, 60, 300, 1800, 3600, 7200, 14400, 28800, 28800))
"""Between two tries: a day and a little more in all, then it is given up."""
KEPT = timedelta(days=7)
"""How long one that is over stays."""


class Outcome(StrEnum):
    """How far one has come."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    GIVEN_UP = "given_up"


class SecurityEvent(Record):
    """One that waits to be pushed, while `done_at` is empty; the house's own, and in nobody's reach."""

    __tablename__ = "security_events"

    app_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("apps.id"))
    claims: Mapped[dict[str, Any]] = mapped_column(Json)
    """What it says, without who signs it for whom and when."""
    created_at: Mapped[datetime]
    tries: Mapped[int]
    try_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(sa.String(200))

    @classmethod
    async def put(cls, connection: AsyncConnection, app_id: int, claims: dict[str, Any], now: datetime) -> None:
        """One more, due at once; its `jti` is the same for every try, so that who was told twice can tell."""
        row = {"app_id": app_id, "claims": {"jti": secrets.token_hex(16), **claims}, "created_at": now}
        await connection.execute(sa.insert(_events).values(tries=0, try_at=now, **row))

    @classmethod
    async def last_at(cls, session: AsyncSession, app_id: int, event: str) -> datetime | None:
        """When the last one of a kind came to be, as far as it is kept."""
        newest = sa.select(_events.c.created_at, _events.c.claims).where(_events.c.app_id == app_id)
        rows = await session.execute(newest.order_by(_events.c.id.desc()).limit(100))
        return next((row.created_at for row in rows if event in row.claims["events"]), None)

    @classmethod
    async def drop(cls, session: AsyncSession, app_id: int) -> None:
        """Those that wait are not told."""
        await session.execute(sa.delete(_events).where(_events.c.app_id == app_id, _events.c.done_at.is_(None)))


_events, _apps = SecurityEvent.__table__, App.__table__


@dataclass(frozen=True, slots=True)
class Pushing:
    """One that is ours for a try; `tries` counts it."""

    event_id: int
    app_id: int
    client_id: str
    alg: str
    address: str
    sealed: str | None
    """By which token the app knows us."""
    claims: dict[str, Any]
    tries: int


async def due(connection: AsyncConnection, now: datetime, busy: Collection[int], most: int) -> list[int]:
    """The first that waits of each app whose stream is enabled, none of `busy` apps."""
    first = sa.func.min(_events.c.id)
    waiting = (
        sa.select(first).join(_apps, _apps.c.id == _events.c.app_id).where(_due(now), _events.c.app_id.not_in(busy))
    )
    open_ = waiting.where(_apps.c.signals_status == "enabled", _apps.c.signals_uri.is_not(None))
    return list((await connection.execute(open_.group_by(_events.c.app_id).order_by(first).limit(most))).scalars())


async def take(connection: AsyncConnection, ids: Sequence[int], now: datetime) -> list[Pushing]:
    """Take these, for a try each: nobody else gets them for LEASE. Those that somebody else has are left out."""
    free = sa.select(_events.c.id).where(_events.c.id.in_(ids), _due(now)).with_for_update(skip_locked=True)
    taken = sa.update(_events).where(_events.c.id.in_(free)).values(try_at=now + LEASE, tries=_events.c.tries + 1)
    found = (await connection.execute(taken.returning(*_events.c))).all()
    theirs = sa.select(_apps).where(_apps.c.id.in_({row.app_id for row in found}))
    apps = {app.id: app for app in await connection.execute(theirs)}
    return [
        Pushing(
            row.id, app.id, app.client_id, app.id_token_alg, app.signals_uri, app.signals_token, row.claims, row.tries
        )
        for row in found
        if (app := apps[row.app_id]).signals_uri is not None
    ]


async def note(connection: AsyncConnection, pushing: Pushing, trouble: str | None, now: datetime) -> Outcome:
    """Write down what became of a try. Who took it when our lease was over has the last word, unless we arrived."""
    row = sa.update(_events).where(_events.c.id == pushing.event_id, _events.c.done_at.is_(None))
    if trouble is None:
        await connection.execute(row.values(done_at=now, try_at=None, error=None))
        return Outcome.ACCEPTED
    final = pushing.tries > len(PAUSES)
    said: dict[str, Any] = {"done_at": now, "try_at": None} if final else {"try_at": now + PAUSES[pushing.tries - 1]}
    await connection.execute(row.where(_events.c.tries == pushing.tries).values(error=trouble[:200], **said))
    return Outcome.GIVEN_UP if final else Outcome.WAITING


async def forget(connection: AsyncConnection, now: datetime) -> None:
    """Those that were over KEPT ago are gone."""
    await connection.execute(sa.delete(_events).where(_events.c.done_at < now - KEPT))


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(_events.c.done_at.is_(None), _events.c.try_at <= now)
