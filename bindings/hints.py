"""Hints: what lets the banner's frame ask once who stands in, where no cookie of ours reaches it.

A hint is signed and says which login of which app, until when. Giving one writes nothing down; redeeming it leaves a
row in `codes`, so that of all who try the same one the database lets one pass.
"""

import hmac
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bindings.codes import FRAME, LIVES, Code
from bindings.standing import Standing, by_code
from tenants.credentials import digest
from tenants.store import Store

NEXT_LIVES = timedelta(seconds=150)
"""How long a frame that is open may fall asleep with the hint for its next question, as browsers let hidden ones."""

_REDEEM = sa.insert(Code.__table__)


def give_hint(key: bytes, app_id: int, sid: str, now: datetime, lives: timedelta = LIVES) -> str:
    """A hint for this login at this app."""
    said = f"{app_id}.{sid}.{int((now + lives).timestamp())}.{secrets.token_urlsafe(9)}"
    return f"{said}.{_mark(key, said)}"


async def redeem_hint(store: Store, key: bytes, client_id: str, hint: str, now: datetime) -> Standing | None:
    """How the login of a hint stands; None for a hint that is not good, was used, or is another app's."""
    said, _, mark = hint.rpartition(".")
    if not hmac.compare_digest(mark.encode(), _mark(key, said).encode()):
        return None
    app_id, sid, until, _ = said.split(".")
    if now.timestamp() >= int(until):
        return None
    try:
        async with store.writer.begin() as connection:
            await _use_up(connection, int(app_id), sid, hint, now)
    except IntegrityError:
        return None
    async with store.hot.connect() as connection:
        standing = await by_code(connection, client_id, FRAME, digest(hint), now)
    return standing if standing is not None and standing.spell is not None else None


async def _use_up(connection: AsyncConnection, app_id: int, sid: str, hint: str, now: datetime) -> None:
    row = {
        "purpose": FRAME,
        "code_hash": digest(hint),
        "login_id": sid,
        "app_id": app_id,
        "redirect_uri": "",
        "scope": "",
        "nonce": None,
        "code_challenge": "",
        "created_at": now,
        "expires_at": now,
        "consumed_at": now,
    }
    await connection.execute(_REDEEM, row)


def _mark(key: bytes, said: str) -> str:
    return hmac.new(key, b"frame:" + said.encode(), "sha256").hexdigest()
