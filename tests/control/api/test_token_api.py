"""The token API of the fifth document: a minute to exchange, twenty to use, once, and both names on everything."""

import asyncio
import base64
import json
from typing import Any

import pytest
import sqlalchemy as sa

from bindings.impersonation import TOKEN, Impersonation
from tenants.people import Membership, User
from tenants.protections import tighten
from tenants.roles import Role
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import house_work, impersonate
from tests.conftest import ON_BOTH
from tests.control.api.conftest import Api, Program

MINT = "/api/sys/users/impersonate"
EXCHANGE = "/api/sys/users/exchange"
PROFILES = "/api/public/coworkers/profiles"


def spoken(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said


async def minted(api: Api, who: str = "Olaf", subject: str = "Bea", at: str | None = None) -> str:
    number = api.cast.membership_id(subject, at=at)
    answer = await (await api.as_(who)).get(f"{MINT}?coworkerId={number}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


async def exchanged(api: Api, who: str = "Olaf", subject: str = "Bea", at: str | None = None) -> Program:
    answer = await api.stranger.post(EXCHANGE, {"token": await minted(api, who, subject, at)})
    assert answer.status_code == 200, answer.text
    return Program(api.client, answer.json()["access_token"])


async def stand_ins(api: Api) -> list[Impersonation]:
    async with house_work(api.store, api.clock.now) as session:
        return list(await session.scalars(sa.select(Impersonation).order_by(Impersonation.id)))


async def test_olaf_mints_exchanges_and_is_bea(api: Api) -> None:
    """Both flows as written: a token, then a bearer that is the member."""
    answer = await (await api.as_("Olaf")).get(f"{MINT}?coworkerId={api.cast.membership_id('Bea')}")
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()["token"]
    assert list(answer.json()) == ["token"]
    assert spoken(token)["exp"] - spoken(token)["iat"] == 60
    given = await api.stranger.post(EXCHANGE, {"token": token})
    assert given.headers["cache-control"] == "no-store"
    bearer = given.json()
    assert (bearer["token_type"], bearer["expires_in"]) == ("Bearer", 1200)
    me = (await Program(api.client, bearer["access_token"]).get("/me")).json()
    assert (me["user"]["name"], me["tenant"]["name"], me["role"]) == ("Bea Bell", "Bakery", "member")


async def test_the_bearer_names_both(api: Api) -> None:
    said = spoken((await exchanged(api)).secret or "")
    assert (said["sub"], said["act"]["sub"]) == (
        str(api.cast.membership_id("Bea")),
        str(api.cast.membership_id("Olaf")),
    )
    assert said["exp"] - said["iat"] == 1200


async def test_it_begins_at_the_exchange_and_is_written_down(api: Api) -> None:
    """C23: mints begin nothing, however many."""
    for _ in range(5):
        await minted(api)
    assert await stand_ins(api) == []
    await exchanged(api)
    [row] = await stand_ins(api)
    assert (row.kind, row.actor_name, row.subject_name) == (TOKEN, "Olaf Olsen", "Bea Bell")
    async with house_work(api.store, api.clock.now) as session:
        started = sa.select(Entry).where(Entry.verb == Verb.IMPERSONATION_STARTED)
        [entry] = (await session.scalars(started)).all()
    assert (entry.actor_name, entry.subject_name, entry.stand_in_id) == ("Olaf Olsen", "Bea Bell", row.id)


async def test_c23_a_mint_replaces_no_impersonation(api: Api) -> None:
    number = await impersonate(api.store, api.cast, "Olaf", "Ben", api.clock.now, at="Bakery")
    await minted(api)
    await exchanged(api)
    async with house_work(api.store, api.clock.now) as session:
        assert (await session.get_one(Impersonation, number)).ended_at is None


@pytest.mark.parametrize("asked", ["", "?coworkerId=", "?coworkerId=x", "?coworkerId=-1", "?coworkerId=0", "?id=9"])
async def test_a_malformed_number_is_a_400(api: Api, asked: str) -> None:
    assert (await (await api.as_("Olaf")).get(MINT + asked)).status_code == 400


@pytest.mark.parametrize("who", ["Bea", "Bruno", "Amos"])
async def test_who_is_no_admin_or_operator_gets_401(api: Api, who: str) -> None:
    answer = await (await api.as_(who)).get(f"{MINT}?coworkerId={api.cast.membership_id('Ben', at='Bakery')}")
    assert answer.status_code == 401


async def test_without_a_bearer_it_is_401(api: Api) -> None:
    assert (await api.stranger.get(f"{MINT}?coworkerId=9")).status_code == 401
    assert (await api.stranger.get(PROFILES)).status_code == 401


async def test_a_key_that_may_not_stand_in_gets_401(api: Api) -> None:
    program = await api.as_("Olaf", scopes=("read", "write"))
    assert (await program.get(f"{MINT}?coworkerId={api.cast.membership_id('Bea')}")).status_code == 401


@pytest.mark.parametrize("subject", ["Zoe", "Dan", "Pia", "Nora"])
async def test_out_of_reach_is_404_as_if_it_were_not_there(api: Api, subject: str) -> None:
    answer = await (await api.as_("Olaf")).get(f"{MINT}?coworkerId={api.cast.membership_id(subject)}")
    nobody = await (await api.as_("Olaf")).get(f"{MINT}?coworkerId=999999")
    assert answer.status_code == nobody.status_code == 404
    assert answer.json()["detail"] == nobody.json()["detail"]


async def test_oneself_is_422(api: Api) -> None:
    answer = await (await api.as_("Olaf")).get(f"{MINT}?coworkerId={api.cast.membership_id('Olaf')}")
    assert (answer.status_code, answer.json()["rule"]) == (422, "self")


async def test_bruno_leads_bea_and_mints_at_the_public_path(api: Api) -> None:
    bea, amos = api.cast.membership_id("Bea"), api.cast.membership_id("Amos")
    bruno = await api.as_("Bruno")
    answer = await bruno.get(f"/api/public/coworkers/{bea}/impersonate")
    assert answer.status_code == 200, answer.text
    assert (await bruno.get(f"/api/public/coworkers/{amos}/impersonate")).status_code == 403
    assert (await (await api.as_("Bea")).get(f"/api/public/coworkers/{amos}/impersonate")).status_code == 403
    zoe = api.cast.membership_id("Zoe")
    assert (await bruno.get(f"/api/public/coworkers/{zoe}/impersonate")).status_code == 404


async def test_a_company_that_asks_for_a_reason_gets_it_in_the_query(api: Api) -> None:
    bakery = api.cast.tenant("Bakery").id
    await (await api.as_("Boris")).patch(f"/tenants/{bakery}", {"policy": {"reason": True}})
    olaf, bea = await api.as_("Olaf"), api.cast.membership_id("Bea")
    refused = await olaf.get(f"{MINT}?coworkerId={bea}")
    assert (refused.status_code, refused.json()["rule"]) == (403, "policy")
    assert (await olaf.get(f"{MINT}?coworkerId={bea}&reason=her calls do not ring")).status_code == 200


@pytest.mark.parametrize("seconds", [60, 61, 3600])
async def test_after_a_minute_it_is_worth_nothing(api: Api, seconds: int) -> None:
    token = await minted(api)
    api.clock.pass_(seconds=seconds)
    assert (await api.stranger.post(EXCHANGE, {"token": token})).status_code == 401


async def test_it_is_good_once(api: Api) -> None:
    token = await minted(api)
    assert (await api.stranger.post(EXCHANGE, {"token": token})).status_code == 200
    assert (await api.stranger.post(EXCHANGE, {"token": token})).status_code == 401


@ON_BOTH
async def test_of_twenty_that_exchange_it_at_once_one_is_first(api: Api) -> None:
    token = await minted(api)
    answers = await asyncio.gather(*(api.stranger.post(EXCHANGE, {"token": token}) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    assert len(await stand_ins(api)) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"token": 7}, 400), ({"token": "a.b.c"}, 401), ({"token": ""}, 401), ({"token": "x" * 5000}, 401)],
)
async def test_what_is_no_token_gets_nothing(api: Api, body: dict[str, Any], status: int) -> None:
    assert (await api.stranger.post(EXCHANGE, body)).status_code == status


async def test_the_guard_is_asked_again_at_the_exchange(api: Api) -> None:
    token, bakery = await minted(api), api.cast.tenant("Bakery").id
    await (await api.as_("Boris")).patch(f"/tenants/{bakery}", {"policy": {"stand_ins": "never"}})
    assert (await api.stranger.post(EXCHANGE, {"token": token})).status_code == 401
    assert await stand_ins(api) == []


async def test_after_twenty_minutes_the_bearer_is_refused(api: Api) -> None:
    bea = await exchanged(api)
    api.clock.pass_(minutes=19, seconds=59)
    assert (await bea.get("/me")).status_code == 200
    api.clock.pass_(seconds=1)
    assert (await bea.get("/me")).status_code == 401
    assert [row.ended_cause for row in await stand_ins(api)] == ["expired"]


async def test_a_new_one_for_the_same_subject_takes_its_place(api: Api) -> None:
    first, second = await exchanged(api), await exchanged(api)
    other = await exchanged(api, subject="Ben", at="Bakery")
    assert (await first.get("/me")).status_code == 401
    assert (await second.get("/me")).status_code == (await other.get("/me")).status_code == 200
    assert [row.ended_cause for row in await stand_ins(api)] == ["replaced", None, None]


async def test_once_the_company_forbids_it_the_bearer_is_refused(api: Api) -> None:
    bea, bakery = await exchanged(api), api.cast.tenant("Bakery").id
    await (await api.as_("Boris")).patch(f"/tenants/{bakery}", {"policy": {"stand_ins": "never"}})
    assert (await bea.get("/me")).status_code == 401
    assert [row.ended_cause for row in await stand_ins(api)] == ["policy"]


async def test_what_outlives_it_is_closed_and_both_names_are_kept(api: Api) -> None:
    """Olaf as Boris by token: an edit is Boris's with Olaf beside it; an app is closed."""
    boris = await exchanged(api, subject="Boris")
    closed = await boris.post("/apps", {"name": "X", "redirect_uris": ["https://x.example/"]})
    assert (closed.status_code, closed.json().get("rule")) == (403, "outlives"), closed.text
    assert (await boris.patch(f"/extensions/{api.cast.extension('Bakery', '203').id}", {"name": "Spare"})).is_success
    async with house_work(api.store, api.clock.now) as session:
        changed = sa.select(Entry).where(Entry.verb == Verb.EXTENSION_CHANGED)
        [entry] = (await session.scalars(changed)).all()
    assert (entry.actor_name, entry.subject_name, entry.via) == ("Olaf Olsen", api.cast.user("Boris").name, "token")


async def test_t28_who_stands_in_mints_nothing(api: Api) -> None:
    boris = await exchanged(api, subject="Boris")
    bea = api.cast.membership_id("Bea")
    assert (await boris.get(f"/api/public/coworkers/{bea}/impersonate")).status_code in {403, 409}
    answer = await boris.get(f"{MINT}?coworkerId={bea}")
    assert (answer.status_code, answer.json()["rule"]) in {(409, "nested"), (403, "scope")}


async def test_a_minted_token_and_a_bearer_are_no_use_elsewhere(api: Api) -> None:
    """T27: what is good at one door is nothing at another."""
    token = await minted(api)
    assert (await Program(api.client, token).get("/me")).status_code == 401
    bearer = (await exchanged(api)).secret
    assert (await api.stranger.post(EXCHANGE, {"token": bearer})).status_code == 401
    userinfo = await api.client.get("/oauth/userinfo", headers={"Authorization": f"Bearer {bearer}"})
    assert userinfo.status_code == 401


async def test_t24_well_signed_but_of_another_row_opens_nothing(api: Api) -> None:
    """The signature is ours; the row says another subject, or there is none of that `jti`."""
    issuer, now = api.app.state.house.issuer, api.clock.now
    said = spoken((await exchanged(api)).secret or "")
    for change in ({"sub": "1"}, {"jti": "other"}, {"act": {"sub": "1"}}, {"stand_in": {"id": "999"}}, {"aud": "x"}):
        forged = (await issuer.keys.signer("ES256", now)).sign(said | change, "at+jwt")
        assert (await Program(api.client, forged).get("/me")).status_code == 401, change


async def test_ben_has_two_profiles_and_switches(api: Api) -> None:
    """Without impersonating anybody: both are his own."""
    ben = await api.as_("Ben")
    listed = (await ben.get(PROFILES)).json()
    assert [(each["tenant"], each["role"], each["current"]) for each in listed] == [
        ("Bakery", "member", True),
        ("Clinic", "member", False),
    ]
    clinic = next(each["id"] for each in listed if each["tenant"] == "Clinic")
    switched = await ben.send("PUT", f"{PROFILES}/current", {"id": clinic})
    assert (switched.status_code, switched.json()["tenant"]) == (200, "Clinic")
    assert (await ben.get("/me")).json()["tenant"]["name"] == "Clinic"


async def test_nobody_switches_to_another_persons_profile(api: Api) -> None:
    ben = await api.as_("Ben")
    answer = await ben.send("PUT", f"{PROFILES}/current", {"id": api.cast.membership_id("Bea")})
    assert answer.status_code == 404


@pytest.mark.parametrize("body", [{}, {"id": "x"}, {"id": 0}, {"id": None}])
async def test_a_switch_to_nothing_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert (await (await api.as_("Ben")).send("PUT", f"{PROFILES}/current", body)).status_code in {400, 422}


async def test_c3_bruno_as_ben_has_one_profile_and_cannot_switch(api: Api) -> None:
    token = (
        await (await api.as_("Bruno")).get(f"/api/public/coworkers/{api.cast.membership_id('Ben')}/impersonate")
    ).json()
    bearer = (await api.stranger.post(EXCHANGE, token)).json()["access_token"]
    ben = Program(api.client, bearer)
    assert [each["tenant"] for each in (await ben.get(PROFILES)).json()] == ["Bakery"]
    clinic = api.cast.membership_id("Ben", at="Clinic")
    answer = await ben.send("PUT", f"{PROFILES}/current", {"id": clinic})
    assert (answer.status_code, answer.json()["rule"]) == (403, "nested")


async def test_c12_a_profile_that_asks_for_a_second_factor_is_not_switched_to(api: Api) -> None:
    """Pia works at Oak as well, which asks its operators for one: her key is not enough."""
    async with house_work(api.store, api.clock.now) as session:
        pia = await session.get_one(User, api.cast.user("Pia").id)
        oak = await session.get_one(Tenant, api.cast.tenant("Oak").id)
        there = await Membership.create(session, api.cast.actor("Ada"), pia, oak, Role.OPERATOR, api.clock.now)
        await tighten(session, oak, {"require_factor": True})
    answer = await (await api.as_("Pia")).send("PUT", f"{PROFILES}/current", {"id": there.id})
    assert (answer.status_code, answer.json()["rule"]) == (403, "second_factor")
