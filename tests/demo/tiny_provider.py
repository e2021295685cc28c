"""An OpenID provider just big enough to answer the demo apps, honestly or not, as a test asks it to."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey
from litestar import Litestar, Request, Response, route

ISSUER = "http://localhost:8000"
DAN = {"sub": "41", "name": "Dan Dale", "email": "dan@dairy.example"}
DAN_AT_DAIRY = {
    **DAN,
    "extension": "101",
    "phone_system": {"id": "3", "name": "Dairy PBX", "host": "dairy.pbx.example"},
    "tenant": {"id": "9", "name": "Dairy", "kind": "customer"},
    "app_admin": True,
}
PIA_ACTS = {
    "act": {"sub": "12", "name": "Pia Pine"},
    "stand_in": {"kind": "binding", "id": "77", "ends_at": None, "mode": "full"},
}


def new_key(kid: str) -> ECKey:
    """A signing key of that id."""
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"})


@dataclass
class TinyProvider:
    """Gives out tokens for Dan. Tests turn its knobs to make it dishonest, forgetful or dead."""

    now: float = 1_000_000.0
    claims: dict[str, Any] = field(default_factory=lambda: dict(DAN_AT_DAIRY))
    id_token_changes: dict[str, Any] = field(default_factory=dict)
    header_changes: dict[str, Any] = field(default_factory=dict)
    metadata_changes: dict[str, Any] = field(default_factory=dict)
    signing_key: ECKey = field(default_factory=lambda: new_key("spring"))
    published: list[ECKey] = field(default_factory=list)
    active: bool = True
    dead: bool = False
    dead_paths: set[str] = field(default_factory=set)
    forge: Callable[[str], str] = lambda honest: honest
    gives_refresh_tokens: bool = True
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    questions: dict[str, dict[str, str]] = field(default_factory=dict)
    access_token: str = ""
    refresh_token: str = ""
    handoff: str | None = None

    def __post_init__(self) -> None:
        self.published.append(self.signing_key)

    def authorize(self, url: str) -> dict[str, str]:
        """What the browser would bring back after Dan's login at `url`."""
        question = questions_in(url)
        code = secrets.token_urlsafe(8)
        self.questions[code] = question
        return {"code": code, "state": question["state"], "iss": ISSUER}

    def forms(self, path: str) -> list[dict[str, str]]:
        """The forms that were sent to `path`, oldest first."""
        return [form for asked, form, _ in self.asked if asked == path]

    def tokens(self, nonce: str | None) -> dict[str, Any]:
        """A token response (RFC 6749 section 5.1); what was given before is spent."""
        self.access_token = secrets.token_urlsafe(8)
        self.refresh_token = secrets.token_urlsafe(8) if self.gives_refresh_tokens else ""
        given = {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": 600,
            "id_token": self.forge(self.id_token(nonce)),
            "refresh_token": self.refresh_token,
        }
        return {name: value for name, value in given.items() if value}

    def id_token(self, nonce: str | None) -> str:
        """Dan's ID token, with the changes that a test wants."""
        claims = {
            "iss": ISSUER,
            "aud": "softphone",
            "iat": int(self.now),
            "exp": int(self.now) + 600,
            "nonce": nonce,
            "sid": "9f2c",
            "at_hash": half_hash(self.access_token),
            **self.claims,
            **self.id_token_changes,
        }
        header = {"alg": "ES256", "kid": self.signing_key.kid, **self.header_changes}
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, present, self.signing_key)

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and body for one request."""
        if self.dead or path in self.dead_paths:
            return 503, {}
        match path:
            case "/.well-known/openid-configuration":
                return 200, self.metadata()
            case "/oauth/jwks":
                return 200, {"keys": [key.as_dict(private=False) for key in self.published]}
            case "/oauth/token" if form["grant_type"] == "authorization_code":
                return self.redeem(form)
            case "/oauth/token" if form["grant_type"] == "urn:understudy:handoff":
                good = self.handoff is not None and form["handoff"] == self.handoff
                self.handoff = None
                return (200, self.tokens(None)) if good else (400, {"error": "invalid_grant"})
            case "/oauth/token" if self.active and form["refresh_token"] == self.refresh_token:
                return 200, self.tokens(None)
            case "/oauth/introspect" if self.active and form["token"] == self.access_token:
                return 200, {"active": True, "client_id": "softphone", **self.claims}
            case "/oauth/introspect":
                return 200, {"active": False}
            case "/oauth/revoke":
                return 200, {}
        return 400, {"error": "invalid_grant"}

    def redeem(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Tokens for a code, if its verifier fits (RFC 7636 section 4.6)."""
        question = self.questions.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if question is None or question["code_challenge"] != base64url(digest):
            return 400, {"error": "invalid_grant"}
        return 200, self.tokens(question["nonce"])

    def metadata(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/oauth/authorize",
            "token_endpoint": f"{ISSUER}/oauth/token",
            "jwks_uri": f"{ISSUER}/oauth/jwks",
            "introspection_endpoint": f"{ISSUER}/oauth/introspect",
            "revocation_endpoint": f"{ISSUER}/oauth/revoke",
            "end_session_endpoint": f"{ISSUER}/oauth/logout",
            **self.metadata_changes,
        }

    def transport(self) -> httpx.ASGITransport:
        """How the apps reach this provider."""

        @route(["/", "/{path:path}"], http_method=["GET", "POST"], status_code=200)
        async def everything(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
            form = dict((await request.form()).items()) if request.method == "POST" else {}
            path = request.url.path
            self.asked.append((path, form, request.headers.get("authorization", "")))
            status, body = self.answer(path, form)
            return Response(body, status_code=status)

        return transport_to(Litestar([everything], openapi_config=None))


def transport_to(server: Any) -> httpx.ASGITransport:
    """A way to `server` without a network. (httpx and Litestar type an ASGI app differently.)"""
    return httpx.ASGITransport(server)


def questions_in(url: str) -> dict[str, str]:
    """The query of a URL, one value each."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def half_hash(token: str) -> str:
    """`at_hash` of OIDC Core section 3.1.3.6, for ES256."""
    return base64url(hashlib.sha256(token.encode()).digest()[:16])


def base64url(raw: bytes) -> str:
    """Without padding, as JOSE writes it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
