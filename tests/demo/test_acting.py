"""A demo app opened as somebody else in a tab of its own: only its own page, only a stand-in, nothing kept."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from demo.app import make_apps
from tests.demo.tiny_provider import ISSUER, PIA_ACTS, TinyProvider, transport_to

SOFTPHONE = "http://softphone.localhost:8001"
ENDS_AT = "1970-01-12T14:06:40+00:00"
"""Twenty minutes after the tiny provider's now."""


@pytest.fixture
def panel() -> TinyProvider:
    panel = TinyProvider(gives_refresh_tokens=False, handoff="the-code")
    panel.claims |= PIA_ACTS | {"stand_in": {"kind": "impersonation", "id": "7", "ends_at": ENDS_AT, "mode": "look"}}
    return panel


@pytest.fixture
def apps(panel: TinyProvider) -> Litestar:
    secrets = {"softphone": "1", "desk-client": "2", "desk-admin": "3"}
    clock = lambda: panel.now  # noqa: E731
    return make_apps(issuer=ISSUER, port=8001, client_secrets=secrets, clock=clock, transport=panel.transport())


@pytest.fixture
def tab(apps: Litestar) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=transport_to(apps), base_url=SOFTPHONE, headers={"Origin": SOFTPHONE})


async def opened(tab: httpx.AsyncClient) -> str:
    """The token that the page gets for its code."""
    answer = await tab.post("/acting/handoff", data={"handoff": "the-code"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def look(tab: httpx.AsyncClient, token: str) -> httpx.Response:
    return await tab.get("/acting/seen", headers={"Authorization": f"Bearer {token}"})


async def test_t59_the_page_says_nothing_to_others_and_is_not_kept(tab: httpx.AsyncClient) -> None:
    page = await tab.get("/acting")
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert f'data-issuer="{ISSUER}"' in page.text
    assert "set-cookie" not in page.headers
    script = await tab.get(page.text.partition(' type="module" src="')[2].partition('"')[0])
    assert script.headers["content-type"].startswith("text/javascript")
    assert "history.replaceState" in script.text
    # Nothing inline: the policy would not run it.
    assert page.text.count("<script") == 1


async def test_the_code_is_exchanged_with_the_apps_secret(tab: httpx.AsyncClient, panel: TinyProvider) -> None:
    token = await opened(tab)
    assert token == panel.access_token
    (form,) = panel.forms("/oauth/token")
    assert form == {"grant_type": "urn:understudy:handoff", "handoff": "the-code"}
    again = await tab.post("/acting/handoff", data={"handoff": "the-code"})
    assert again.status_code == 400
    assert "access_token" not in again.text


@pytest.mark.parametrize("origin", ["http://desk-client.localhost:8001", "https://evil.example", "null", None])
async def test_only_the_apps_own_page_brings_a_code(
    tab: httpx.AsyncClient, panel: TinyProvider, origin: str | None
) -> None:
    del tab.headers["origin"]
    headers = {"Origin": origin} if origin else {}
    answer = await tab.post("/acting/handoff", data={"handoff": "the-code"}, headers=headers)
    assert answer.status_code == 403
    assert panel.forms("/oauth/token") == []


async def test_the_page_shows_both_people_and_the_time_left(tab: httpx.AsyncClient, panel: TinyProvider) -> None:
    token = await opened(tab)
    panel.now += 90
    seen = (await look(tab, token)).json()
    assert (seen["name"], seen["actor"], seen["extension"], seen["tenant"]) == ("Dan Dale", "Pia Pine", "101", "Dairy")
    assert (seen["mode"], seen["seconds_left"]) == ("look", 20 * 60 - 90)


async def test_an_ended_one_is_seen_to_end_at_the_next_look(tab: httpx.AsyncClient, panel: TinyProvider) -> None:
    token = await opened(tab)
    panel.active = False
    answer = await look(tab, token)
    assert (answer.status_code, "Dan" in answer.text) == (401, False)
    for wrong in ("", "made-up"):
        assert (await look(tab, wrong)).status_code == 401
    assert (await tab.get("/acting/seen")).status_code == 401


@pytest.mark.parametrize("change", [{"act": None}, {"aud": "desk-client"}, {"iss": "https://evil.example"}])
async def test_what_is_no_stand_in_for_this_app_is_not_believed(
    tab: httpx.AsyncClient, panel: TinyProvider, change: dict[str, Any]
) -> None:
    panel.id_token_changes |= change
    answer = await tab.post("/acting/handoff", data={"handoff": "the-code"})
    assert answer.status_code == 400
    assert "access_token" not in answer.text


async def test_one_that_could_be_refreshed_is_not_believed(tab: httpx.AsyncClient, panel: TinyProvider) -> None:
    panel.gives_refresh_tokens = True
    answer = await tab.post("/acting/handoff", data={"handoff": "the-code"})
    assert answer.status_code == 400


async def test_a_token_of_ones_own_login_shows_nothing_here(tab: httpx.AsyncClient, panel: TinyProvider) -> None:
    token = await opened(tab)
    del panel.claims["act"]
    assert (await look(tab, token)).status_code == 401


async def test_a_panel_that_is_away_ends_nothing(tab: httpx.AsyncClient, panel: TinyProvider) -> None:
    token = await opened(tab)
    panel.dead = True
    assert (await look(tab, token)).status_code == 503
    panel.dead = False
    assert (await look(tab, token)).status_code == 200


async def test_the_apps_own_login_stays_beside_it(tab: httpx.AsyncClient) -> None:
    await opened(tab)
    assert "Log in" in (await tab.get("/")).text
