"""Rate limits: what one credential may ask in a minute, and how often a network may be wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from bindings.apps import App
from control import rate_limits
from control.commands.doctor import in_force
from control.rate_limits import Quotas, Windows
from control.settings import Settings, Unusable
from tenants.api_keys import SCOPES, ApiKey
from tenants.people import find_membership
from tenants.roles import Role
from tenants.service_accounts import ServiceAccount
from tenants.store import Store
from tenants.tree import find_tenant
from tests.cast import Cast, Clock, work_as
from tests.control.pages.visit import PANEL
from tests.one_app import app_of

OFFICE, ELSEWHERE = "192.0.2.7", "192.0.2.8"
ME = "/api/v1/me"


@dataclass
class Gate:
    """The panel where three requests of a credential, and two refusals of a network, are all there is in a minute."""

    app: Litestar
    store: Store
    cast: Cast
    clock: Clock

    async def key(self, name: str) -> str:
        """A key of somebody's."""
        async with work_as(self.store, self.cast.actor(name), self.clock.now) as session:
            membership = await find_membership(session, self.cast.membership_id(name))
            return (await ApiKey.make(session, membership, "story", list(SCOPES), 90, self.clock.now))[1]

    async def send(
        self, method: str, path: str, key: str | None = None, *, at: str = OFFICE, **more: Any
    ) -> httpx.Response:
        """One request, from a network."""
        app: Any = self.app
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(at, 4000)), base_url=PANEL) as client:
            return await client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    async def introspect(self, client_id: str, secret: str | None = None, *, at: str = OFFICE) -> httpx.Response:
        """An app asks what something is worth that is no token."""
        auth = (client_id, secret or self.cast.secrets[client_id])
        return await self.send("POST", "/oauth/introspect", at=at, data={"token": "x"}, auth=auth)


@pytest.fixture
def gate(store: Store, cast: Cast, clock: Clock, tmp_path: Path) -> Gate:
    url = str(store.url)
    settings = Settings(url, url, tmp_path, PANEL, b"nobody's", quotas=Quotas(key=3, app=3, network=2))
    return Gate(app_of(settings, store, clock), store, cast, clock)


def left(answer: httpx.Response) -> str:
    return answer.headers["RateLimit"]


async def test_a_key_counts_down_is_held_back_and_goes_on_a_minute_later(gate: Gate) -> None:
    olaf, opal = await gate.key("Olaf"), await gate.key("Opal")
    answers = [await gate.send("GET", ME, olaf) for _ in range(3)]
    assert [left(each) for each in answers] == ['"key";r=2;t=60', '"key";r=1;t=60', '"key";r=0;t=60']
    assert {each.headers["RateLimit-Policy"] for each in answers} == {'"key";q=3;w=60'}
    gate.clock.pass_(seconds=20)
    held = await gate.send("GET", ME, olaf)
    assert (held.status_code, held.headers["content-type"]) == (429, "application/problem+json")
    assert (held.json()["rule"], held.headers["Retry-After"], left(held)) == ("throttled", "40", '"key";r=0;t=40')
    assert (await gate.send("GET", ME, opal)).status_code == 200
    gate.clock.pass_(seconds=40)
    assert left(await gate.send("GET", ME, olaf)) == '"key";r=2;t=60'


async def test_who_asked_too_much_can_still_stop(gate: Gate) -> None:
    pia = await gate.key("Pia")
    body = {"user": gate.cast.user("Pia").id, "extension": gate.cast.extension("Dairy", "101").id}
    made = await gate.send("POST", "/api/v1/bindings", pia, json=body)
    assert [(await gate.send("GET", ME, pia)).status_code for _ in range(3)] == [200, 200, 429]
    assert (await gate.send("DELETE", f"/api/v1/bindings/{made.json()['id']}", pia)).status_code == 204


async def test_a_flood_of_wrong_keys_holds_back_the_unknown_and_asks_nothing_of_the_database(gate: Gate) -> None:
    olaf, opal = await gate.key("Olaf"), await gate.key("Opal")
    await gate.send("GET", ME, olaf)
    wrong = [await gate.send("GET", ME, f"understudy_wrong{number}") for number in range(2)]
    assert [(each.status_code, left(each)) for each in wrong] == [
        (401, '"network";r=1;t=60'),
        (401, '"network";r=0;t=60'),
    ]
    assert (await gate.send("GET", ME, olaf)).status_code == 200, "who was right before does not wait"
    assert (await gate.send("GET", ME, opal, at=ELSEWHERE)).status_code == 200
    house = gate.app.state.house
    there, house.store = house.store, None
    for path in (ME, "/scim/v2/Users", "/api/public/coworkers/profiles"):
        held = await gate.send("GET", path, "understudy_wrong")
        assert (held.status_code, held.headers["Retry-After"]) == (429, "60")
    assert held.json()["rule"] == "throttled"
    assert (await gate.send("POST", "/api/sys/users/exchange", json={"token": "x"})).status_code == 429
    assert (await gate.introspect("softphone", "wrong")).status_code == 429
    house.store = there
    gate.clock.pass_(seconds=60)
    assert (await gate.send("GET", ME, opal)).status_code == 200


async def test_scim_says_it_in_its_own_words(gate: Gate) -> None:
    for _ in range(3):
        held = await gate.send("GET", "/scim/v2/Users", "understudy_wrong")
    assert (held.status_code, held.json()["status"]) == (429, "429")
    assert held.headers["content-type"].startswith("application/scim+json")


async def test_a_key_that_is_revoked_is_a_strangers_from_then_on(gate: Gate) -> None:
    olaf = await gate.key("Olaf")
    await gate.send("GET", ME, olaf)
    async with work_as(gate.store, gate.cast.actor("Olaf"), gate.clock.now) as session:
        for key in await session.scalars(sa.select(ApiKey)):
            await key.revoke(session, gate.clock.now)
    answers = [await gate.send("GET", ME, olaf) for _ in range(3)]
    assert [each.status_code for each in answers] == [401, 401, 429]


async def test_apps_are_counted_each_for_itself(gate: Gate) -> None:
    answers = [await gate.introspect("softphone") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert [left(each)[:9] for each in answers] == ['"app";r=2', '"app";r=1', '"app";r=0', '"app";r=0']
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert (await gate.introspect("desk-client")).status_code == 200
    assert (await gate.introspect("softphone", "wrong")).status_code == 401


async def test_nobody_uses_up_a_public_app_for_other_networks(gate: Gate) -> None:
    form = {"client_id": "no-such-app", "grant_type": "refresh_token", "refresh_token": "x"}
    assert [(await gate.send("POST", "/oauth/token", data=form)).status_code for _ in range(4)] == [401, 401, 429, 429]
    assert (await gate.send("POST", "/oauth/token", data=form, at=ELSEWHERE)).status_code == 401


async def test_an_id_without_a_secret_is_counted_in_each_network_however_it_is_shown(gate: Gate) -> None:
    async with work_as(gate.store, gate.cast.actor("Ada"), gate.clock.now) as session:
        acme = await find_tenant(session, gate.cast.tenant("Acme").id)
        uris = ["https://spa.example/callback"]
        await App.register(
            session,
            gate.cast.actor("Ada"),
            acme,
            name="Page",
            redirect_uris=uris,
            now=gate.clock.now,
            client_id="page",
            kind="spa",
        )
    form = {"grant_type": "refresh_token", "refresh_token": "x"}

    async def ask(at: str) -> int:
        return (await gate.send("POST", "/oauth/token", at=at, data=form, auth=("page", ""))).status_code

    assert [await ask(OFFICE) for _ in range(4)] == [400, 400, 400, 429]
    assert [await ask(ELSEWHERE) for _ in range(4)] == [400, 400, 400, 429]


async def test_all_tokens_of_a_service_account_count_together(gate: Gate) -> None:
    actor, now = gate.cast.actor("Boris"), gate.clock.now
    async with work_as(gate.store, actor, now) as session:
        bakery = await find_tenant(session, gate.cast.tenant("Bakery").id)
        account, secret = await ServiceAccount.make(session, actor, bakery, "Till", Role.ADMIN, ["read"], now)
    form, tokens = {"grant_type": "client_credentials"}, []
    for _ in range(2):
        given = await gate.send("POST", "/oauth/token", data=form, auth=(account.client_id, secret))
        tokens.append(given.json()["access_token"])
    asked = [await gate.send("GET", ME, each) for each in (*tokens, *tokens)]
    assert [each.status_code for each in asked] == [200, 200, 200, 429]


async def test_pages_have_no_such_headers(gate: Gate) -> None:
    assert "RateLimit" not in (await gate.send("GET", "/sign-in")).headers


NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_without_a_limit_nothing_is_counted() -> None:
    assert Windows("key", 0).take("somebody", NOW) is None


def test_it_keeps_so_many_in_mind_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MOST", 10)
    windows, limits = Windows("key", 3), rate_limits.RateLimits(Quotas())
    for number in range(30):
        windows.take(f"key {number}", NOW)
        limits.learn(f"secret {number}", f"key {number}")
    assert windows.look("key 0", NOW) is None
    assert windows.look("key 29", NOW) is not None
    assert [limits.known(f"secret {number}") for number in (0, 29)] == [None, "key 29"]


def test_a_limit_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="UNDERSTUDY_RATE_LIMIT_APPS"):
        Settings.load({"UNDERSTUDY_DATA_DIR": str(tmp_path), "UNDERSTUDY_RATE_LIMIT_APPS": "many"})


def test_the_doctor_says_that_it_is_one_workers_share(tmp_path: Path) -> None:
    settings = Settings("postgresql://x", "postgresql://x", tmp_path, PANEL, b"x", workers=4, quotas=Quotas(network=0))
    said = in_force(settings)
    assert said["UNDERSTUDY_RATE_LIMIT"] == "6000 a minute, in each of 4 workers"
    assert said["UNDERSTUDY_RATE_LIMIT_STRANGERS"] == "none"
