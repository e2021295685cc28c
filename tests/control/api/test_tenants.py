"""The tree through the API: who sees what, who may found, change and close it."""

from tenants.policy import StandIns
from tenants.tree import Tenant
from tests.cast import bind, house_work
from tests.control.api.conftest import Api


async def test_olaf_lists_his_own_branch_and_no_more(api: Api) -> None:
    answer = await (await api.as_("Olaf")).get("/tenants")
    assert answer.status_code == 200
    assert [each["name"] for each in answer.json()["items"]] == ["Bakery", "Clinic", "Oak"]
    assert answer.json()["next"] is None


async def test_a_list_is_paged_by_its_cursor(api: Api) -> None:
    ada = await api.as_("Ada")
    seen, path = [], "/tenants?limit=4&sort=-name"
    while True:
        answer = (await ada.get(path)).json()
        seen += [each["name"] for each in answer["items"]]
        if answer["next"] is None:
            break
        path = f"/tenants?limit=4&sort=-name&cursor={answer['next']}"
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 10


async def test_a_search_takes_percent_signs_at_their_word(api: Api) -> None:
    olaf = await api.as_("Olaf")
    assert [each["name"] for each in (await olaf.get("/tenants?q=BAK")).json()["items"]] == ["Bakery"]
    assert (await olaf.get("/tenants?q=%25")).json()["items"] == []


async def test_olaf_sees_no_parent_above_him(api: Api) -> None:
    answer = await (await api.as_("Olaf")).get(f"/tenants/{api.cast.tenant('Oak').id}")
    assert answer.json()["parent"] is None


async def test_olaf_founds_a_company_under_oak(api: Api) -> None:
    olaf = await api.as_("Olaf")
    oak = api.cast.tenant("Oak")
    made = await olaf.post("/tenants", {"parent": oak.id, "kind": "customer", "name": "Smithy"})
    assert made.status_code == 201, made.text
    assert made.json()["parent"] == {"id": oak.id, "name": "Oak"}
    entry = (await olaf.get(f"/entries?record_type=tenants&record_id={made.json()['id']}")).json()["items"][0]
    assert (entry["verb"], entry["actor"]["name"]) == ("tenant.created", "Olaf Olsen")


async def test_a_distributor_cannot_sit_under_a_reseller(api: Api) -> None:
    olaf = await api.as_("Olaf")
    refused = await olaf.post("/tenants", {"parent": api.cast.tenant("Oak").id, "kind": "distributor", "name": "Big"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "kind"


async def test_elsa_founds_nothing_under_oak(api: Api) -> None:
    elsa = await api.as_("Elsa")
    refused = await elsa.post("/tenants", {"parent": api.cast.tenant("Oak").id, "kind": "customer", "name": "Smithy"})
    assert refused.status_code == 404


async def test_olaf_renames_bakery_but_gives_it_no_zone_that_is_none(api: Api) -> None:
    olaf, bakery = await api.as_("Olaf"), api.cast.tenant("Bakery").id
    renamed = await olaf.patch(f"/tenants/{bakery}", {"name": "Bakery & Sons", "zone": "Europe/Berlin"})
    assert (renamed.json()["name"], renamed.json()["zone"]) == ("Bakery & Sons", "Europe/Berlin")
    refused = await olaf.patch(f"/tenants/{bakery}", {"zone": "../../etc/passwd"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "zone")


async def test_opal_looks_and_changes_nothing(api: Api) -> None:
    opal, bakery = await api.as_("Opal"), api.cast.tenant("Bakery").id
    assert (await opal.get(f"/tenants/{bakery}")).status_code == 200
    refused = await opal.patch(f"/tenants/{bakery}", {"name": "Opal's"})
    assert (refused.status_code, refused.json()["rule"]) == (403, "permission")


async def test_rules_are_tightened_and_not_loosened(api: Api) -> None:
    olaf, bakery = await api.as_("Olaf"), api.cast.tenant("Bakery").id
    tightened = await olaf.patch(f"/tenants/{bakery}", {"policy": {"stand_ins": "never", "binding_days": 7}})
    assert tightened.json()["policy"]["stand_ins"] == "never"
    for looser in ({"stand_ins": "allowed"}, {"binding_days": 8}, {"binding_days": None}):
        refused = await olaf.patch(f"/tenants/{bakery}", {"policy": looser})
        assert (refused.status_code, refused.json()["rule"]) == (403, "policy")
    async with house_work(api.store) as session:
        stored = await session.get_one(Tenant, bakery)
        assert (stored.policy_stand_ins, stored.policy_binding_days) == (StandIns.NEVER, 7)


async def test_suspending_bakery_ends_its_keys_at_once_and_lifting_revives_none(api: Api) -> None:
    olaf, boris, bakery = await api.as_("Olaf"), await api.as_("Boris"), api.cast.tenant("Bakery").id
    assert (await boris.get("/me")).status_code == 200
    made = await olaf.post(f"/tenants/{bakery}/suspension", {"reason": "unpaid since June"})
    assert (made.status_code, made.json()["scope"]) == (201, "all")
    assert (await boris.get("/me")).status_code == 401
    assert (await olaf.get(f"/tenants/{bakery}")).json()["closed"] is True
    assert (await olaf.delete(f"/tenants/{bakery}/suspension")).status_code == 204
    assert (await olaf.get(f"/tenants/{bakery}")).json()["closed"] is False
    assert (await boris.get("/me")).status_code == 401


async def test_a_binding_into_a_suspended_tenant_is_stale_and_says_why(api: Api) -> None:
    olaf, bakery = await api.as_("Olaf"), api.cast.tenant("Bakery").id
    binding = await bind(api.store, api.cast, "Olaf", "Bakery", "201")
    await olaf.post(f"/tenants/{bakery}/suspension", {"reason": "unpaid since June", "scope": "staff"})
    stale = (await olaf.get(f"/bindings/{binding}")).json()["stale"]
    assert stale["rule"] == "live"


async def test_olaf_cannot_lift_what_nora_set(api: Api) -> None:
    nora, olaf, bakery = await api.as_("Nora"), await api.as_("Olaf"), api.cast.tenant("Bakery").id
    hers = (await nora.post(f"/tenants/{bakery}/suspension", {"reason": "suspected fraud"})).json()["id"]
    refused = await olaf.delete(f"/suspensions/{hers}")
    assert (refused.status_code, refused.json()["rule"]) == (403, "level")
    assert (await olaf.delete(f"/tenants/{bakery}/suspension")).status_code == 403


async def test_of_two_suspensions_one_lifted_leaves_the_other(api: Api) -> None:
    nora, olaf, bakery = await api.as_("Nora"), await api.as_("Olaf"), api.cast.tenant("Bakery").id
    await nora.post(f"/tenants/{bakery}/suspension", {"reason": "suspected fraud"})
    await olaf.post(f"/tenants/{bakery}/suspension", {"reason": "unpaid since June"})
    assert (await olaf.delete(f"/tenants/{bakery}/suspension")).status_code == 204
    left = (await olaf.get(f"/tenants/{bakery}")).json()
    assert left["closed"] is True
    assert [each["reason"] for each in left["suspensions"]] == ["suspected fraud"]


async def test_nobody_suspends_or_discards_their_own_organization(api: Api) -> None:
    olaf, oak = await api.as_("Olaf"), api.cast.tenant("Oak").id
    assert (await olaf.post(f"/tenants/{oak}/suspension", {"reason": "a long holiday"})).status_code == 409
    assert (await olaf.post(f"/tenants/{oak}/discard")).status_code == 409
    assert (await olaf.delete(f"/tenants/{oak}/suspension")).status_code == 409


async def test_a_discarded_company_leaves_the_list_and_comes_back_without_bindings(api: Api) -> None:
    olaf, clinic = await api.as_("Olaf"), api.cast.tenant("Clinic").id
    binding = await bind(api.store, api.cast, "Olaf", "Clinic", "301")
    assert (await olaf.post(f"/tenants/{clinic}/discard")).json()["discarded_at"] is not None
    assert "Clinic" not in [each["name"] for each in (await olaf.get("/tenants")).json()["items"]]
    assert [each["name"] for each in (await olaf.get("/tenants?discarded=true")).json()["items"]] == ["Clinic"]
    assert (await olaf.post(f"/tenants/{clinic}/undiscard")).status_code == 200
    assert (await olaf.get(f"/bindings/{binding}")).json()["ended_cause"] == "subject_discarded"
