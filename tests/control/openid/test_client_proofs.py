"""An app proves itself by a key of its own (RFC 7523): what is checked, once each, and that no secret helps it."""

import asyncio
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from bindings.apps import App, known_client
from bindings.client_proofs import JWT_BEARER
from tests.cast import house_work
from tests.control.openid.story import ISSUER, Client, Panel, app_of

KEY = ECKey.generate_key("P-256", {"kid": "one"})
OTHERS = ECKey.generate_key("P-256", {"kid": "one"})


def public(*keys: Any) -> dict[str, Any]:
    """A key set as an app registers it."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


class Prover:
    """An app that holds a key and no secret."""

    def __init__(self, panel: Panel, client: Client) -> None:
        self.panel, self.client, self.count = panel, client, 0

    def assertion(self, *, key: Any = KEY, alg: str = "ES256", kid: str | None = "one", **said: Any) -> str:
        """A good one, but for what is said; None leaves a claim out."""
        self.count += 1
        now = int(self.panel.clock.now.timestamp())
        name = self.client.client_id
        usual = {"iss": name, "sub": name, "aud": ISSUER, "iat": now, "exp": now + 300, "jti": f"{name} {self.count}"}
        claims = {each: value for each, value in (usual | said).items() if value is not None}
        return jwt.encode({"alg": alg} | ({"kid": kid} if kid else {}), claims, key, algorithms=[alg])

    async def post(self, path: str, assertion: str | None = None, **form: str) -> httpx.Response:
        """A form that shows an assertion."""
        proof = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion or self.assertion()}
        return await self.client.http.post(path, data=proof | form)


@pytest.fixture
async def prover(panel: Panel) -> Prover:
    return Prover(panel, await app_of(panel, "Acme", "calendar", jwks=public(KEY)))


async def test_an_app_logs_somebody_in_without_any_secret(panel: Panel, prover: Prover) -> None:
    code = await prover.client.code(await panel.sign_in("Pia"))
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": prover.client.redirect_uri,
        "code_verifier": "the-verifier-of-a-story-which-is-long-enough",
    }
    tokens = await prover.post("/oauth/token", **form)
    assert tokens.status_code == 200, tokens.text
    access = tokens.json()["access_token"]
    assert (await prover.post("/oauth/introspect", token=access)).json()["active"] is True
    assert (await prover.post("/oauth/revoke", token=access)).status_code == 200
    assert (await prover.post("/oauth/introspect", token=access)).json() == {"active": False}
    renewed = await prover.post(
        "/oauth/token", grant_type="refresh_token", refresh_token=tokens.json()["refresh_token"]
    )
    assert renewed.status_code == 200
    pushed = {name: value for name, value in prover.client.fields().items() if name != "client_id"}
    assert (await prover.post("/oauth/par", **pushed)).status_code == 201


async def test_the_audience_is_the_issuer_or_the_door(prover: Prover) -> None:
    for audience in (ISSUER, f"{ISSUER}/oauth/token", f"{ISSUER}/oauth/introspect", ["https://else.example", ISSUER]):
        answer = await prover.post("/oauth/introspect", prover.assertion(aud=audience), token="x")
        assert answer.json() == {"active": False}, audience


async def test_what_is_wrong_with_one_is_told_in_one_word(prover: Prover) -> None:
    now = int(prover.panel.clock.now.timestamp())
    wrong: list[dict[str, Any]] = [
        {"iss": "softphone"},
        {"sub": "softphone"},
        {"iss": None},
        {"aud": "https://else.example"},
        {"aud": None},
        {"aud": f"{ISSUER}/"},
        {"exp": now},
        {"exp": now + 3600},
        {"exp": None},
        {"exp": "soon"},
        {"iat": now + 3600},
        {"nbf": now + 3600},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 501},
        {"jti": 7},
        {"key": OTHERS},
        {"kid": "another"},
        {"key": RSAKey.generate_key(2048), "alg": "RS256"},
        {"key": OctKey.import_key("a secret that is long enough to sign"), "alg": "HS256"},
    ]
    for each in wrong:
        answer = await prover.post("/oauth/introspect", prover.assertion(**each), token="x")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), each
    for text in ("x", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "....", "é"):
        answer = await prover.post("/oauth/introspect", text, token="x")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), text


async def test_an_assertion_is_good_once_of_twenty_that_come(prover: Prover) -> None:
    assertion = prover.assertion()
    answers = await asyncio.gather(*(prover.post("/oauth/introspect", assertion, token="x") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 19]


async def test_two_ways_at_once_are_none(prover: Prover) -> None:
    answer = await prover.post("/oauth/introspect", token="x", client_secret="made up")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    proof = {"client_assertion_type": JWT_BEARER, "client_assertion": prover.assertion(), "token": "x"}
    answer = await prover.client.http.post("/oauth/introspect", data=proof, auth=("calendar", "made up"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = await prover.client.http.post("/oauth/introspect", data=proof | {"client_assertion_type": "else"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = await prover.post("/oauth/introspect", token="x", client_id="softphone")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_where_an_app_has_a_key_its_secret_opens_nothing(prover: Prover) -> None:
    assert prover.client.secret is not None
    answer = await prover.client.post("/oauth/introspect", token="x")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    answer = await prover.client.http.post("/oauth/introspect", data={"client_id": "calendar", "token": "x"})
    assert answer.status_code == 401


async def test_where_an_app_has_no_key_nothing_that_is_signed_opens(panel: Panel, softphone: Client) -> None:
    answer = await Prover(panel, softphone).post("/oauth/introspect", token="x")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_several_keys_and_the_other_algorithms(panel: Panel, prover: Prover) -> None:
    rsa, edwards = RSAKey.generate_key(2048), OKPKey.generate_key("Ed25519")
    async with house_work(panel.store, panel.clock.now) as session:
        app = await session.get_one(App, await _id_of(panel, "calendar"))
        await app.change(session, jwks=public(KEY, rsa, edwards))
    for key, alg in ((rsa, "RS256"), (edwards, "EdDSA"), (edwards, "Ed25519"), (KEY, "ES256")):
        answer = await prover.post("/oauth/introspect", prover.assertion(key=key, alg=alg, kid=None), token="x")
        assert answer.status_code == 200, alg


async def _id_of(panel: Panel, client_id: str) -> int:
    async with panel.store.hot.connect() as connection:
        app = await known_client(connection, client_id)
    assert app is not None
    return app.id
