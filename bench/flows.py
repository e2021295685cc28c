"""The measured operations, the same for every OpenID provider: a code flow, an introspection, a binding before it."""

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet

from bench.load import Answer, BadAnswer, Connection

VERIFIER = "the-verifier-of-a-measured-login-is-long-enough"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
FORM = "application/x-www-form-urlencoded"
STATE, NONCE = "the-state", "the-nonce"


@dataclass
class CodeFlow:
    """Authorize with a cookie, then redeem the code. `id_tokens` are kept, to be verified after the run."""

    client_id: str
    client_secret: str
    redirect_uri: str
    scope: str
    cookie: str
    subject: str
    actor: str | None = None
    authorize: str = "/oauth/authorize"
    token: str = "/oauth/token"
    id_tokens: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where the browser is sent."""
        question = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": STATE,
            "nonce": NONCE,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return f"{self.authorize}?{urlencode(question)}"

    @property
    def credentials(self) -> str:
        """The app's, as HTTP Basic."""
        return "Basic " + base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()

    @property
    def form_headers(self) -> dict[str, str]:
        """Of a form that the app sends."""
        return {"Authorization": self.credentials, "Content-Type": FORM}

    async def __call__(self, connection: Connection) -> None:
        await self.log_in(connection)

    async def log_in(self, connection: Connection) -> dict[str, Any]:
        """The whole flow; gives the token endpoint's answer."""
        answer = await connection.ask("GET", self.path, {"Cookie": self.cookie})
        form = {
            "grant_type": "authorization_code",
            "code": self.code_in(answer),
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
        }
        answer = await connection.ask("POST", self.token, self.form_headers, urlencode(form))
        tokens: dict[str, Any] = json.loads(expect(answer, 200).body)
        self.id_tokens.append(tokens["id_token"])
        return tokens

    def code_in(self, answer: Answer) -> str:
        """The code of a redirect to the app."""
        place = answer.headers.get("location", "")
        said = parse_qs(urlsplit(place).query)
        if not place.startswith(self.redirect_uri) or said.get("state") != [STATE] or "code" not in said:
            raise BadAnswer(f"no code: {answer.status} {place} {answer.body[:300]!r}")
        return said["code"][0]

    def verify(self, keys: KeySet) -> int:
        """Check every identity token that was given, and forget them; says how many. Raises BadAnswer."""
        for text in self.id_tokens:
            claims = jwt.decode(text, keys, algorithms=["ES256"]).claims
            actor = claims.get("act", {}).get("sub")
            if (claims["sub"], claims["nonce"], actor) != (self.subject, NONCE, self.actor):
                raise BadAnswer(f"a login of {self.subject} by {self.actor} said {claims}")
        count = len(self.id_tokens)
        self.id_tokens.clear()
        return count


@dataclass
class Introspection:
    """Ask what tokens are worth, one after another; all are live, of this subject and actor."""

    path: str
    headers: dict[str, str]
    tokens: Iterator[str]
    subject: str
    actor: str

    @classmethod
    def of(cls, path: str, flow: CodeFlow, tokens: list[str], actor: str) -> "Introspection":
        """Of tokens that a flow gave."""
        return cls(path, flow.form_headers, itertools.cycle(tokens), flow.subject, actor)

    async def __call__(self, connection: Connection) -> None:
        answer = await connection.ask("POST", self.path, self.headers, urlencode({"token": next(self.tokens)}))
        said = json.loads(expect(answer, 200).body)
        if not said["active"] or said["sub"] != self.subject or said["act"]["sub"] != self.actor:
            raise BadAnswer(f"introspection said {said}")


@dataclass
class BindAndLogIn:
    """Bind over the API, then log in as the other."""

    key: str
    user_id: int
    extension_id: int
    flow: CodeFlow

    async def bind(self, connection: Connection) -> None:
        """A binding to the extension; what was bound before ends."""
        wanted = {"user": self.user_id, "extension": self.extension_id, "reason": "A measured binding"}
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        expect(await connection.ask("POST", "/api/v1/bindings", headers, json.dumps(wanted)), 201)

    async def __call__(self, connection: Connection) -> None:
        await self.bind(connection)
        await self.flow.log_in(connection)


def expect(answer: Answer, status: int) -> Answer:
    """The answer, if it is the one that there has to be. Raises BadAnswer."""
    if answer.status != status:
        raise BadAnswer(f"{answer.status} {answer.body[:500]!r}")
    return answer
