"""What an app is told when a login of its has ended (OpenID Connect Back-Channel Logout 1.0), and how far that came.

Nobody puts anything into a queue: the rows of logins are it. Whatever ends one whose app asked to be told (`tell`)
leaves `ended_at` there, and it is due until `told_at` says that the app acknowledged it or that it was given up.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.apps import App
from bindings.login import Login
from bindings.signal_streams import PAUSED, SESSION_REVOKED, STREAM, delivers
from bindings.tokens import Issuer

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TYPE = "logout+jwt"
LIVES = timedelta(minutes=2)
"""How long a logout token is good: each try signs another one."""
LEASE = timedelta(seconds=30)
"""How long a login that was taken is left to who took it: longer than any try lasts."""
PAUSES = tuple(timedelta(seconds=each) for each in (2, 10, 60, 300, 1800, 3600, 7200, 14400, 28800, 28800))
"""Between two tries: a day and a little more in all, then it is given up."""
UNREGISTERED = "unregistered"
"""The app takes no logouts any more: no later try mends that."""
HELD = "held"
"""The app takes security events alone, and has paused its stream: the event waits until it goes on."""

_logins, _apps = Login.__table__, App.__table__
_ASKED_FOR: sa.ColumnElement[bool] = sa.literal_column("logins.tell")
"""As the indexes have it: SQLite takes them for nothing that is written otherwise, such as `tell = 1`."""


@dataclass(frozen=True, slots=True)
class Due:
    """A login that has ended, and the app that is to be told; `tries` counts the one that was taken it for."""

    sid: str
    app_id: int
    client_id: str
    address: str | None
    alg: str
    subject_id: int
    ended_at: datetime
    tries: int
    signals_uri: str | None = None
    """Where the app wants security events, and, sealed, by which token."""
    signals_token: str | None = None
    held: bool = False
    """It wants them, and not now: it has paused its stream."""


class Outcome(StrEnum):
    """How far telling an app has come."""

    ACKNOWLEDGED = "acknowledged"
    WAITING = "waiting"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One login that has ended, and how far telling its app has come. `trouble` is what the last try met."""

    sid: str
    app_name: str
    ended_at: datetime
    outcome: Outcome
    told_at: datetime | None
    tries: int
    trouble: str | None
    next_at: datetime | None


async def logout_token(issuer: Issuer, due: Due, now: datetime) -> str:
    """The signed token (section 2.4): who and which login, what happened, and never a nonce."""
    claims: dict[str, Any] = {
        "iss": issuer.url,
        "aud": due.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + LIVES).timestamp()),
        "jti": secrets.token_hex(16),
        "sub": str(due.subject_id),
        "sid": due.sid,
        "events": {EVENT: {}},
    }
    return (await issuer.keys.signer(due.alg, now)).sign(claims, LOGOUT_TYPE)


async def untold(connection: AsyncConnection, now: datetime, busy: Collection[int], most: int) -> list[tuple[str, int]]:
    """Logins whose apps are to be told now, (sid, app id), those first that were never tried; none of `busy` apps."""
    wanted = sa.select(_logins.c.id, _logins.c.app_id).where(_due(now), _logins.c.app_id.not_in(busy))
    wanted = wanted.order_by(sa.nulls_first(_logins.c.tell_at), _logins.c.id).limit(most)
    return [(row.id, row.app_id) for row in await connection.execute(wanted)]


async def take(connection: AsyncConnection, sids: Sequence[str], now: datetime) -> list[Due]:
    """Take these, for a try each: nobody else gets them for LEASE. Those that somebody else has are left out."""
    free = sa.select(_logins.c.id).where(_logins.c.id.in_(sids), _due(now)).with_for_update(skip_locked=True)
    taken = (
        sa.update(_logins)
        .where(_logins.c.id.in_(free))
        .values(tell_at=now + LEASE, tell_tries=_logins.c.tell_tries + 1)
        .returning(
            _logins.c.id, _logins.c.app_id, _logins.c.subject_membership_id, _logins.c.ended_at, _logins.c.tell_tries
        )
    )
    rows = (await connection.execute(taken)).all()
    known = (_apps.c.backchannel_logout_uri, *(_apps.c[name] for name in STREAM))
    theirs = sa.select(_apps.c.id, _apps.c.client_id, _apps.c.id_token_alg, *known)
    apps = {app.id: app for app in await connection.execute(theirs.where(_apps.c.id.in_({row.app_id for row in rows})))}
    return [_taken(row, apps[row.app_id]) for row in rows]


def _taken(row: Any, app: Any) -> Due:
    wants = delivers(app, SESSION_REVOKED)
    paused = app.signals_status == PAUSED
    return Due(
        row.id,
        row.app_id,
        app.client_id,
        app.backchannel_logout_uri,
        app.id_token_alg,
        row.subject_membership_id,
        row.ended_at,
        row.tell_tries,
        app.signals_uri if wants and not paused else None,
        app.signals_token,
        wants and paused,
    )


async def note(connection: AsyncConnection, due: Due, trouble: str | None, now: datetime) -> Outcome:
    """Write down what became of a try. Who took it when our lease was over has the last word, unless we arrived."""
    row = sa.update(_logins).where(_logins.c.id == due.sid, _logins.c.told_at.is_(None))
    if trouble is None:
        await connection.execute(row.values(told_at=now, tell_at=None, tell_error=None))
        return Outcome.ACKNOWLEDGED
    final = trouble in {UNREGISTERED, HELD} or due.tries > len(PAUSES)
    said: dict[str, Any] = {"told_at": now, "tell_at": None} if final else {"tell_at": now + PAUSES[due.tries - 1]}
    await connection.execute(row.where(_logins.c.tell_tries == due.tries).values(tell_error=trouble[:200], **said))
    return Outcome.GIVEN_UP if final else Outcome.WAITING


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        _logins.c.ended_at.is_not(None),
        _ASKED_FOR,
        _logins.c.told_at.is_(None),
        sa.or_(_logins.c.tell_at.is_(None), _logins.c.tell_at <= now),
    )


async def deliveries(session: AsyncSession, which: sa.ColumnElement[bool], most: int) -> list[Delivery]:
    """What apps were told of these logins, in reach, the newest end first."""
    wanted = (
        sa.select(Login, App.name)
        .join(App, App.id == Login.app_id)
        .where(which, _ASKED_FOR, Login.ended_at.is_not(None))
        .order_by(Login.ended_at.desc(), Login.id)
        .limit(most)
    )
    return [_delivery(login, name) for login, name in await session.execute(wanted) if login.ended_at is not None]


def _delivery(login: Login, app_name: str) -> Delivery:
    outcome = Outcome.WAITING
    if login.told_at is not None:
        outcome = Outcome.ACKNOWLEDGED if login.tell_error is None else Outcome.GIVEN_UP
    return Delivery(
        login.id,
        app_name,
        login.ended_at or login.created_at,
        outcome,
        login.told_at,
        login.tell_tries,
        login.tell_error,
        login.tell_at if outcome is Outcome.WAITING else None,
    )
