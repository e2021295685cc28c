"""How an app proves who it is: given a new secret, or keys of its own in place of one, with an overlap to change over.

An app has one of the two. While it changes over, the secret of before is good as well, for as long as was chosen.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.public_keys import checked_keys
from tenants.credentials import digest, new_secret
from tenants.refusals import Conflict, Invalid
from tenants.trail import record
from tenants.verbs import Verb

AT_ONCE = timedelta(0)
LONGEST = timedelta(days=7)
"""How long the secret of before may stay good."""


async def rotate_secret(session: AsyncSession, app: App, now: datetime, keep: timedelta = AT_ONCE) -> str:
    """A new secret, shown once; the old one is good for `keep` longer, and keys end. Raises Conflict, Invalid."""
    await _hold(session, app)
    _keep_old(app, now, keep)
    secret = new_secret()
    app.secret_hash, app.jwks = digest(secret), None
    record(session, Verb.APP_CHANGED, app)
    await session.flush()
    return secret


async def register_keys(session: AsyncSession, app: App, jwks: Any, now: datetime, keep: timedelta = AT_ONCE) -> None:
    """Public keys in place of the secret (RFC 7523), which is good for `keep` longer. Raises Conflict, Invalid.

    Where it has keys already these take their place; an overlap is a set that holds the old and the new.
    """
    await _hold(session, app)
    keys = checked_keys(jwks)
    if keys == app.jwks:
        return
    if app.secret_hash is not None:
        _keep_old(app, now, keep)
        app.secret_hash = None
    app.jwks = keys
    record(session, Verb.APP_CHANGED, app)
    await session.flush()


async def end_old_secret(session: AsyncSession, app: App, now: datetime) -> None:
    """The secret of before opens nothing from now on. Raises Conflict where none is good any more."""
    await _hold(session, app)
    if old_secret_until(app, now) is None:
        raise Conflict("No earlier secret of this app is good any more.", rule="no_old_secret")
    app.old_secret_hash, app.old_secret_until = None, None
    record(session, Verb.APP_CHANGED, app)
    await session.flush()


def proof_of(app: App) -> Literal["secret", "keys", "none"]:
    """What it proves itself by; nothing where it can keep neither."""
    if app.jwks is not None:
        return "keys"
    return "secret" if app.secret_hash is not None else "none"


def old_secret_until(app: App, now: datetime) -> datetime | None:
    """Until when the secret of before is good; None where none is."""
    until = app.old_secret_until
    return until if until is not None and now < until else None


def _keep_old(app: App, now: datetime, keep: timedelta) -> None:
    """The secret in use becomes the one of before, until then; one of still earlier ends."""
    if not AT_ONCE <= keep <= LONGEST:
        raise Invalid("The old secret ends at once, or stays good for a week at most.", field="keep")
    stays = keep > AT_ONCE and app.secret_hash is not None
    app.old_secret_hash = app.secret_hash if stays else None
    app.old_secret_until = now + keep if stays else None


async def _hold(session: AsyncSession, app: App) -> None:
    """Lock the row, so that of two who change it at once the second keeps what the first made. Raises Conflict."""
    await session.refresh(app, with_for_update=True)
    if app.discarded_at is not None:
        raise Conflict(f"{app.name} is discarded.")
    if app.type != "web":
        raise Conflict("Only a web app keeps a secret or a key.", rule="public_client")
