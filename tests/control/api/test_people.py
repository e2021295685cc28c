"""People through the API: users, memberships, teams and invitations."""

import pytest

from tests.cast import bind
from tests.control.api.conftest import Api


async def test_clara_sees_of_ben_only_what_is_at_clinic(api: Api) -> None:
    clara = await api.as_("Clara")
    ben = (await clara.get(f"/users/{api.cast.user('Ben').id}")).json()
    assert ben["home"] is None
    assert [place["tenant"]["name"] for place in ben["memberships"]] == ["Clinic"]


async def test_olaf_sees_both_of_bens_places(api: Api) -> None:
    ben = (await (await api.as_("Olaf")).get(f"/users/{api.cast.user('Ben').id}")).json()
    assert [place["tenant"]["name"] for place in ben["memberships"]] == ["Bakery", "Clinic"]


async def test_an_invitation_reads_the_same_whether_the_address_is_known_or_not(api: Api) -> None:
    boris, bakery = await api.as_("Boris"), api.cast.tenant("Bakery").id
    answers = [
        await boris.post("/users", {"tenant": bakery, "email": email, "name": "Somebody"})
        for email in ("ada@acme.example", "nobody@nowhere.example")
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    known, unknown = ({**answer.json(), "id": 0, "email": ""} for answer in answers)
    assert known == unknown
    listed = (await boris.get("/users?q=Somebody")).json()["items"]
    assert listed == []


async def test_bruno_invites_members_and_no_admins(api: Api) -> None:
    bruno, bakery = await api.as_("Bruno"), api.cast.tenant("Bakery").id
    body = {"tenant": bakery, "email": "new@bakery.example", "name": "New"}
    assert (await bruno.post("/users", body)).status_code == 201
    refused = await bruno.post("/users", {**body, "role": "admin"})
    assert (refused.status_code, refused.json()["rule"]) == (403, "rank")


async def test_nobody_invites_into_a_tenant_out_of_reach(api: Api) -> None:
    elsa = await api.as_("Elsa")
    body = {"tenant": api.cast.tenant("Bakery").id, "email": "new@bakery.example", "name": "New"}
    assert (await elsa.post("/users", body)).status_code == 404


async def test_boris_renames_ben_and_clara_may_not(api: Api) -> None:
    ben = api.cast.user("Ben").id
    renamed = await (await api.as_("Boris")).patch(f"/users/{ben}", {"name": "Benjamin Bond"})
    assert renamed.json()["name"] == "Benjamin Bond"
    refused = await (await api.as_("Clara")).patch(f"/users/{ben}", {"name": "Clinic Ben"})
    assert (refused.status_code, refused.json()["rule"]) == (403, "rank")


async def test_clara_cannot_discard_ben_but_can_end_his_place_at_clinic(api: Api) -> None:
    clara = await api.as_("Clara")
    refused = await clara.post(f"/users/{api.cast.user('Ben').id}/discard")
    assert (refused.status_code, refused.json()["rule"]) == (403, "rank")
    place = api.cast.membership_id("Ben", at="Clinic")
    assert (await clara.post(f"/memberships/{place}/discard")).json()["discarded_at"] is not None


async def test_discarding_paul_ends_his_keys_and_bindings_and_undiscarding_brings_none_back(api: Api) -> None:
    pia, paul = await api.as_("Pia"), await api.as_("Paul")
    binding = await bind(api.store, api.cast, "Paul", "Dairy", "101")
    user = api.cast.user("Paul").id
    assert (await pia.post(f"/users/{user}/discard")).status_code == 200
    assert (await paul.get("/me")).status_code == 401
    assert (await pia.get(f"/bindings/{binding}")).json()["ended_cause"] == "user_discarded"
    back = (await pia.post(f"/users/{user}/undiscard")).json()
    assert [place["role"] for place in back["memberships"]] == ["member"]
    assert (await paul.get("/me")).status_code == 401


async def test_a_binding_to_dan_goes_stale_when_he_is_discarded_and_is_gone_when_he_returns(api: Api) -> None:
    pia, dan = await api.as_("Pia"), api.cast.user("Dan").id
    binding = await bind(api.store, api.cast, "Pia", "Dairy", "101")
    await pia.post(f"/users/{dan}/discard")
    assert (await pia.get(f"/bindings/{binding}")).json()["stale"]["rule"] == "live"
    await pia.post(f"/users/{dan}/undiscard")
    assert (await pia.get(f"/bindings/{binding}")).json()["ended_cause"] == "subject_discarded"


async def test_olaf_makes_bea_supervisor_but_not_operator_of_a_company(api: Api) -> None:
    olaf, bea = await api.as_("Olaf"), api.cast.membership_id("Bea")
    changed = await olaf.patch(f"/memberships/{bea}", {"role": "supervisor"})
    assert changed.json()["role"] == "supervisor"
    operator = await olaf.patch(f"/memberships/{bea}", {"role": "operator"})
    assert (operator.status_code, operator.json()["errors"][0]["field"]) == (422, "role")


async def test_the_last_admin_cannot_demote_themselves(api: Api) -> None:
    boris = await api.as_("Boris")
    refused = await boris.patch(f"/memberships/{api.cast.membership_id('Boris')}", {"role": "member"})
    assert (refused.status_code, refused.json()["rule"]) == (409, "last_admin")


async def test_olaf_puts_bea_into_clinic_once(api: Api) -> None:
    olaf = await api.as_("Olaf")
    body = {"user": api.cast.user("Bea").id, "tenant": api.cast.tenant("Clinic").id, "role": "member"}
    assert (await olaf.post("/memberships", body)).status_code == 201
    assert (await olaf.post("/memberships", body)).status_code == 409


@pytest.mark.parametrize("name", ["Zoe", "Elsa", "Ada"])
async def test_olaf_puts_nobody_from_elsewhere_into_bakery(api: Api, name: str) -> None:
    olaf = await api.as_("Olaf")
    body = {"user": api.cast.user(name).id, "tenant": api.cast.tenant("Bakery").id}
    assert (await olaf.post("/memberships", body)).status_code == 404


async def test_boris_makes_a_team_and_each_is_in_it_once(api: Api) -> None:
    boris = await api.as_("Boris")
    team = (await boris.post("/teams", {"tenant": api.cast.tenant("Bakery").id, "name": "Ovens"})).json()
    add = {"membership": api.cast.membership_id("Bea"), "lead": True}
    added = await boris.post(f"/teams/{team['id']}/members", add)
    assert [(each["name"], each["lead"]) for each in added.json()["members"]] == [("Bea Bell", True)]
    assert (await boris.post(f"/teams/{team['id']}/members", add)).status_code == 409


async def test_a_team_takes_nobody_of_another_company(api: Api) -> None:
    olaf = await api.as_("Olaf")
    front = (await olaf.get("/teams")).json()["items"][0]["id"]
    refused = await olaf.post(f"/teams/{front}/members", {"membership": api.cast.membership_id("Cora")})
    assert refused.status_code == 422
