"""Shared Signals: what an app is pushed when a session of its ends (CAEP session-revoked, RFC 8417, RFC 8935).

The same logins are told as by back-channel logout, at the same moment and with the same patience: an app may ask for
either or both, and one that did not take one of them is told both again.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App, checked_uri
from bindings.logout_tokens import Due
from bindings.tokens import Issuer
from tenants.refusals import Conflict, Invalid
from tenants.sealing import seal, unseal
from tenants.trail import record
from tenants.verbs import Verb

EVENT = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
SET_TYPE = "secevent+jwt"
MEDIA_TYPE = "application/secevent+jwt"
PURPOSE = "signals token"
LONGEST = 1000
"""Characters of the token that an app gives us for its end."""


async def session_revoked(issuer: Issuer, due: Due, now: datetime) -> str:
    """The signed event: whose session it was and which, and never a `sub` or an `exp` (RFC 8417 section 2.2).

    Its `jti` is the same for every try, so that who was told twice can tell.
    """
    claims: dict[str, Any] = {
        "iss": issuer.url,
        "aud": due.client_id,
        "iat": int(now.timestamp()),
        "jti": f"revoked-{due.sid}",
        "txn": due.sid,
        "sub_id": {
            "format": "complex",
            "session": {"format": "opaque", "id": due.sid},
            "user": {"format": "iss_sub", "iss": issuer.url, "sub": str(due.subject_id)},
        },
        "events": {EVENT: {"event_timestamp": int(due.ended_at.timestamp())}},
    }
    return (await issuer.keys.signer(due.alg, now)).sign(claims, SET_TYPE)


def headers(secret_key: bytes, due: Due) -> dict[str, str]:
    """What goes along with it: the media type, and the token that the app asked for. Raises Sealed."""
    said = {"Content-Type": MEDIA_TYPE, "Accept": "application/json"}
    if due.signals_token is None:
        return said
    token = unseal(secret_key, PURPOSE, due.client_id, due.signals_token).decode()
    return {**said, "Authorization": f"Bearer {token}"}


async def ask_for_signals(
    session: AsyncSession, secret_key: bytes, app: App, uri: str | None, token: str | None
) -> None:
    """Have logins of this app that begin from now on told to `uri`, with a token of the app's; None for no more.

    An empty token keeps the one there is, for the same address alone. Raises Invalid, Conflict.
    """
    if app.discarded_at is not None:
        raise Conflict(f"{app.name} is discarded.")
    uri = checked_uri(uri, "web", "signals_uri") if uri else None
    kept = app.signals_token if uri is not None and uri == app.signals_uri else None
    if token and uri is not None:
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
