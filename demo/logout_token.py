"""Logout tokens: how the panel tells an app that a login has ended (OpenID Connect Back-Channel Logout 1.0).

Anybody can post to an app, so a token counts only if it holds in everything that section 2.6 asks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from demo.refusals import AnswerRejectedError
from demo.relying_party import CLOCKS_DIFFER, RelyingParty, key_id

EVENT = "http://schemas.openid.net/event/backchannel-logout"
OLDEST = 300
"""Seconds after which a logout token is not believed, whatever it says of its end."""
REMEMBERED = 10_000
"""Logins and tokens of which an app knows that they are over."""


@dataclass(frozen=True)
class Logout:
    """What a token that holds says: which login is over."""

    sid: str
    jti: str


@dataclass
class Logouts:
    """What an app was told is over. A token counts once, and a login that is over stays so."""

    _tokens: dict[str, None] = field(default_factory=dict)
    _logins: dict[str, None] = field(default_factory=dict)

    def over(self, sid: str | None) -> bool:
        """Whether this login is over: asked before anything is shown, also of tabs that hold a token themselves."""
        return sid in self._logins

    async def take(self, party: RelyingParty, token: str, now: float) -> str:
        """The login that a token ends. Raises AnswerRejectedError, PanelUnreachableError."""
        keys = await party.provider.keys(key_id(token), now)
        logout = read_logout_token(token, keys, party.provider.issuer, party.registration.client_id, now)
        if logout.jti in self._tokens:
            raise AnswerRejectedError("This logout token was used before.")
        _remember(self._tokens, logout.jti)
        _remember(self._logins, logout.sid)
        return logout.sid


def read_logout_token(token: str, keys: KeySet, issuer: str, client_id: str, now: float) -> Logout:
    """What a token says that passed every check of section 2.6 but that it is new. Raises AnswerRejectedError."""
    must = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=CLOCKS_DIFFER,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
        sid={"essential": True},
    )
    try:
        read = jwt.decode(token, keys, algorithms=["ES256"])
        must.validate(read.claims)
    except (JoseError, ValueError) as wrong:
        raise AnswerRejectedError("The logout token does not hold.") from wrong
    # An ID token of the same login has all of this but the type and the event, and often a nonce.
    if str(read.header.get("typ", "")).lower().removeprefix("application/") != "logout+jwt":
        raise AnswerRejectedError("What came as a logout token is another kind of token.")
    claims = read.claims
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping) or "nonce" in claims:
        raise AnswerRejectedError("The logout token tells of no logout.")
    if now - _number(claims["iat"]) > OLDEST:
        raise AnswerRejectedError("The logout token is too old.")
    if not isinstance(claims["sid"], str) or not isinstance(claims["jti"], str):
        raise AnswerRejectedError("The logout token cannot be read.")
    return Logout(claims["sid"], claims["jti"])


def _remember(known: dict[str, None], name: str) -> None:
    """Keep it, and forget the oldest when there are too many."""
    while len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[name] = None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
