"""Shared Signals: what an app is pushed when a session of its ends (CAEP session-revoked, RFC 8417, RFC 8935).

The same logins are told as by back-channel logout, at the same moment and with the same patience: an app may ask for
either or both, and one that did not take one of them is told both again.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.apps import App, checked_uri
from bindings.logout_tokens import Due
from bindings.security_events import Pushing, SecurityEvent
from bindings.signal_streams import SESSION_REVOKED, end_stream
from bindings.tokens import Issuer
from tenants.refusals import Conflict, Invalid
from tenants.sealing import seal, unseal
from tenants.trail import record
from tenants.verbs import Verb

SET_TYPE = "secevent+jwt"
MEDIA_TYPE = "application/secevent+jwt"
PURPOSE = "signals token"
LONGEST = 1000
"""Characters of the token that an app gives us for its end."""


async def session_revoked(issuer: Issuer, due: Due, now: datetime) -> str:
    """The signed event of a session that is over."""
    return await _signed(issuer, due.client_id, due.alg, _revoked(issuer.url, due), now)


async def waiting_event(issuer: Issuer, pushing: Pushing, now: datetime) -> str:
    """The signed event that waited."""
    return await _signed(issuer, pushing.client_id, pushing.alg, pushing.claims, now)


async def hold(connection: AsyncConnection, issuer_url: str, due: Due, now: datetime) -> None:
    """Keep what a session that is over would have told, until the app's stream goes on."""
    await SecurityEvent.put(connection, due.app_id, _revoked(issuer_url, due), now)


def _revoked(issuer_url: str, due: Due) -> dict[str, Any]:
    """Whose session it was and which. The `jti` is the same for every try, so that who was told twice can tell."""
    return {
        "jti": f"revoked-{due.sid}",
        "txn": due.sid,
        "sub_id": {
            "format": "complex",
            "session": {"format": "opaque", "id": due.sid},
            "user": {"format": "iss_sub", "iss": issuer_url, "sub": str(due.subject_id)},
        },
        "events": {SESSION_REVOKED: {"event_timestamp": int(due.ended_at.timestamp())}},
    }


async def _signed(issuer: Issuer, client_id: str, alg: str, said: dict[str, Any], now: datetime) -> str:
    """A security event token (RFC 8417 section 2.2): never with a `sub` or an `exp`, which other tokens have."""
    claims = {"iss": issuer.url, "aud": client_id, "iat": int(now.timestamp()), **said}
    return (await issuer.keys.signer(alg, now)).sign(claims, SET_TYPE)


def headers(secret_key: bytes, client_id: str, sealed: str | None) -> dict[str, str]:
    """What goes along with it: the media type, and the token that the app asked for. Raises Sealed."""
    said = {"Content-Type": MEDIA_TYPE, "Accept": "application/json"}
    if sealed is None:
        return said
    return {**said, "Authorization": f"Bearer {unseal(secret_key, PURPOSE, client_id, sealed).decode()}"}


async def ask_for_signals(
    session: AsyncSession, secret_key: bytes, app: App, uri: str | None, token: str | None
) -> None:
    """Have logins of this app that begin from now on told to `uri`, with a token of the app's; None for no more.

    An empty token keeps the one there is, for the same address alone. Raises Invalid, Conflict.
    """
    if app.discarded_at is not None:
        raise Conflict(f"{app.name} is discarded.")
    if not uri:
        await end_stream(session, app)
        return
    uri = checked_uri(uri, "web", "signals_uri")
    kept = app.signals_token if uri == app.signals_uri else None
    if token:
        kept = seal(secret_key, PURPOSE, app.client_id, _checked(token).encode())
    if (uri, kept) == (app.signals_uri, app.signals_token):
        return
    app.signals_uri, app.signals_token = uri, kept
    record(session, Verb.APP_CHANGED, app)
    await session.flush()


def _checked(token: str) -> str:
    """As it can stand in a header (RFC 6750 section 2.1)."""
    if len(token) > LONGEST or not token.isascii() or not token.isprintable() or " " in token:
        raise Invalid(f"A token has up to {LONGEST} plain characters without spaces.", field="signals_token")
    return token
