"""Authlib's client logs in as Pia bound to Dan: discovery, PKCE, its own checks of the ID token, refresh, the end."""

from dataclasses import dataclass
from typing import Any

import pytest
from authlib.integrations.base_client import BaseApp, OAuthError
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
from authlib.integrations.httpx_client import AsyncOAuth2Client

from tests.cast import Cast
from tests.relying_parties.browser import Browser, answer_in
from tests.relying_parties.conftest import CALLBACK, SOFTPHONE, Bound, expect_dan_acted_by_pia


class Party(AsyncOAuth2Mixin, AsyncOpenIDMixin, BaseApp):
    """Authlib's OpenID Connect client, without a web framework around it."""

    client_cls = AsyncOAuth2Client


@dataclass
class Softphone:
    """The softphone, built on Authlib."""

    party: Party
    tokens: dict[str, Any]
    claims: dict[str, Any]
    """What Authlib believed of the ID token."""

    async def endpoint(self, name: str) -> str:
        return str((await self.party.load_server_metadata())[name])

    def client(self) -> AsyncOAuth2Client:
        """An HTTP client that holds the tokens and authenticates as the softphone."""
        client: AsyncOAuth2Client = self.party.client_cls(
            self.party.client_id, self.party.client_secret, token=self.tokens, trust_env=False
        )
        return client

    async def userinfo(self) -> dict[str, Any]:
        return dict(await self.party.userinfo(token=self.tokens))

    async def refresh(self, refresh_token: str) -> dict[str, Any]:
        async with self.client() as client:
            return dict(await client.refresh_token(await self.endpoint("token_endpoint"), refresh_token=refresh_token))

    async def introspect(self, token: str) -> dict[str, Any]:
        async with self.client() as client:
            url = await self.endpoint("introspection_endpoint")
            answer = await client.introspect_token(url, token=token, token_type_hint="access_token")
            return dict(answer.json())

    async def revoke(self, token: str) -> int:
        async with self.client() as client:
            url = await self.endpoint("revocation_endpoint")
            answer = await client.revoke_token(url, token=token, token_type_hint="refresh_token")
            return int(answer.status_code)


async def log_in(issuer: str, secret: str, browser: Browser) -> Softphone:
    """One login through the browser, as Authlib's integrations do it."""
    party = Party(
        None,
        client_id=SOFTPHONE,
        client_secret=secret,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "trust_env": False},
    )
    question = await party.create_authorization_url(CALLBACK)
    answer = answer_in(browser.go(question["url"], CALLBACK))
    assert (answer["state"], answer["iss"]) == (question["state"], issuer)
    tokens = await party.fetch_access_token(
        CALLBACK, code=answer["code"], state=answer["state"], code_verifier=question["code_verifier"]
    )
    claims = await party.parse_id_token(tokens, nonce=question["nonce"], leeway=0)
    return Softphone(party, dict(tokens), dict(claims))


@pytest.fixture
async def softphone(issuer: str, bound: Bound, pias_browser: Browser) -> Softphone:
    return await log_in(issuer, bound.cast.secrets[SOFTPHONE], pias_browser)


async def test_authlib_sees_dan_and_that_pia_acts(softphone: Softphone, cast: Cast) -> None:
    expect_dan_acted_by_pia(softphone.claims, cast)
    expect_dan_acted_by_pia(await softphone.userinfo(), cast)
    facts = await softphone.introspect(softphone.tokens["access_token"])
    assert facts["active"] is True
    expect_dan_acted_by_pia(facts, cast)


async def test_refreshing_rotates_and_stays_dan(softphone: Softphone, cast: Cast) -> None:
    spent = softphone.tokens["refresh_token"]
    renewed = await softphone.refresh(spent)
    assert renewed["refresh_token"] != spent
    assert renewed["access_token"] != softphone.tokens["access_token"]
    expect_dan_acted_by_pia(await softphone.introspect(renewed["access_token"]), cast)


async def test_a_spent_refresh_token_ends_the_family(softphone: Softphone) -> None:
    spent = softphone.tokens["refresh_token"]
    renewed = await softphone.refresh(spent)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await softphone.refresh(spent)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await softphone.refresh(renewed["refresh_token"])
    assert (await softphone.introspect(renewed["access_token"]))["active"] is False


async def test_releasing_the_binding_ends_the_login(softphone: Softphone, bound: Bound) -> None:
    await bound.release()
    assert await softphone.introspect(softphone.tokens["access_token"]) == {"active": False}
    with pytest.raises(OAuthError, match="invalid_grant"):
        await softphone.refresh(softphone.tokens["refresh_token"])


async def test_after_the_release_pia_is_herself(
    issuer: str, softphone: Softphone, bound: Bound, pias_browser: Browser
) -> None:
    await bound.release()
    again = await log_in(issuer, bound.cast.secrets[SOFTPHONE], pias_browser)
    assert again.claims["sub"] == str(bound.cast.membership_id("Pia"))
    assert again.claims["extension"] == "100"
    assert "act" not in again.claims
    assert "stand_in" not in again.claims


async def test_revoking_ends_the_login(softphone: Softphone) -> None:
    assert await softphone.revoke(softphone.tokens["refresh_token"]) == 200
    assert (await softphone.introspect(softphone.tokens["access_token"]))["active"] is False
