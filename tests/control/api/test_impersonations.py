"""Impersonations through the API: a program opens somebody at an app, and whoever may ends it."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from bindings.apps import App
from bindings.impersonation import MANY, Impersonation
from tenants.actor import Actor
from tenants.api_keys import SCOPES
from tenants.people import Membership, User
from tenants.roles import Role
from tenants.trail import Entry
from tenants.tree import Kind, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, WHY, house_work
from tests.conftest import ON_BOTH
from tests.control.api.conftest import Api, Program
from tests.control.api.test_token_api import exchanged

PATH = "/impersonations"


def body(api: Api, name: str, at: str, **more: Any) -> dict[str, Any]:
    return {"membership": api.cast.membership_id(name, at=at), "reason": WHY, "app": "softphone"} | more


async def started(program: Program, api: Api, name: str = "Bea", at: str = "Bakery", **more: Any) -> dict[str, Any]:
    answer = await program.post(PATH, body(api, name, at, **more))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def rows(api: Api) -> list[Impersonation]:
    async with house_work(api.store, api.clock.now) as session:
        return list(await session.scalars(sa.select(Impersonation).order_by(Impersonation.id)))


async def entries(api: Api, *verbs: Verb) -> list[Entry]:
    async with house_work(api.store, api.clock.now) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb.in_(verbs)).order_by(Entry.id)))


def rule(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["rule"]


async def test_olaf_opens_the_softphone_as_bea_and_ends_it(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = await started(olaf, api, mode="look", ticket="T-7")
    assert made["handoff_url"].startswith("http://softphone.localhost:8001/acting#handoff=")
    assert made["user"] == {"id": api.cast.user("Olaf").id, "name": "Olaf Olsen", "email": "olaf@oak.example"}
    assert made["subject"] == {"id": api.cast.membership_id("Bea"), "name": "Bea Bell"}
    assert (made["tenant"]["name"], made["app"], made["mode"], made["kind"]) == (
        "Bakery",
        "softphone",
        "look",
        "impersonation",
    )
    assert (made["reason"], made["ticket"], made["ended_at"]) == (WHY, "T-7", None)
    assert made["ends_at"] == (NOW + timedelta(minutes=20)).isoformat().replace("+00:00", "Z")
    shown = (await olaf.get(f"{PATH}/{made['id']}")).json()
    assert shown == {name: value for name, value in made.items() if name != "handoff_url"}
    assert (await olaf.delete(f"{PATH}/{made['id']}")).status_code == 204
    over = (await olaf.get(f"{PATH}/{made['id']}")).json()
    assert (over["ended_cause"], over["ended_at"]) == ("stopped", "2026-11-21T09:00:00Z")
    assert (await olaf.delete(f"{PATH}/{made['id']}")).status_code == 409


async def test_lists_tell_what_goes_on_and_what_is_over(api: Api) -> None:
    olaf, opal = await api.as_("Olaf"), await api.as_("Opal")
    first = await started(olaf, api)
    second = await started(opal, api, "Cora", "Clinic")
    found = (await olaf.get(PATH)).json()
    assert [each["id"] for each in found["items"]] == [second["id"], first["id"]]
    assert "handoff_url" not in found["items"][0]
    assert [each["id"] for each in (await olaf.get(f"{PATH}?q=cora")).json()["items"]] == [second["id"]]
    page = (await olaf.get(f"{PATH}?limit=1")).json()
    following = (await olaf.get(f"{PATH}?limit=1&cursor={page['next']}")).json()
    assert [page["items"][0]["id"], following["items"][0]["id"]] == [second["id"], first["id"]]
    assert (await olaf.get(f"{PATH}?discarded=true")).json()["items"] == []
    # A tab that was never opened is over by itself, before anybody has written so.
    api.clock.pass_(minutes=3)
    assert (await olaf.get(PATH)).json()["items"] == []
    over = (await olaf.get(f"{PATH}?discarded=true")).json()["items"]
    assert {each["ended_cause"] for each in over} == {"tab_closed"}


@pytest.mark.parametrize(
    ("who", "sees"), [("Boris", True), ("Bea", True), ("Nora", True), ("Clara", False), ("Dan", False), ("Elsa", False)]
)
async def test_b14_who_sees_it(api: Api, who: str, sees: bool) -> None:
    made = await started(await api.as_("Olaf"), api)
    reader = await api.as_(who)
    assert len((await reader.get(PATH)).json()["items"]) == sees
    assert (await reader.get(f"{PATH}/{made['id']}")).status_code == (200 if sees else 404)


async def test_who_is_out_of_reach_has_the_name_of_then_and_no_address(api: Api) -> None:
    made = await started(await api.as_("Olaf"), api)
    shown = (await (await api.as_("Bea")).get(f"{PATH}/{made['id']}")).json()
    assert shown["user"] == {"id": api.cast.user("Olaf").id, "name": "Olaf Olsen", "email": None}


@pytest.mark.parametrize(
    ("who", "status", "cause"),
    [
        ("Bea", 204, "ended_by_subject"),
        ("Boris", 204, "ended_by_admin"),
        ("Ada", 204, "ended_by_admin"),
        ("Opal", 403, None),
        ("Amos", 403, None),
        ("Ben", 404, None),
        ("Clara", 404, None),
        ("Elsa", 404, None),
    ],
)
async def test_b6_t21_who_ends_it(api: Api, who: str, status: int, cause: str | None) -> None:
    made = await started(await api.as_("Olaf"), api)
    answer = await (await api.as_(who)).delete(f"{PATH}/{made['id']}")
    assert answer.status_code == status
    assert [row.ended_cause for row in await rows(api)] == [cause]


async def test_t6_a_key_ends_what_its_own_person_began_and_no_number_makes_it_anothers(api: Api) -> None:
    olafs = await started(await api.as_("Olaf"), api)
    zoes = await started(await api.as_("Pia"), api, "Dan", "Dairy")
    pia = await api.as_("Pia")
    assert (await pia.delete(f"{PATH}/{olafs['id']}")).status_code == 404
    assert (await pia.delete(f"{PATH}/{zoes['id']}")).status_code == 204
    assert [row.ended_cause for row in await rows(api)] == [None, "stopped"]


@pytest.mark.parametrize(
    ("who", "name", "at", "status", "named"),
    [
        ("Olaf", "Zoe", "Zoo", 404, "reach"),
        ("Olaf", "Dan", "Dairy", 404, "reach"),
        ("Olaf", "Nora", "North", 404, "reach"),
        ("Opal", "Olaf", "Oak", 403, "rank"),
        ("Olaf", "Olaf", "Oak", 422, "self"),
        ("Bruno", "Boris", "Bakery", 403, "permission"),
        ("Bea", "Ben", "Bakery", 403, "permission"),
        ("Amos", "Bea", "Bakery", 403, "permission"),
    ],
)
async def test_t2_t3_t7_b12_who_is_refused(api: Api, who: str, name: str, at: str, status: int, named: str) -> None:
    program = await api.as_(who)
    assert rule(await program.post(PATH, body(api, name, at))) == (status, named)
    assert await rows(api) == []


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"app": None}, "app"),
        ({"app": ""}, "app"),
        ({"reason": "short"}, "reason"),
        ({"reason": ""}, "reason"),
        ({"mode": "admin"}, "mode"),
    ],
)
async def test_t12_what_is_missing_is_named(api: Api, said: dict[str, Any], field: str) -> None:
    olaf = await api.as_("Olaf")
    answer = await olaf.post(PATH, body(api, "Bea", "Bakery") | said)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    if field == "app":
        assert "In the panel itself one starts from a page." in answer.json()["detail"]
    assert await rows(api) == []


async def test_t5_nobody_says_in_whose_name(api: Api) -> None:
    olaf = await api.as_("Olaf")
    for forged in ("actor", "adminUserId", "user", "ends_at", "ttl"):
        answer = await olaf.post(PATH, body(api, "Bea", "Bakery") | {forged: 1})
        assert answer.status_code == 422
    assert await rows(api) == []


async def test_an_app_that_bea_or_the_panel_cannot_open_starts_nothing(api: Api) -> None:
    olaf = await api.as_("Olaf")
    assert rule(await olaf.post(PATH, body(api, "Ben", "Bakery", app="desk-admin"))) == (403, "not_admin")
    assert rule(await olaf.post(PATH, body(api, "Boris", "Bakery"))) == (403, "no_extension")
    assert (await olaf.post(PATH, body(api, "Bea", "Bakery", app="nowhere"))).status_code in {404, 422}
    made = {"tenant": api.cast.tenant("Oak").id, "name": "Plain", "redirect_uris": ["https://plain.example/"]}
    plain = (await olaf.post("/apps", made)).json()
    assert rule(await olaf.post(PATH, body(api, "Bea", "Bakery", app=plain["client_id"]))) == (409, "handoff")
    assert await rows(api) == []


async def test_b21_a_key_proves_no_second_factor(api: Api) -> None:
    """Whoever holds a key may have a second factor; the key did not use it."""
    async with house_work(api.store) as session:
        bakery = await session.get_one(Tenant, api.cast.tenant("Bakery").id)
        await bakery.change(session, policy_second_factor=1)
    olaf = await api.as_("Olaf")
    assert rule(await olaf.post(PATH, body(api, "Bea", "Bakery"))) == (403, "policy")
    assert await rows(api) == []


async def test_the_scope_is_asked_for(api: Api) -> None:
    without = await api.as_("Olaf", scopes=tuple(scope for scope in SCOPES if scope != "stand_in"))
    assert rule(await without.post(PATH, body(api, "Bea", "Bakery"))) == (403, "scope")
    made = await started(await api.as_("Olaf"), api)
    assert rule(await without.delete(f"{PATH}/{made['id']}")) == (403, "scope")
    assert (await without.get(PATH)).status_code == 200


async def test_t28_an_exchanged_token_starts_nothing(api: Api) -> None:
    boris = await exchanged(api, subject="Boris")
    assert (await boris.post(PATH, body(api, "Bea", "Bakery"))).status_code in {403, 409}
    assert [row.kind for row in await rows(api)] == ["token"]


async def test_t20_a_new_one_ends_the_one_that_goes_on(api: Api) -> None:
    olaf = await api.as_("Olaf")
    await started(olaf, api)
    await started(olaf, api, "Cora", "Clinic")
    assert [row.ended_cause for row in await rows(api)] == ["replaced", None]


async def test_the_same_request_again_starts_once_and_tells_no_code_again(api: Api) -> None:
    olaf = await api.as_("Olaf")
    first = await olaf.post(PATH, body(api, "Bea", "Bakery"), once="k1")
    again = await olaf.post(PATH, body(api, "Bea", "Bakery"), once="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert "handoff_url" in first.json()
    assert "handoff_url" not in again.json()
    assert len(await rows(api)) == 1


@ON_BOTH
async def test_t19_of_six_starts_at_once_one_goes_on(api: Api) -> None:
    olaf = await api.as_("Olaf")
    subjects = [("Bea", "Bakery"), ("Cora", "Clinic")] * 3
    answers = await asyncio.gather(*(olaf.post(PATH, body(api, *each)) for each in subjects))
    assert [answer.status_code for answer in answers] == [201] * 6
    assert sorted((row.ended_cause for row in await rows(api)), key=str) == [None] + ["replaced"] * 5


@ON_BOTH
async def test_ended_by_six_at_once_one_is_told_so_and_it_is_written_once(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = await started(olaf, api)
    answers = await asyncio.gather(*(olaf.delete(f"{PATH}/{made['id']}") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409, 409, 409]
    assert len(await entries(api, Verb.IMPERSONATION_STOPPED, Verb.IMPERSONATION_ENDED)) == 1


async def test_t14_programs_raise_the_alarm_too(api: Api) -> None:
    async with house_work(api.store) as session:
        oak = await session.get_one(Tenant, api.cast.tenant("Oak").id)
        bea = await session.get_one(User, api.cast.user("Bea").id)
        joined = []
        for each in range(MANY):
            shop = await Tenant.found(session, oak, Kind.CUSTOMER, f"Shop {each}", None, NOW)
            joined.append((await Membership.create(session, Actor.house("story"), bea, shop, Role.MEMBER, NOW)).id)
    olaf = await api.as_("Olaf")
    made = {"tenant": api.cast.tenant("Oak").id, "name": "Help", "redirect_uris": ["https://help.example/"]}
    app = (await olaf.post("/apps", made | {"handoff_uri": "https://help.example/acting"})).json()
    async with house_work(api.store) as session:
        # Of the house's own, so that nobody's consent is asked.
        await (await session.get_one(App, app["id"])).change(session, first_party=True)
    for membership in joined:
        said = {"membership": membership, "reason": WHY, "app": app["client_id"]}
        assert (await olaf.post(PATH, said)).status_code == 201
    assert len(await entries(api, Verb.MANY_COMPANIES)) == 1


@pytest.mark.parametrize(("name", "at", "named"), [("Bea", "Bakery", None), ("Boris", "Bakery", "permission")])
async def test_explain_answers_as_the_start_does(api: Api, name: str, at: str, named: str | None) -> None:
    bruno = await api.as_("Bruno")
    pair = f"actor={api.cast.membership_id('Bruno')}&subject={api.cast.membership_id(name, at=at)}"
    said = (await bruno.get(f"/explain?{pair}&act=impersonate&reason=long+enough+here")).json()
    assert (said["allowed"], said["rule"]) == (named is None, named)
    begun = await bruno.post(PATH, body(api, name, at))
    assert begun.status_code == (201 if named is None else 403)
