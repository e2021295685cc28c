"""idpyoidc's client, which shares no code with Authlib or with us, logs in as Pia bound to Dan."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from cryptojwt import KeyJar
from idpyoidc.client.defaults import DEFAULT_OIDC_SERVICES
from idpyoidc.client.exception import OidcServiceError
from idpyoidc.client.rp_handler import RPHandler

from tests.cast import Cast
from tests.relying_parties.browser import Browser, answer_in
from tests.relying_parties.conftest import CALLBACK, SOFTPHONE, Bound, expect_dan_acted_by_pia

PKCE = {
    "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
    "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
}
INTROSPECTION = {"class": "idpyoidc.client.oauth2.introspection.Introspection"}


@dataclass
class Softphone:
    """The softphone, built on idpyoidc. Its calls wait for the network: they run in threads."""

    handler: RPHandler
    issuer: str
    state: str
    claims: dict[str, Any]
    """What idpyoidc believed of the ID token."""
    userinfo: dict[str, Any]

    @property
    def client(self) -> Any:
        return self.handler.issuer2rp[self.issuer]

    def token(self, kind: str) -> str:
        """The access or refresh token that it holds now."""
        return str(self.client.get_context().cstate.get_set(self.state, claim=[kind])[kind])

    async def refresh(self) -> None:
        """Exchange the refresh token that it holds."""
        await asyncio.to_thread(self.client.refresh_access_token, self.state)

    async def introspect(self) -> dict[str, Any]:
        answer = await asyncio.to_thread(
            self.client.do_request,
            "introspection",
            request_args={"token": self.token("access_token")},
            authn_method="client_secret_basic",
            state=self.state,
        )
        return dict(answer.to_dict())


def handler_for(issuer: str, secret: str) -> RPHandler:
    """The library's own door to one issuer."""
    registration = {
        "client_type": "oidc",
        "issuer": issuer,
        "client_id": SOFTPHONE,
        "client_secret": secret,
        "redirect_uris": [CALLBACK],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "client_authn_methods": ["client_secret_basic", "bearer_header"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "add_ons": {"pkce": PKCE},
    }
    services = DEFAULT_OIDC_SERVICES | {"introspection": INTROSPECTION}
    return RPHandler(
        base_url="http://softphone.localhost:8001",
        client_configs={issuer: registration},
        services=services,
        keyjar=KeyJar(),
    )


async def log_in(issuer: str, secret: str, browser: Browser) -> Softphone:
    """One login through the browser: begin, and finalize with the answer."""
    handler = handler_for(issuer, secret)
    question = await asyncio.to_thread(handler.begin, issuer)
    answer = answer_in(browser.go(question, CALLBACK))
    done = await asyncio.to_thread(handler.finalize, issuer, answer)
    assert "error" not in done, done
    return Softphone(handler, issuer, done["state"], done["id_token"].to_dict(), done["userinfo"].to_dict())


@pytest.fixture
async def softphone(issuer: str, bound: Bound, pias_browser: Browser) -> Softphone:
    return await log_in(issuer, bound.cast.secrets[SOFTPHONE], pias_browser)


async def test_idpyoidc_sees_dan_and_that_pia_acts(softphone: Softphone, cast: Cast) -> None:
    expect_dan_acted_by_pia(softphone.claims, cast)
    expect_dan_acted_by_pia(softphone.userinfo, cast)
    facts = await softphone.introspect()
    assert facts["active"] is True
    expect_dan_acted_by_pia(facts, cast)


async def test_refreshing_rotates_and_stays_dan(softphone: Softphone, cast: Cast) -> None:
    spent = softphone.token("refresh_token")
    await softphone.refresh()
    assert softphone.token("refresh_token") != spent
    expect_dan_acted_by_pia(await softphone.introspect(), cast)


async def test_releasing_the_binding_ends_the_login(softphone: Softphone, bound: Bound) -> None:
    await bound.release()
    assert (await softphone.introspect())["active"] is False
    with pytest.raises(OidcServiceError, match="invalid_grant"):
        await softphone.refresh()


async def test_after_the_release_pia_is_herself(
    issuer: str, softphone: Softphone, bound: Bound, pias_browser: Browser
) -> None:
    await bound.release()
    again = await log_in(issuer, bound.cast.secrets[SOFTPHONE], pias_browser)
    assert again.claims["sub"] == str(bound.cast.membership_id("Pia"))
    assert again.claims["extension"] == "100"
    assert "act" not in again.claims
