"""Streams: what an app says itself of the security events that it is pushed (OpenID Shared Signals Framework 1.0).

Each app has one stream at most. Where it leads is said on the app's page, by a person who proves anew who they are and
of whom others are told; the app says which events it wants, whether they come now, and by which token it knows us.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.security_events import SecurityEvent
from tenants.refusals import Conflict, Invalid, TooMany
from tenants.text import clean
from tenants.trail import record
from tenants.verbs import Verb

PUSH = "urn:ietf:rfc:8935"
SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
SUPPORTED = (SESSION_REVOKED,)
"""What can be asked for. A verification is no event of the stream: it is asked for each time."""
ENABLED, PAUSED, DISABLED = "enabled", "paused", "disabled"
STATUSES = (ENABLED, PAUSED, DISABLED)
"""Pushed; held until it goes on; neither (section 8.1.2)."""
STREAM = ("signals_uri", "signals_token", "signals_status", "signals_requested")
"""The columns of an app that decide it."""
SELDOM = timedelta(seconds=10)
"""Between two verifications."""
LONGEST_STATE = 1000
MOST_REQUESTED = 50


def delivers(app: Any, event: str) -> bool:
    """Whether an app is told of such an event, now or later; `app` is one, or a row with its STREAM."""
    wants = app.signals_requested is None or event in app.signals_requested
    return app.signals_uri is not None and app.signals_status != DISABLED and wants


def configuration(app: App, issuer: str) -> dict[str, Any]:
    """A stream as its receiver reads it (section 8.1.1); the token that it gave us stays with us."""
    requested = list(SUPPORTED) if app.signals_requested is None else app.signals_requested
    known: dict[str, Any] = {
        "stream_id": app.client_id,
        "iss": issuer,
        "aud": app.client_id,
        "delivery": {"method": PUSH, "endpoint_url": app.signals_uri},
        "events_supported": list(SUPPORTED),
        "events_requested": requested,
        "events_delivered": [event for event in SUPPORTED if event in requested],
        "min_verification_interval": int(SELDOM.total_seconds()),
    }
    return known | ({"description": app.signals_about} if app.signals_about else {})


async def change_stream(
    session: AsyncSession, app: App, *, requested: Sequence[str] | None = None, about: str | None = None
) -> None:
    """Other events, or another description; what is not given stays. Raises Invalid."""
    wanted: dict[str, Any] = {}
    if requested is not None:
        if len(requested) > MOST_REQUESTED or any(len(event) > LONGEST_STATE for event in requested):
            raise Invalid(f"Ask for up to {MOST_REQUESTED} events.", field="events_requested")
        wanted["signals_requested"] = list(dict.fromkeys(requested))
    if about is not None:
        wanted["signals_about"] = clean(about, "description")[:200] or None
    await _set(session, app, wanted)


async def set_status(session: AsyncSession, app: App, status: str) -> None:
    """Enable, pause or disable it. What waits is pushed once it goes on, and gone where it is disabled."""
    if status not in STATUSES:
        raise Invalid(f"A status is one of {', '.join(STATUSES)}.", field="status")
    await _set(session, app, {"signals_status": status})
    if status == DISABLED:
        await SecurityEvent.drop(session, app.id)


async def verify(session: AsyncSession, app: App, state: str | None, now: datetime) -> None:
    """Have a verification event pushed, with the `state` that came (section 8.1.4). Raises Conflict, TooMany."""
    if app.signals_status == DISABLED:
        raise Conflict("The stream is disabled.", rule="disabled")
    if state is not None and len(state) > LONGEST_STATE:
        raise Invalid(f"A state has up to {LONGEST_STATE} characters.", field="state")
    # The app's row is the lock: of two that ask at once the second sees the first one's.
    await session.execute(sa.select(App.id).where(App.id == app.id).with_for_update(key_share=True))
    last = await SecurityEvent.last_at(session, app.id, VERIFICATION)
    if last is not None and now < last + SELDOM:
        raise TooMany("A verification was asked for a moment ago.", retry_after=int(SELDOM.total_seconds()))
    said: Mapping[str, Any] = {"state": state} if state is not None else {}
    claims = {"sub_id": {"format": "opaque", "id": app.client_id}, "events": {VERIFICATION: said}}
    await SecurityEvent.put(await session.connection(), app.id, claims, now)


async def end_stream(session: AsyncSession, app: App) -> None:
    """The app wants none any more: another one begins anew."""
    await SecurityEvent.drop(session, app.id)
    fresh = {"signals_uri": None, "signals_token": None, "signals_status": ENABLED, "signals_requested": None}
    await _set(session, app, {**fresh, "signals_about": None})


async def _set(session: AsyncSession, app: App, wanted: Mapping[str, Any]) -> None:
    changed = {name: value for name, value in wanted.items() if getattr(app, name) != value}
    for name, value in changed.items():
        setattr(app, name, value)
    if changed:
        record(session, Verb.APP_CHANGED, app)
        await session.flush()
