"""Tokens that only the holder of a key can use (RFC 9449): given and shown with a proof, and no bearer."""

import asyncio
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from bindings.apps import App
from tests.cast import house_work
from tests.control.openid.opening import GRANT, open_as
from tests.control.openid.story import ISSUER, VERIFIER, Client, Panel, app_of, told

KEY, OTHERS = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
TOKEN = f"{ISSUER}/oauth/token"


class Holder:
    """An app that holds a key besides whatever it proves itself by."""

    def __init__(self, panel: Panel, client: Client) -> None:
        self.panel, self.client, self.count = panel, client, 0

    def proof(
        self,
        url: str = TOKEN,
        method: str = "POST",
        *,
        token: str | None = None,
        key: Any = KEY,
        header: dict[str, Any] | None = None,
        **said: Any,
    ) -> str:
        """A good one, but for what is said; None leaves a claim out."""
        self.count += 1
        usual: dict[str, Any] = {"htm": method, "htu": url, "iat": int(self.panel.clock.now.timestamp())}
        usual["jti"] = f"proof {self.count}"
        if token is not None:
            usual["ath"] = urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=").decode()
        claims = {name: value for name, value in (usual | said).items() if value is not None}
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)} | (header or {})
        return jwt.encode(head, claims, key, algorithms=[head["alg"]])

    async def ask(self, proof: str | None, path: str = "/oauth/token", /, **form: str) -> httpx.Response:
        """The token endpoint or another, with a proof or without."""
        if proof is not None:
            self.client.http.headers["dpop"] = proof
        try:
            return await self.client.post(path, **form)
        finally:
            self.client.http.headers.pop("dpop", None)

    async def redeem(self, code: str, proof: str | None) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.client.redirect_uri}
        return await self.ask(proof, code_verifier=VERIFIER, **form)

    async def renew(self, refresh: str, proof: str | None) -> httpx.Response:
        return await self.ask(proof, grant_type="refresh_token", refresh_token=refresh)

    async def log_in(self, name: str = "Pia") -> dict[str, Any]:
        """Tokens that are bound to the key."""
        code = await self.client.code(await self.panel.sign_in(name))
        answer = await self.redeem(code, self.proof())
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def show(
        self, token: str, proof: str | None, scheme: str = "DPoP", path: str = "/oauth/userinfo"
    ) -> httpx.Response:
        """A door that an access token opens."""
        headers = {"Authorization": f"{scheme} {token}"} | ({"DPoP": proof} if proof else {})
        return await self.client.http.get(path, headers=headers)


@pytest.fixture
def holder(panel: Panel, softphone: Client) -> Holder:
    return Holder(panel, softphone)


async def test_a_proof_at_the_token_endpoint_binds_the_tokens(holder: Holder) -> None:
    tokens = await holder.log_in()
    assert tokens["token_type"] == "DPoP"
    bound = {"jkt": KEY.thumbprint()}
    assert (await holder.client.read(tokens["access_token"]))["cnf"] == bound
    said = await holder.client.introspect(tokens["access_token"])
    assert (said["active"], said["cnf"], said["token_type"]) == (True, bound, "DPoP")
    assert "cnf" not in await holder.client.read(tokens["id_token"])


async def test_who_sends_none_has_bearers_as_before(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    assert tokens.answer["token_type"] == "Bearer"
    assert "cnf" not in await softphone.introspect(tokens.access)


async def test_a_bound_token_is_shown_with_its_keys_proof(holder: Holder) -> None:
    token = (await holder.log_in())["access_token"]
    for path, status in (("/oauth/userinfo", 200), ("/oauth/acting", 204)):
        proof = holder.proof(ISSUER + path, "GET", token=token)
        assert (await holder.show(token, proof, path=path)).status_code == status
        again = await holder.show(token, proof, path=path)
        assert (again.status_code, again.json()["error"]) == (401, "invalid_dpop_proof")
        assert again.headers["www-authenticate"].startswith("DPoP ")


async def test_a_bound_token_is_no_bearer_and_a_bearer_no_bound_one(panel: Panel, holder: Holder) -> None:
    token = (await holder.log_in())["access_token"]
    for proof in (None, holder.proof(f"{ISSUER}/oauth/userinfo", "GET", token=token)):
        answer = await holder.show(token, proof, "Bearer")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    for path in ("/oauth/userinfo", "/oauth/acting"):
        form = {"access_token": token, "event": "seen"}
        assert (await holder.client.http.post(path, data=form)).status_code == 401, path
    free = (await holder.client.log_in(await panel.sign_in("Pia"))).access
    answer = await holder.show(free, holder.proof(f"{ISSUER}/oauth/userinfo", "GET", token=free))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


async def test_what_is_wrong_with_a_proof_at_a_door(holder: Holder) -> None:
    token, here = (await holder.log_in())["access_token"], f"{ISSUER}/oauth/userinfo"
    wrong: list[tuple[str | None, str]] = [
        (None, "invalid_dpop_proof"),
        (holder.proof(here, "GET"), "invalid_dpop_proof"),
        (holder.proof(here, "GET", token="another"), "invalid_dpop_proof"),
        (holder.proof(here, "POST", token=token), "invalid_dpop_proof"),
        (holder.proof(TOKEN, "GET", token=token), "invalid_dpop_proof"),
        (holder.proof(here, "GET", token=token, key=OTHERS), "invalid_token"),
    ]
    for proof, error in wrong:
        answer = await holder.show(token, proof)
        assert (answer.status_code, answer.json()["error"]) == (401, error)
    assert (await holder.show(token, holder.proof(f"{here}?a=b#c", "GET", token=token))).status_code == 200


async def test_what_is_wrong_with_a_proof_at_the_token_endpoint(panel: Panel, holder: Holder) -> None:
    now = int(panel.clock.now.timestamp())
    code = await holder.client.code(await panel.sign_in("Pia"))
    wrong = [
        holder.proof(header={"typ": "JWT"}),
        holder.proof(header={"jwk": OTHERS.as_dict(private=False)}),
        holder.proof(header={"jwk": KEY.as_dict(private=True)}),
        holder.proof(header={"jwk": {"kty": "EC"}}),
        holder.proof(key=OctKey.generate_key(256), header={"alg": "HS256"}),
        holder.proof(method="GET"),
        holder.proof(url=f"{ISSUER}/oauth/revoke"),
        holder.proof(url="https://evil.example/oauth/token"),
        holder.proof(iat=now - 61),
        holder.proof(iat=now + 61),
        holder.proof(iat=None),
        holder.proof(iat="now"),
        holder.proof(jti=None),
        holder.proof(jti="x" * 501),
        holder.proof(htu=None),
        holder.proof(htm=None),
        "x",
        "eyJhbGciOiJub25lIn0.e30.",
    ]
    for number, proof in enumerate(wrong):
        answer = await holder.redeem(code, proof)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof"), number
    two = [("dpop", holder.proof()), ("dpop", holder.proof())]
    answer = await holder.client.http.post("/oauth/token", headers=two, data={"client_id": "softphone"})
    assert answer.status_code in {400, 401}
    assert (await holder.redeem(code, holder.proof())).status_code == 200


async def test_a_proof_is_good_once_of_twenty_that_come(panel: Panel, holder: Holder) -> None:
    pia = await panel.sign_in("Pia")
    proof, codes = holder.proof(), [await holder.client.code(pia) for _ in range(20)]
    holder.client.http.headers["dpop"] = proof
    answers = await asyncio.gather(*(holder.client.redeem(code) for code in codes))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 19]


async def test_a_refresh_stays_bound(holder: Holder) -> None:
    tokens = await holder.log_in()
    without = await holder.renew(tokens["refresh_token"], None)
    assert (without.status_code, without.json()["error"]) == (400, "invalid_dpop_proof")
    renewed = await holder.renew(tokens["refresh_token"], holder.proof())
    assert renewed.json()["token_type"] == "DPoP"
    # An app with a secret may come with a newer key: it proves itself by that secret as well.
    other = await holder.renew(renewed.json()["refresh_token"], holder.proof(key=OTHERS))
    assert (await holder.client.introspect(other.json()["access_token"]))["cnf"] == {"jkt": OTHERS.thumbprint()}


async def test_of_an_app_without_a_secret_the_refresh_is_the_keys_own(panel: Panel) -> None:
    holder = Holder(panel, await app_of(panel, "Acme", "web-phone", kind="spa"))
    tokens = await holder.log_in()
    stolen = await holder.renew(tokens["refresh_token"], holder.proof(key=OTHERS))
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert (await holder.renew(tokens["refresh_token"], holder.proof())).status_code == 200


async def test_an_app_may_have_all_its_tokens_bound(panel: Panel, holder: Holder) -> None:
    async with house_work(panel.store, panel.clock.now) as session:
        app = await session.get_one(App, panel.cast.app_id("softphone"))
        await app.change(session, dpop=True)
    code = await holder.client.code(await panel.sign_in("Pia"))
    without = await holder.redeem(code, None)
    assert (without.status_code, without.json()["error"]) == (400, "invalid_dpop_proof")
    assert (await holder.redeem(code, holder.proof())).json()["token_type"] == "DPoP"


async def test_a_code_that_was_asked_for_with_a_key_is_for_its_holder_alone(panel: Panel, holder: Holder) -> None:
    pia = await panel.sign_in("Pia")
    for proof, error in ((None, "invalid_dpop_proof"), (holder.proof(key=OTHERS), "invalid_grant")):
        code = await holder.client.code(pia, dpop_jkt=KEY.thumbprint())
        assert (await holder.redeem(code, proof)).json()["error"] == error
        # Whoever has the code and not the key gets one guess.
        assert (await holder.redeem(code, holder.proof())).json()["error"] == "invalid_grant"
    code = await holder.client.code(pia, dpop_jkt=KEY.thumbprint())
    assert (await holder.redeem(code, holder.proof())).json()["token_type"] == "DPoP"
    for wrong in ("x", "x" * 44, "é" * 43):
        assert told(await holder.client.ask(pia, dpop_jkt=wrong))["error"] == "invalid_request"


async def test_a_proof_at_the_door_for_pushed_requests_names_the_key(panel: Panel, holder: Holder) -> None:
    async def push(proof: str | None, **more: str) -> httpx.Response:
        fields = {name: value for name, value in holder.client.fields(**more).items() if name != "client_id"}
        return await holder.ask(proof, "/oauth/par", **fields)

    here, pia = f"{ISSUER}/oauth/par", await panel.sign_in("Pia")
    for more in ({}, {"dpop_jkt": KEY.thumbprint()}):
        pushed = await push(holder.proof(here), **more)
        asked = {"client_id": "softphone", "request_uri": pushed.json()["request_uri"]}
        code = told(await pia.get("/oauth/authorize", params=asked))["code"]
        assert (await holder.redeem(code, holder.proof(key=OTHERS))).json()["error"] == "invalid_grant"
    for proof in (holder.proof(), holder.proof(here, "GET"), holder.proof(here, key=OTHERS)):
        answer = await push(proof, dpop_jkt=KEY.thumbprint())
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


async def test_what_a_hand_off_opens_is_bound_too(panel: Panel, holder: Holder) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    answer = await holder.ask(holder.proof(), grant_type=GRANT, handoff=opened.code)
    token = answer.json()["access_token"]
    assert answer.json()["token_type"] == "DPoP"
    assert (await holder.show(token, None, "Bearer", "/oauth/acting")).status_code == 401
    proof = holder.proof(f"{ISSUER}/oauth/acting", "GET", token=token)
    assert (await holder.show(token, proof, path="/oauth/acting")).json()["subject"]["name"] == "Bea Bell"


async def test_a_page_may_send_its_proof(panel: Panel) -> None:
    await app_of(panel, "Acme", "web-phone", kind="spa", uris=["https://phone.example/callback"])
    asked = {"Origin": "https://phone.example", "Access-Control-Request-Headers": "dpop"}
    answer = await panel.browser().options("/oauth/token", headers=asked)
    assert "DPoP" in answer.headers["access-control-allow-headers"]
