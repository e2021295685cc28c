"""Somebody who binds, logs in, refreshes and releases without a pause, and notes what was acknowledged."""

import base64
import hashlib
import json
import random
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tenants.credentials import digest
from tests.kills.acks import Bound, Ledger, LoggedIn, Refreshed, Released

CALLBACKS = {name: f"http://{name}.localhost:8001/callback" for name in ("softphone", "desk-client")}
"""The apps to log in to, as the cast is seeded. Nobody listens there."""


class Surprise(AssertionError):
    """The panel answered something that it must not answer, kill or no kill."""


@dataclass(frozen=True)
class Target:
    """Somebody to be bound to."""

    extension_id: int
    membership_id: int


@dataclass
class Worker:
    """One of the cast, with an API key and a sign-in of their own."""

    user_id: int
    membership_id: int
    targets: list[Target]
    key: str
    cookies: dict[str, str]
    client_secrets: dict[str, str]
    chance: random.Random
    ledger: Ledger
    cut_off: int = 0
    """Requests that a kill left without an answer."""

    async def work(self, address: str) -> None:
        """Go on until the panel is gone."""
        async with httpx.AsyncClient(base_url=address, cookies=self.cookies, trust_env=False, timeout=30) as http:
            try:
                while True:
                    await self.one_story(http)
            except httpx.ConnectError:
                return
            except httpx.TransportError:
                self.cut_off += 1

    async def one_story(self, http: httpx.AsyncClient) -> None:
        """Bind, log in as the other, refresh a few times, and mostly release."""
        target = self.chance.choice(self.targets)
        binding_id = await self.bind(http, target)
        app = self.chance.choice(sorted(CALLBACKS))
        tokens = await self.log_in(http, app, target, binding_id)
        for _ in range(self.chance.randrange(3)):
            tokens = await self.refresh(http, app, tokens)
        if self.chance.random() < 0.7:
            await self.release(http, binding_id)
            await self.expect_over(http, app, tokens)

    async def bind(self, http: httpx.AsyncClient, target: Target) -> int:
        wanted = {"user": self.user_id, "extension": target.extension_id, "reason": "A story about kills"}
        answer = await http.post("/api/v1/bindings", json=wanted, headers=self.bearer())
        binding_id = int(expect(answer, 201).json()["id"])
        self.ledger.note(Bound(binding_id, self.user_id, target.extension_id))
        return binding_id

    async def release(self, http: httpx.AsyncClient, binding_id: int) -> None:
        expect(await http.delete(f"/api/v1/bindings/{binding_id}", headers=self.bearer()), 204)
        self.ledger.note(Released(binding_id))

    async def log_in(self, http: httpx.AsyncClient, app: str, target: Target, binding_id: int) -> dict[str, Any]:
        verifier = secrets.token_urlsafe(48)
        code = await self.ask_for_code(http, app, verifier)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACKS[app],
            "code_verifier": verifier,
        }
        tokens = await self.ask_for_tokens(http, app, form)
        claims = payload(tokens["id_token"])
        if claims["sub"] != str(target.membership_id) or claims["act"]["sub"] != str(self.membership_id):
            raise Surprise(f"a login bound to {target} gave {claims}")
        self.ledger.note(
            LoggedIn(
                claims["sid"], target.membership_id, self.membership_id, binding_id, digest(tokens["refresh_token"])
            )
        )
        return tokens

    async def ask_for_code(self, http: httpx.AsyncClient, app: str, verifier: str) -> str:
        question = {
            "response_type": "code",
            "client_id": app,
            "redirect_uri": CALLBACKS[app],
            "scope": "openid profile email",
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        answer = await http.get("/oauth/authorize", params=question)
        said = parse_qs(urlsplit(answer.headers.get("location", "")).query)
        if "code" not in said:
            raise Surprise(f"no code: {answer.status_code} {answer.headers.get('location')} {answer.text[:500]}")
        return str(said["code"][0])

    async def refresh(self, http: httpx.AsyncClient, app: str, tokens: dict[str, Any]) -> dict[str, Any]:
        spent = tokens["refresh_token"]
        fresh = await self.ask_for_tokens(http, app, {"grant_type": "refresh_token", "refresh_token": spent})
        sid = payload(fresh["access_token"])["sid"]
        self.ledger.note(Refreshed(sid, digest(spent), digest(fresh["refresh_token"])))
        return fresh

    async def expect_over(self, http: httpx.AsyncClient, app: str, tokens: dict[str, Any]) -> None:
        """Released is released: the very next question says so."""
        form = {"token": tokens["access_token"]}
        answer = await http.post("/oauth/introspect", data=form, auth=(app, self.client_secrets[app]))
        if expect(answer, 200).json() != {"active": False}:
            raise Surprise(f"active after the release: {answer.text}")

    async def ask_for_tokens(self, http: httpx.AsyncClient, app: str, form: dict[str, str]) -> dict[str, Any]:
        answer = await http.post("/oauth/token", data=form, auth=(app, self.client_secrets[app]))
        tokens: dict[str, Any] = expect(answer, 200).json()
        return tokens

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def expect(answer: httpx.Response, status: int) -> httpx.Response:
    """The answer, if it is the one that there has to be."""
    if answer.status_code != status:
        raise Surprise(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:500]}")
    return answer


def payload(token: str) -> dict[str, Any]:
    """What a token says; its signature is another test's business."""
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def challenge(verifier: str) -> str:
    """RFC 7636, section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
