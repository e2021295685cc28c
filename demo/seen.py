"""Whom an app sees: the claims of a login as the page shows them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo.provider import Json


@dataclass(frozen=True)
class StandIn:
    """Somebody acts as the person seen: who, how, until when (None: until it is ended), and whether to look only."""

    actor: str
    kind: str
    ends_at: datetime | None
    mode: str = "full"


@dataclass(frozen=True)
class Seen:
    """The person an app works for; empty strings for what the panel did not say."""

    name: str
    email: str
    extension: str
    phone_system: str
    tenant: str
    app_admin: bool
    stand_in: StandIn | None


def seen_in(claims: Json) -> Seen:
    """Reads claims as they come, from an ID token, userinfo or introspection: the shape is the same."""
    return Seen(
        name=_text(claims, "name") or _text(claims, "email") or _text(claims, "sub"),
        email=_text(claims, "email"),
        extension=_text(claims, "extension"),
        phone_system=_text(claims.get("phone_system"), "name"),
        tenant=_text(claims.get("tenant"), "name"),
        app_admin=claims.get("app_admin") is True,
        stand_in=_stand_in(claims),
    )


def _stand_in(claims: Json) -> StandIn | None:
    # `act` alone decides (RFC 8693 section 4.1): whoever acts is shown, even if the rest were missing.
    act = claims.get("act")
    if not isinstance(act, dict):
        return None
    details = claims.get("stand_in")
    ends_at = details.get("ends_at") if isinstance(details, dict) else None
    return StandIn(
        actor=_text(act, "name") or _text(act, "sub"),
        kind=_text(details, "kind") or "stand-in",
        ends_at=_moment(ends_at),
        mode=_text(details, "mode") or "full",
    )


def _moment(told: object) -> datetime | None:
    try:
        if isinstance(told, int | float):
            return datetime.fromtimestamp(told, UTC)
        if isinstance(told, str):
            return datetime.fromisoformat(told).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _text(found: Any, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""
