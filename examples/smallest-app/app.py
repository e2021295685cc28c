"""The smallest honest app: it logs people in through the panel, says whom it sees and who really acts, and asks again.

One file, with httpx for requests and joserfc for signatures. Every check here is one that an app owes its people:
leave none out when you write your own. README.md says how to start it.
"""

import base64
import hashlib
import html
import json
import os
import secrets
import threading
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

PANEL = os.environ.get("PANEL", "http://localhost:8000")
ADDRESS = os.environ.get("ADDRESS", "http://localhost:9000")
CLIENT_ID = os.environ.get("CLIENT_ID", "smallest-app")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET", "")

ATTEMPT_LIVES, CLOCKS_DIFFER, TOKEN_LIVES, KEYS_REST = 600, 30, 300, 10
"""Seconds: to finish a login; between the panel's clock and ours; for which a logout token is new; between two looks
at the panel's keys."""
LOGGED_OUT = "http://schemas.openid.net/event/backchannel-logout"

Json = dict[str, Any]


class Refused(Exception):
    """Something does not hold. The sentence is for people."""


@dataclass
class Attempt:
    """A login under way: what its answer is held against."""

    browser: str
    nonce: str
    verifier: str
    begun: float


@dataclass
class Login:
    """Somebody is logged in. The tokens stay on this server."""

    sub: str
    sid: str
    id_token: str
    access_token: str
    expires_at: float
    refresh_token: str | None


class Panel:
    """The panel, as its client sees it."""

    def __init__(self) -> None:
        self.http = httpx.Client(trust_env=False, timeout=10)
        # Both are form-encoded before they are joined (RFC 6749 section 2.3.1).
        self.auth = (quote_plus(CLIENT_ID), quote_plus(CLIENT_SECRET))
        self.known: Json = {}
        self.keys, self.keys_read = KeySet([]), float("-inf")

    def address(self, endpoint: str) -> str:
        """An endpoint, from the discovery document."""
        if not self.known:
            self.known = self.http.get(f"{PANEL}/.well-known/openid-configuration").raise_for_status().json()
            if self.known["issuer"] != PANEL:
                raise Refused("The panel calls itself by another address.")
        return str(self.known[endpoint])

    def ask(self, endpoint: str, **form: str) -> Json:
        """Send a form as this client."""
        answer = self.http.post(self.address(endpoint), data=form, auth=self.auth)
        if answer.status_code == 429 or answer.status_code >= 500:
            # That the panel is away says nothing about a login.
            answer.raise_for_status()
        said: Json = answer.json() if answer.content else {}
        if answer.status_code != 200:
            raise Refused(str(said.get("error_description") or said.get("error") or answer.status_code))
        return said

    def read(self, token: str, kind: str) -> Json:
        """The claims of a token that the panel signed, of this kind, for this app, and not long ago."""
        must = jwt.JWTClaimsRegistry(
            leeway=CLOCKS_DIFFER,
            iss={"essential": True, "value": PANEL},
            aud={"essential": True, "value": CLIENT_ID},
            iat={"essential": True},
            exp={"essential": True},
        )
        try:
            said = jwt.decode(token, self.keys, algorithms=["ES256"])
        except (JoseError, ValueError):
            # Keys rotate. They are read again, but not as often as somebody sends a made-up token.
            self.read_keys()
        try:
            said = jwt.decode(token, self.keys, algorithms=["ES256"])
            must.validate(said.claims)
        except (JoseError, ValueError) as wrong:
            raise Refused("The token does not hold.") from wrong
        if said.header.get("typ") != kind:
            raise Refused("This is another kind of token.")
        return said.claims

    def read_keys(self) -> None:
        """The panel's public keys, as they are now."""
        if time.monotonic() - self.keys_read > KEYS_REST:
            self.keys_read = time.monotonic()
            self.keys = KeySet.import_key_set(self.http.get(self.address("jwks_uri")).raise_for_status().json())


panel = Panel()
attempts: dict[str, Attempt] = {}
"""By state."""
logins: dict[str, Login] = {}
"""By the secret in the browser's cookie."""
seen_tokens: dict[str, float] = {}
"""Logout tokens by jti, and when they came."""
lock = threading.RLock()
"""Two tabs must not refresh at once: a refresh token that is used twice ends the login."""


def begin(browser: str, now: float) -> str:
    """Where to send the browser: the authorization code flow with PKCE, state and nonce."""
    attempt = Attempt(browser, secrets.token_urlsafe(32), secrets.token_urlsafe(48), now)
    state = secrets.token_urlsafe(32)
    with lock:
        for old in [each for each, begun in attempts.items() if now - begun.begun > ATTEMPT_LIVES]:
            del attempts[old]
        attempts[state] = attempt
    challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
    question = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": f"{ADDRESS}/callback",
        "scope": "openid profile email",
        "state": state,
        "nonce": attempt.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{panel.address('authorization_endpoint')}?{urlencode(question)}"


def finish(browser: str, answer: dict[str, str], now: float) -> Login:
    """A login, from the panel's answer in the browser that asked."""
    with lock:
        attempt = attempts.pop(answer.get("state", ""), None)
    if attempt is None or attempt.browser != browser or now - attempt.begun > ATTEMPT_LIVES:
        raise Refused("This login was not begun here.")
    if answer.get("iss") != PANEL:
        raise Refused("This answer is not the panel's.")
    if "error" in answer:
        raise Refused(answer.get("error_description") or answer["error"])
    tokens = panel.ask(
        "token_endpoint",
        grant_type="authorization_code",
        code=answer.get("code", ""),
        redirect_uri=f"{ADDRESS}/callback",
        code_verifier=attempt.verifier,
    )
    claims = panel.read(tokens["id_token"], "JWT")
    if claims.get("nonce") != attempt.nonce:
        raise Refused("This ID token was made for another login.")
    until = now + tokens["expires_in"]
    refresh_token = tokens.get("refresh_token")
    return Login(claims["sub"], claims["sid"], tokens["id_token"], tokens["access_token"], until, refresh_token)


def whom_it_sees(browser: str, now: float) -> Json | None:
    """What the panel says of this browser's login at this moment; None when it is over, or there was none."""
    with lock:
        login = logins.get(browser)
        if login is None:
            return None
        try:
            if login.refresh_token and now > login.expires_at - CLOCKS_DIFFER:
                new = panel.ask("token_endpoint", grant_type="refresh_token", refresh_token=login.refresh_token)
                login.access_token, login.expires_at = new["access_token"], now + new["expires_in"]
                login.refresh_token = new["refresh_token"]
            facts = panel.ask("introspection_endpoint", token=login.access_token)
        except Refused:
            facts = {"active": False}
        if facts.get("active") is True and facts.get("sub") == login.sub:
            return facts
        logins.pop(browser, None)
        return None


def logged_out(token: str, now: float) -> None:
    """The panel says that a login is over (OpenID Connect Back-Channel Logout 1.0 section 2.6)."""
    claims = panel.read(token, "logout+jwt")
    tells = isinstance(claims.get("events"), dict) and LOGGED_OUT in claims["events"] and "nonce" not in claims
    if not tells or now - claims["iat"] > TOKEN_LIVES or not claims.get("sid") or not claims.get("jti"):
        raise Refused("This token tells of no logout.")
    with lock:
        for old in [jti for jti, came in seen_tokens.items() if now - came > 2 * TOKEN_LIVES]:
            del seen_tokens[old]
        if claims["jti"] in seen_tokens:
            raise Refused("This token was used before.")
        seen_tokens[claims["jti"]] = now
        for browser in [each for each, login in logins.items() if login.sid == claims["sid"]]:
            del logins[browser]


def shown(facts: Json | None) -> str:
    """The page."""
    if facts is None:
        return '<p>Nobody is logged in.</p><p><a href="/login">Log in</a></p>'
    lines = [f"You are seen as <b id=subject>{html.escape(str(facts.get('name')))}</b>"]
    if facts.get("extension"):
        lines[0] += f", extension {html.escape(facts['extension'])} at {html.escape(facts['tenant']['name'])}"
    if "act" in facts:
        lines.append(f"Really acting: <b id=actor>{html.escape(facts['act']['name'])}</b>")
    paragraphs = "".join(f"<p>{line}.</p>" for line in lines)
    return paragraphs + '<form method="post" action="/logout"><button>Log out</button></form>'


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Pages."""
        url, now, browser = urlsplit(self.path), time.time(), self.browser()
        try:
            if url.path == "/":
                self.say(200, shown(whom_it_sees(browser, now)))
            elif url.path == "/login":
                browser = browser or secrets.token_urlsafe(32)
                self.go(begin(browser, now), browser)
            elif url.path == "/callback":
                login = finish(browser, dict(parse_qsl(url.query)), now)
                with lock:
                    logins.pop(browser, None)
                    # A secret that nobody can have planted before.
                    fresh = secrets.token_urlsafe(32)
                    logins[fresh] = login
                self.go("/", fresh)
            else:
                self.say(404, "<p>There is no such page.</p>")
        except Refused as refused:
            self.say(400, f'<p>{html.escape(str(refused))}</p><p><a href="/">On</a></p>')
        except httpx.HTTPError:
            self.say(503, "<p>The panel does not answer. Try again shortly.</p>")

    def do_POST(self) -> None:
        """Log out, by the person or by the panel. The cookie is SameSite=Lax, so no other site can post with it."""
        size = self.headers.get("Content-Length", "")
        body = self.rfile.read(min(int(size), 20_000)).decode("utf-8", "replace") if size.isdigit() else ""
        try:
            if self.path == "/logout":
                with lock:
                    login = logins.pop(self.browser(), None)
                after = {"post_logout_redirect_uri": f"{ADDRESS}/", "client_id": CLIENT_ID}
                hint = {"id_token_hint": login.id_token} if login else {}
                self.go(f"{panel.address('end_session_endpoint')}?{urlencode(after | hint)}")
            elif self.path == "/backchannel-logout":
                logged_out(dict(parse_qsl(body)).get("logout_token", ""), time.time())
                self.say(200, "")
            else:
                self.say(404, "")
        except Refused as refused:
            said = json.dumps({"error": "invalid_request", "error_description": str(refused)})
            self.say(400, said, "application/json")
        except httpx.HTTPError:
            self.say(503, "")

    def browser(self) -> str:
        """The secret in this browser's cookie, or nothing."""
        try:
            crumb = SimpleCookie(self.headers.get("Cookie", "")).get("smallest")
        except CookieError:
            return ""
        return crumb.value if crumb else ""

    def say(self, status: int, body: str, kind: str = "text/html; charset=utf-8") -> None:
        """An answer that nobody keeps, with no script in it."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        # Chromium holds a form to this along redirects: logging out leads to the panel.
        self.send_header("Content-Security-Policy", f"default-src 'none'; form-action 'self' {PANEL}")
        self.end_headers()
        if kind.startswith("text/html") and body:
            body = f'<!DOCTYPE html><html lang="en"><title>The smallest app</title>{body}</html>'
        self.wfile.write(body.encode())

    def go(self, address: str, browser: str | None = None) -> None:
        """Lead on, with a cookie where there is one to set."""
        self.send_response(303)
        self.send_header("Location", address)
        if browser:
            safe = "; Secure" if ADDRESS.startswith("https://") else ""
            self.send_header("Set-Cookie", f"smallest={browser}; Path=/; HttpOnly; SameSite=Lax{safe}")
        self.end_headers()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing: addresses hold codes."""


if __name__ == "__main__":
    where = urlsplit(ADDRESS)
    with ThreadingHTTPServer(("127.0.0.1", where.port or 9000), Handler) as server:
        print(f"ready {ADDRESS}", flush=True)
        server.serve_forever()
