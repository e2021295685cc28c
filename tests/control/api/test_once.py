"""Idempotency keys: one effect for one key, told again without secrets."""

import asyncio

import sqlalchemy as sa

from tenants.teams import Team
from tests.cast import house_work
from tests.conftest import ON_BOTH
from tests.control.api.conftest import API, Api, doors


async def teams_named(api: Api, name: str) -> int:
    async with house_work(api.store) as session:
        return len((await session.scalars(sa.select(Team).where(Team.name == name))).all())


async def test_the_same_request_is_done_once_and_answered_alike(api: Api) -> None:
    boris, body = await api.as_("Boris"), {"tenant": api.cast.tenant("Bakery").id, "name": "Ovens"}
    first, second = [await boris.post("/teams", body, once="ovens-1") for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await teams_named(api, "Ovens") == 1


async def test_the_key_of_another_request_is_refused(api: Api) -> None:
    boris, bakery = await api.as_("Boris"), api.cast.tenant("Bakery").id
    await boris.post("/teams", {"tenant": bakery, "name": "Ovens"}, once="ovens-1")
    other = await boris.post("/teams", {"tenant": bakery, "name": "Shop"}, once="ovens-1")
    assert (other.status_code, other.json()["rule"]) == (409, "idempotency")
    assert await teams_named(api, "Shop") == 0


async def test_two_people_may_use_the_same_key(api: Api) -> None:
    boris, clara = await api.as_("Boris"), await api.as_("Clara")
    await boris.post("/teams", {"tenant": api.cast.tenant("Bakery").id, "name": "Ovens"}, once="1")
    hers = await clara.post("/teams", {"tenant": api.cast.tenant("Clinic").id, "name": "Nurses"}, once="1")
    assert hers.json()["name"] == "Nurses"


async def test_a_refusal_is_not_kept(api: Api) -> None:
    boris = await api.as_("Boris")
    body = {"phone_system": api.cast.phone_system_id("Bakery"), "number": "203"}
    assert (await boris.post("/extensions", body, once="203")).status_code == 422
    await boris.post(f"/extensions/{api.cast.extension('Bakery', '203').id}/discard")
    assert (await boris.post("/extensions", body, once="203")).status_code == 201


async def test_a_replay_leaves_the_secret_out(api: Api) -> None:
    olaf = await api.as_("Olaf")
    body = {"name": "Oak Phone", "redirect_uris": ["https://phone.oak.example/callback"]}
    first, again = [await olaf.post("/apps", body, once="app") for _ in range(2)]
    secret = first.json().pop("client_secret")
    assert "client_secret" not in again.json()
    assert again.json()["id"] == first.json()["id"]
    async with house_work(api.store) as session:
        kept = (await session.execute(sa.text("SELECT body FROM idempotent_answers"))).scalars().all()
    assert secret not in str(kept)


async def test_a_delete_is_answered_again_too(api: Api) -> None:
    pia = await api.as_("Pia")
    body = {"user": api.cast.user("Pia").id, "extension": api.cast.extension("Dairy", "101").id}
    made = (await pia.post("/bindings", body)).json()["id"]
    assert [(await pia.delete(f"/bindings/{made}", once="gone")).status_code for _ in range(2)] == [204, 204]


@ON_BOTH
async def test_ten_at_once_have_one_effect(api: Api) -> None:
    boris, body = await api.as_("Boris"), {"tenant": api.cast.tenant("Bakery").id, "name": "Ovens"}
    answers = await asyncio.gather(*(boris.post("/teams", body, once="at-once") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await teams_named(api, "Ovens") == 1


async def test_a_key_that_is_none_is_named(api: Api) -> None:
    boris, body = await api.as_("Boris"), {"tenant": api.cast.tenant("Bakery").id, "name": "Ovens"}
    for key in ("", "x" * 201):
        refused = await boris.post("/teams", body, once=key)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_every_change_of_the_api_is_done_once(api: Api) -> None:
    """But for digits: a wrong guess must count each time, whatever key came with it."""
    for method, path, handler in doors(api.app):
        if method != "GET" and path != f"{API}/consents/digits":
            assert hasattr(handler.fn, "__wrapped__"), (method, path)
