"""What an OpenID Connect client has to do, in reading order: ask, check the answer, keep asking.

Authorization code with PKCE (RFC 7636) for a confidential client. It holds what every honest client holds:
an answer counts only in the browser that asked (state), from the issuer that was asked (RFC 9207), with an ID
token that was signed by that issuer, for this client, for this very login (nonce), and not long ago. And a
login counts only as long as the issuer says so: the access token is introspected (RFC 7662) for each page.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote_plus

import httpx
from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, ExpiredTokenError, JoseError
from joserfc.jwk import KeySet

from demo.provider import Json, Provider
from demo.refusals import AnswerRejectedError, LoginEndedError, LoginRefusedError, PanelUnreachableError

ATTEMPT_LIVES = 600.0
"""Seconds in which a login that was begun has to be finished."""

CLOCKS_DIFFER = 30
"""Seconds by which the issuer's clock may differ from ours."""

HANDOFF = "urn:understudy:handoff"
"""The grant by which the panel opens an app as somebody else."""

REFRESH_BEFORE = 10.0
"""Seconds before its end at which an access token counts as expired, so that none expires on its way."""


@dataclass(frozen=True)
class Registration:
    """What the issuer and this client agreed on beforehand."""

    client_id: str
    client_secret: str
    redirect_uri: str
    after_logout_uri: str


@dataclass(frozen=True)
class Attempt:
    """A login under way: what was sent with it, to hold the answer against."""

    state: str
    nonce: str
    verifier: str
    started_at: float
    silent_for: str | None = None
    """The subject whose login is checked again without a page; None for a login with pages."""


@dataclass(frozen=True)
class Login:
    """A finished login. `access_until` is in seconds since the epoch."""

    subject: str
    sid: str | None
    id_token: str
    access_token: str
    access_until: float
    refresh_token: str | None

    def access_expired(self, now: float) -> bool:
        """Whether the access token has to be refreshed before it is used."""
        return now >= self.access_until - REFRESH_BEFORE


class RelyingParty:
    """One client at one issuer."""

    def __init__(self, registration: Registration, provider: Provider) -> None:
        self.registration = registration
        self.provider = provider
        # Both are form-encoded before they are joined by the colon (RFC 6749 section 2.3.1).
        self._auth = httpx.BasicAuth(quote_plus(registration.client_id), quote_plus(registration.client_secret))

    async def begin(self, now: float, silent_for: str | None = None) -> tuple[str, Attempt]:
        """Where to send the browser, and what to remember until it is back."""
        attempt = Attempt(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            started_at=now,
            silent_for=silent_for,
        )
        question = {
            "response_type": "code",
            "client_id": self.registration.client_id,
            "redirect_uri": self.registration.redirect_uri,
            "scope": "openid profile email",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": _base64url(hashlib.sha256(attempt.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        if silent_for is not None:
            question["prompt"] = "none"
        return _with_query(await self.provider.address("authorization_endpoint", now), question), attempt

    async def finish(self, attempt: Attempt, answer: Mapping[str, str], now: float) -> Login:
        """Turns the issuer's answer to `attempt` into a login.

        The caller found `attempt` by the answer's state, in the memory of the browser that brought it, and
        forgot it there. Raises AnswerRejectedError, LoginRefusedError, PanelUnreachableError.
        """
        # Errors are held against the issuer too: anybody can send a browser here (RFC 9207 section 2.4).
        if answer.get("iss") != self.provider.issuer:
            raise AnswerRejectedError("The answer does not say that it comes from the panel.")
        if now - attempt.started_at > ATTEMPT_LIVES:
            raise AnswerRejectedError("This login was begun more than ten minutes ago.")
        if "error" in answer:
            raise LoginRefusedError(answer["error"], answer.get("error_description", ""))
        if not answer.get("code"):
            raise AnswerRejectedError("The answer holds no code.")
        tokens = await self._ask_for_tokens(
            {
                "grant_type": "authorization_code",
                "code": answer["code"],
                "redirect_uri": self.registration.redirect_uri,
                "code_verifier": attempt.verifier,
            },
            now,
        )
        claims = await self._read_id_token(tokens, now)
        if not _same(claims.get("nonce"), attempt.nonce):
            raise AnswerRejectedError("The ID token was made for another login.")
        if attempt.silent_for not in (None, claims["sub"]):
            raise AnswerRejectedError("The silent check came back as somebody else.")
        return _login(tokens, claims, now)

    async def refresh(self, login: Login, now: float) -> Login:
        """The same login with a new access token. Store it at once: the old refresh token is spent.

        Raises LoginEndedError when the issuer refuses, PanelUnreachableError when it does not answer.
        """
        if login.refresh_token is None:
            raise LoginEndedError
        form = {"grant_type": "refresh_token", "refresh_token": login.refresh_token}
        try:
            tokens = await self._ask_for_tokens(form, now)
        except LoginRefusedError as refused:
            if refused.error == "invalid_grant":
                raise LoginEndedError from refused
            raise
        access_until = now + _lifetime(tokens)
        renewed = replace(
            login,
            access_token=tokens["access_token"],
            access_until=access_until,
            refresh_token=_text(tokens, "refresh_token") or login.refresh_token,
        )
        if "id_token" not in tokens:
            return renewed
        claims = await self._read_id_token(tokens, now)
        # Within one login nobody turns into somebody else (OIDC Core section 12.2).
        if claims["sub"] != login.subject:
            raise LoginEndedError
        return replace(renewed, id_token=tokens["id_token"])

    async def introspect(self, login: Login, now: float) -> Json:
        """Whom the issuer sees in this login now (RFC 7662).

        Raises LoginEndedError when it is no longer active, PanelUnreachableError when nobody says so.
        """
        facts = await self.look_up(login.access_token, now)
        if facts.get("sub") != login.subject:
            raise LoginEndedError
        return facts

    async def look_up(self, access_token: str, now: float) -> Json:
        """What the issuer says of an access token now (RFC 7662), as `introspect` does of a login's."""
        form = {"token": access_token, "token_type_hint": "access_token"}
        url = await self.provider.address("introspection_endpoint", now)
        status, facts = await self.provider.post(url, form, self._auth)
        if status != 200:
            raise LoginRefusedError(str(facts.get("error", "invalid_client")))
        mine = facts.get("client_id", self.registration.client_id) == self.registration.client_id
        if facts.get("active") is not True or not mine:
            raise LoginEndedError
        return facts

    async def take_over(self, handoff: str, now: float) -> str:
        """The access token for a hand-off, by which the panel opens this app as somebody else in one tab.

        Raises LoginRefusedError, AnswerRejectedError, PanelUnreachableError.
        """
        tokens = await self._ask_for_tokens({"grant_type": HANDOFF, "handoff": handoff}, now)
        claims = await self._read_id_token(tokens, now)
        # Nothing else is to be opened this way: not a login of one's own, nor one that can be drawn out.
        if not isinstance(claims.get("act"), dict) or "refresh_token" in tokens:
            raise AnswerRejectedError("What the panel gave is no impersonation.")
        return str(tokens["access_token"])

    async def give_back(self, login: Login, now: float) -> None:
        """Revokes the refresh token of a login that another one replaced (RFC 7009), if that can be done."""
        if login.refresh_token is None:
            return
        form = {"token": login.refresh_token, "token_type_hint": "refresh_token"}
        try:
            await self.provider.post(await self.provider.address("revocation_endpoint", now), form, self._auth)
        except PanelUnreachableError:
            # It is forgotten here in any case, and ends by itself there.
            return

    async def logout_url(self, login: Login, state: str, now: float) -> str:
        """Where to send the browser so that the login ends there too (RP-Initiated Logout section 2)."""
        question = {
            "id_token_hint": login.id_token,
            "client_id": self.registration.client_id,
            "post_logout_redirect_uri": self.registration.after_logout_uri,
            "state": state,
        }
        return _with_query(await self.provider.address("end_session_endpoint", now), question)

    async def _ask_for_tokens(self, form: Mapping[str, str], now: float) -> Json:
        url = await self.provider.address("token_endpoint", now)
        status, tokens = await self.provider.post(url, form, self._auth)
        if status != 200:
            raise LoginRefusedError(str(tokens.get("error", "")), str(tokens.get("error_description", "")))
        if not _text(tokens, "access_token") or str(tokens.get("token_type")).lower() != "bearer":
            raise AnswerRejectedError("The panel gave no access token.")
        return tokens

    async def _read_id_token(self, tokens: Json, now: float) -> Json:
        token = _text(tokens, "id_token")
        if token is None:
            raise AnswerRejectedError("The panel gave no ID token.")
        keys = await self.provider.keys(key_id(token), now)
        claims = read_id_token(token, keys, issuer=self.provider.issuer, client_id=self.registration.client_id, now=now)
        # Where the ID token names the access token it came with, it has to be that one (OIDC Core 3.1.3.8).
        half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
        if "at_hash" in claims and not _same(claims["at_hash"], _base64url(half)):
            raise AnswerRejectedError("The access token is not the one that the ID token was given with.")
        return claims


def read_id_token(token: str, keys: KeySet, *, issuer: str, client_id: str, now: float) -> Json:
    """The claims of an ID token that passed every check of OIDC Core section 3.1.3.7 but the nonce's.

    Raises AnswerRejectedError.
    """
    must = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=CLOCKS_DIFFER,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        # The algorithm is ours to say, never the token's: "none" and its kin end here.
        read = jwt.decode(token, keys, algorithms=["ES256"])
        must.validate(read.claims)
    except ExpiredTokenError as late:
        raise AnswerRejectedError("The ID token has expired.") from late
    except ClaimError as wrong:
        raise AnswerRejectedError(f"The ID token's “{wrong.claim}” is not what it has to be.") from wrong
    except BadSignatureError as forged:
        raise AnswerRejectedError("The ID token was not signed by the panel.") from forged
    except (JoseError, ValueError) as broken:
        raise AnswerRejectedError("The ID token cannot be read.") from broken
    # An access token is a JWT of the same issuer, perhaps with the same audience; its `typ` tells them apart.
    if str(read.header.get("typ", "JWT")).upper() != "JWT":
        raise AnswerRejectedError("What came as an ID token is another kind of token.")
    several = isinstance(read.claims["aud"], list) and len(read.claims["aud"]) > 1
    if read.claims.get("azp", None if several else client_id) != client_id:
        raise AnswerRejectedError("The ID token was given to another app.")
    return read.claims


def _login(tokens: Json, claims: Json, now: float) -> Login:
    return Login(
        subject=claims["sub"],
        sid=_text(claims, "sid"),
        id_token=tokens["id_token"],
        access_token=tokens["access_token"],
        access_until=now + _lifetime(tokens),
        refresh_token=_text(tokens, "refresh_token"),
    )


def _lifetime(tokens: Json) -> float:
    """Seconds that the access token lives; one minute where the issuer does not say."""
    told = tokens.get("expires_in")
    return float(told) if isinstance(told, int | float) else 60.0


def key_id(token: str) -> str | None:
    """The key that the token says it was signed with; only used to look it up."""
    try:
        head = token.split(".", 1)[0]
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return None
    return _text(header, "kid") if isinstance(header, dict) else None


def _with_query(url: str, question: Mapping[str, str]) -> str:
    return str(httpx.URL(url).copy_merge_params(dict(question)))


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) and value else None


def _same(one: object, other: str) -> bool:
    return isinstance(one, str) and hmac.compare_digest(one.encode(), other.encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
