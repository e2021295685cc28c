"""Clients that somebody else wrote: the demo's own and Authlib's, each with the checks it makes by itself."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client

from bindings.binding import find_binding
from demo.provider import Provider
from demo.refusals import LoginEndedError
from demo.relying_party import Registration, RelyingParty
from tests.cast import bind, work_as
from tests.control.openid.story import ISSUER, NONCE, VERIFIER, Client, Panel, told

HOME = "http://softphone.localhost:8001/"


async def test_the_demos_client_logs_in_refreshes_sees_a_release_and_logs_out(panel: Panel, softphone: Client) -> None:
    binding_id = await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    pia, now = await panel.sign_in("Pia"), panel.clock.now.timestamp()
    secret = panel.cast.secrets["softphone"]
    party = RelyingParty(
        Registration("softphone", secret, softphone.redirect_uri, HOME), Provider(ISSUER, panel.browser())
    )
    where, attempt = await party.begin(now)
    login = await party.finish(attempt, told(await pia.get(where)), now)
    assert (await party.introspect(login, now))["name"] == "Dan Dale"
    login = await party.refresh(login, now)
    where, attempt = await party.begin(now, silent_for=login.subject)
    assert (await party.finish(attempt, told(await pia.get(where)), now)).subject == login.subject
    actor = panel.cast.actor("Pia")
    async with work_as(panel.store, actor) as session:
        await (await find_binding(session, binding_id)).release(session, actor, panel.clock.now)
    with pytest.raises(LoginEndedError):
        await party.introspect(login, now)
    with pytest.raises(LoginEndedError):
        await party.refresh(login, now)
    answer = await pia.get(await party.logout_url(login, "left", now))
    assert answer.headers["location"] == f"{HOME}?state=left"


async def test_authlibs_client_logs_in_refreshes_asks_and_gives_back(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    pia = await panel.sign_in("Pia")
    known = (await panel.browser().get("/.well-known/openid-configuration")).json()
    app: Any = panel.app
    async with AsyncOAuth2Client(
        "softphone",
        panel.cast.secrets["softphone"],
        scope="openid profile email",
        redirect_uri=softphone.redirect_uri,
        code_challenge_method="S256",
        transport=httpx.ASGITransport(app),
    ) as client:
        where, state = client.create_authorization_url(
            known["authorization_endpoint"], code_verifier=VERIFIER, nonce=NONCE
        )
        answer = await pia.get(where)
        assert dict(parse_qsl(urlsplit(answer.headers["location"]).query))["state"] == state
        token = await client.fetch_token(
            known["token_endpoint"], authorization_response=answer.headers["location"], code_verifier=VERIFIER
        )
        person = (await client.get(known["userinfo_endpoint"])).json()
        assert (person["name"], person["act"]["name"]) == ("Dan Dale", "Pia Pine")
        renewed = await client.refresh_token(known["token_endpoint"], refresh_token=token["refresh_token"])
        asked = await client.introspect_token(known["introspection_endpoint"], token=renewed["access_token"])
        assert asked.json()["active"] is True
        await client.revoke_token(known["revocation_endpoint"], token=renewed["refresh_token"])
        asked = await client.introspect_token(known["introspection_endpoint"], token=renewed["access_token"])
        assert asked.json() == {"active": False}
