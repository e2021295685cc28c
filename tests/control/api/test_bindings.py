"""Bindings through the API, as contract.md has them, and the questions about them: explain, resolve."""

from datetime import timedelta

import pytest

from tenants.api_keys import SCOPES
from tests.cast import NOW, bind
from tests.control.api.conftest import Api, Program


async def bound(program: Program, api: Api, name: str, place: str, number: str) -> tuple[int, dict[str, object]]:
    body = {"user": api.cast.user(name).id, "extension": api.cast.extension(place, number).id, "reason": "ticket 7"}
    answer = await program.post("/bindings", body)
    return answer.status_code, answer.json()


async def test_pia_binds_to_dan_and_releases(api: Api) -> None:
    pia = await api.as_("Pia")
    status, made = await bound(pia, api, "Pia", "Dairy", "101")
    assert status == 201
    assert made["user"] == {"id": api.cast.user("Pia").id, "name": "Pia Pine", "email": "pia@pine.example"}
    assert (made["subject"], made["apps"]) == ({"id": api.cast.membership_id("Dan"), "name": "Dan Dale"}, None)
    assert (await pia.delete(f"/bindings/{made['id']}")).status_code == 204
    assert (await pia.get(f"/bindings/{made['id']}")).json()["ended_cause"] == "released"
    assert (await pia.delete(f"/bindings/{made['id']}")).status_code == 409


async def test_a_binding_for_chosen_apps_with_an_end(api: Api) -> None:
    pia = await api.as_("Pia")
    body = {
        "user": api.cast.user("Pia").id,
        "extension": api.cast.extension("Dairy", "101").id,
        "apps": ["softphone"],
        "ends_at": (NOW + timedelta(hours=1)).isoformat(),
    }
    made = (await pia.post("/bindings", body)).json()
    assert (made["apps"], made["ends_at"]) == (["softphone"], "2026-11-21T10:00:00Z")


@pytest.mark.parametrize(
    ("who", "place", "number", "status", "rule"),
    [
        ("Olaf", "Zoo", "201", 404, "reach"),
        ("Elsa", "Zoo", "201", 403, "layer"),
        ("Olaf", "Bakery", "203", 422, "unassigned"),
        ("Pia", "Pine", "100", 422, "self"),
        ("Bruno", "Bakery", "201", 403, "permission"),
        ("Bea", "Bakery", "202", 403, "permission"),
    ],
)
async def test_the_rule_that_refused_is_named(
    api: Api, who: str, place: str, number: str, status: int, rule: str
) -> None:
    answered, problem = await bound(await api.as_(who), api, who, place, number)
    assert (answered, problem["rule"]) == (status, rule)


async def test_olaf_proposes_a_binding_to_opal_and_opal_none_to_olaf(api: Api) -> None:
    status, made = await bound(await api.as_("Olaf"), api, "Opal", "Bakery", "201")
    assert (status, made["accepted_at"]) == (201, None)
    status, problem = await bound(await api.as_("Opal"), api, "Olaf", "Bakery", "201")
    assert (status, problem["rule"]) == (403, "rank")


async def test_an_app_that_nobody_knows_is_not_found(api: Api) -> None:
    pia = await api.as_("Pia")
    body = {"user": api.cast.user("Pia").id, "extension": api.cast.extension("Dairy", "101").id, "apps": ["fax"]}
    assert (await pia.post("/bindings", body)).status_code == 404


async def test_a_key_without_the_scope_binds_nobody(api: Api) -> None:
    pia = await api.as_("Pia", scopes=tuple(scope for scope in SCOPES if scope != "stand_in"))
    status, problem = await bound(pia, api, "Pia", "Dairy", "101")
    assert (status, problem["rule"]) == (403, "scope")


async def test_bea_sees_olafs_binding_to_her_and_ends_it(api: Api) -> None:
    binding = await bind(api.store, api.cast, "Olaf", "Bakery", "201", reason="she asked for help")
    bea = await api.as_("Bea")
    listed = (await bea.get("/bindings")).json()["items"]
    assert [(each["user"]["name"], each["user"]["email"]) for each in listed] == [("Olaf Olsen", None)]
    assert (await bea.delete(f"/bindings/{binding}")).status_code == 204
    ended = (await bea.get("/bindings?discarded=true")).json()["items"]
    assert [each["ended_cause"] for each in ended] == ["ended_by_subject"]


async def test_ben_sees_nothing_of_it(api: Api) -> None:
    binding = await bind(api.store, api.cast, "Olaf", "Bakery", "201")
    ben = await api.as_("Ben")
    assert (await ben.get("/bindings")).json()["items"] == []
    assert (await ben.delete(f"/bindings/{binding}")).status_code == 404


async def test_amos_sees_it_and_may_not_end_it(api: Api) -> None:
    binding = await bind(api.store, api.cast, "Olaf", "Bakery", "201")
    amos = await api.as_("Amos")
    assert (await amos.get(f"/bindings/{binding}")).status_code == 200
    assert (await amos.delete(f"/bindings/{binding}")).status_code == 403


async def test_explain_says_why_elsa_cannot_bind_to_zoe(api: Api) -> None:
    elsa, zoe = api.cast.membership_id("Elsa"), api.cast.membership_id("Zoe")
    asked = await (await api.as_("Elsa")).get(f"/explain?actor={elsa}&subject={zoe}&act=bind")
    assert asked.json()["allowed"] is False
    assert asked.json()["rule"] == "layer"
    assert "manage_people" in asked.json()["loses"]
    assert asked.json()["gains"] == []


async def test_explain_tells_what_an_operator_would_gain_from_an_admin(api: Api) -> None:
    opal, boris = api.cast.membership_id("Opal"), api.cast.membership_id("Boris")
    said = (await (await api.as_("Olaf")).get(f"/explain?actor={opal}&subject={boris}&act=impersonate")).json()
    assert (said["allowed"], said["rule"]) == (True, None)
    assert said["gains"] == ["edit_company_records", "export_history", "manage_phones"]
    assert said["loses"] == []


@pytest.mark.parametrize(("actor", "subject"), [("Nora", "Bea"), ("Olaf", "Zoe")])
async def test_explain_knows_nobody_out_of_reach(api: Api, actor: str, subject: str) -> None:
    one, other = api.cast.membership_id(actor), api.cast.membership_id(subject)
    asked = await (await api.as_("Olaf")).get(f"/explain?actor={one}&subject={other}&act=bind")
    assert asked.status_code == 404


async def test_resolve_walks_the_table_for_a_bound_person(api: Api) -> None:
    await bind(api.store, api.cast, "Olaf", "Bakery", "202")
    olaf, user = await api.as_("Olaf"), api.cast.user("Olaf").id
    soft = (await olaf.get(f"/resolve?user={user}&app=softphone")).json()
    assert (soft["granted"], soft["because"], soft["subject"]["name"]) == (True, "binding", "Ben Bond")
    assert soft["actor"]["name"] == "Olaf Olsen"
    desk = (await olaf.get(f"/resolve?user={user}&app=desk-admin")).json()
    assert (desk["granted"], desk["page"], desk["error"]) == (False, "not_admin", "interaction_required")


async def test_resolve_names_no_place_out_of_reach(api: Api) -> None:
    asked = await (await api.as_("Clara")).get(f"/resolve?user={api.cast.user('Ben').id}&app=softphone")
    assert (asked.status_code, asked.json()["rule"]) == (403, "rank")
    assert "Bakery" not in asked.text
