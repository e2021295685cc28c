"""Moving and suspending through the API: the dry run says what comes of it, and then it does."""

from tests.cast import bind
from tests.control.api.conftest import Api


async def test_a_dry_run_of_a_suspension_counts_what_stops_and_stops_nothing(api: Api) -> None:
    olaf, boris, bakery = await api.as_("Olaf"), await api.as_("Boris"), api.cast.tenant("Bakery").id
    binding = await bind(api.store, api.cast, "Olaf", "Bakery", "201")
    told = await olaf.post(f"/tenants/{bakery}/suspension?dry_run=true", {"reason": "unpaid since June"}, once="look")
    assert (told.status_code, told.json()) == (
        200,
        {
            "people": 5,
            "tenants": 0,
            "sign_ins": 0,
            "logins": 0,
            "api_keys": 1,
            "impersonations": 0,
            "bindings": 1,
        },
    )
    assert (await boris.get("/me")).status_code == 200
    assert (await olaf.get(f"/bindings/{binding}")).json()["stale"] is None
    done = await olaf.post(f"/tenants/{bakery}/suspension", {"reason": "unpaid since June"}, once="look")
    assert done.status_code == 201, "a dry run claims no Idempotency-Key"
    assert (await boris.get("/me")).status_code == 401


async def test_a_whole_branch_counts_what_is_below(api: Api) -> None:
    nora, oak = await api.as_("Nora"), api.cast.tenant("Oak").id
    for scope, people, tenants in (("staff", 2, 0), ("all", 10, 2)):
        told = await nora.post(f"/tenants/{oak}/suspension?dry_run=true", {"reason": "", "scope": scope})
        assert (told.json()["people"], told.json()["tenants"]) == (people, tenants)


async def test_a_dry_run_is_refused_as_the_deed_would_be(api: Api) -> None:
    olaf, oak = await api.as_("Olaf"), api.cast.tenant("Oak").id
    refused = await olaf.post(f"/tenants/{oak}/suspension?dry_run=true", {"reason": "a long holiday"})
    assert (refused.status_code, refused.json()["rule"]) == (409, "own_hand")


async def test_a_suspension_says_why_in_ten_letters(api: Api) -> None:
    olaf, bakery = await api.as_("Olaf"), api.cast.tenant("Bakery").id
    for reason in ("unpaid", "", "   ", "x" * 1001):
        refused = await olaf.post(f"/tenants/{bakery}/suspension", {"reason": reason})
        assert refused.status_code == 422, reason


async def test_the_suspensions_of_a_company_with_who_set_them(api: Api) -> None:
    nora, olaf, boris = await api.as_("Nora"), await api.as_("Olaf"), api.cast.tenant("Bakery").id
    await nora.post(f"/tenants/{boris}/suspension", {"reason": "suspected fraud", "scope": "staff"})
    await olaf.post(f"/tenants/{boris}/suspension", {"reason": "unpaid since June"})
    seen = (await olaf.get(f"/tenants/{boris}/suspensions")).json()["items"]
    assert [(each["reason"], each["scope"], each["level"]) for each in seen] == [
        ("unpaid since June", "all", {"id": api.cast.tenant("Oak").id, "name": "Oak"}),
        ("suspected fraud", "staff", None),
    ]
    assert (await olaf.delete(f"/suspensions/{seen[0]['id']}")).status_code == 204
    lifted = (await olaf.get(f"/tenants/{boris}/suspensions?discarded=true")).json()["items"]
    assert [each["reason"] for each in lifted] == ["unpaid since June"]


async def test_ada_looks_at_a_move_and_makes_it(api: Api) -> None:
    """B31: Olaf's key, a moment ago good for Bakery, finds nothing there."""
    ada, olaf, elsa = await api.as_("Ada"), await api.as_("Olaf"), await api.as_("Elsa")
    bakery, oak, elm = [api.cast.tenant(name).id for name in ("Bakery", "Oak", "Elm")]
    await bind(api.store, api.cast, "Olaf", "Bakery", "201")
    told = await ada.post(f"/tenants/{bakery}/move?dry_run=true", {"parent": elm})
    assert told.status_code == 200, told.text
    seen = told.json()
    assert (seen["from"]["name"], seen["to"]["name"], seen["opens"]) == ("Oak", "Elm", False)
    assert [each for each in seen["cut"] if each["count"]] == [
        {"kind": "bindings", "count": 1, "names": ["Olaf Olsen, Bea Bell, 201"]}
    ]
    assert seen["tightens"] == [{"rule": "binding_reach", "now": "subtree", "there": "layer"}]
    assert (await olaf.get(f"/tenants/{bakery}")).status_code == 200
    moved = await ada.post(f"/tenants/{bakery}/move", {"parent": elm, "expected_parent": oak})
    assert (moved.status_code, moved.json()["parent"]["name"]) == (200, "Elm")
    assert (await olaf.get(f"/tenants/{bakery}")).status_code == 404
    assert (await olaf.get(f"/extensions/{api.cast.extension('Bakery', '201').id}")).status_code == 404
    assert (await olaf.get(f"/users/{api.cast.user('Bea').id}")).status_code == 404
    assert (await elsa.get(f"/tenants/{bakery}")).status_code == 200


async def test_the_second_mover_is_told(api: Api) -> None:
    ada = await api.as_("Ada")
    bakery, oak, elm, pine = [api.cast.tenant(name).id for name in ("Bakery", "Oak", "Elm", "Pine")]
    assert (await ada.post(f"/tenants/{bakery}/move", {"parent": elm, "expected_parent": oak})).status_code == 200
    for query in ("", "?dry_run=true"):
        refused = await ada.post(f"/tenants/{bakery}/move{query}", {"parent": pine, "expected_parent": oak})
        assert (refused.status_code, refused.json()["rule"]) == (409, "moved")


async def test_what_is_no_move_and_what_nobody_may_know_of(api: Api) -> None:
    ada, olaf, opal = await api.as_("Ada"), await api.as_("Olaf"), await api.as_("Opal")
    bakery, clinic, oak, zoo = [api.cast.tenant(name).id for name in ("Bakery", "Clinic", "Oak", "Zoo")]
    for who, moved, parent, status in (
        (ada, oak, bakery, 409),
        (ada, bakery, clinic, 422),
        (olaf, bakery, zoo, 404),
        (olaf, zoo, oak, 404),
        (olaf, bakery, 999_999, 404),
        (opal, bakery, oak, 403),
    ):
        answer = await who.post(f"/tenants/{moved}/move", {"parent": parent})
        assert answer.status_code == status, answer.text


async def test_a_phone_system_changes_owner(api: Api) -> None:
    olaf, system = await api.as_("Olaf"), api.cast.phone_system_id("Bakery")
    bakery, clinic = api.cast.tenant("Bakery").id, api.cast.tenant("Clinic").id
    told = (await olaf.post(f"/phone-systems/{system}/move?dry_run=true", {"tenant": clinic})).json()
    assert (told["from"]["name"], told["to"]["name"], told["extensions"]) == ("Bakery", "Clinic", 3)
    assert told["cut"][0] == {"kind": "people", "count": 2, "names": ["Bea Bell, 201", "Ben Bond, 202"]}
    moved = await olaf.post(f"/phone-systems/{system}/move", {"tenant": clinic, "expected_tenant": bakery})
    assert (moved.status_code, moved.json()["tenant"]["name"]) == (200, "Clinic")
    line = (await olaf.get(f"/extensions/{api.cast.extension('Bakery', '201').id}")).json()
    assert (line["tenant"]["name"], line["user"]) == ("Clinic", None)
    late = await olaf.post(f"/phone-systems/{system}/move", {"tenant": bakery, "expected_tenant": bakery})
    assert (late.status_code, late.json()["rule"]) == (409, "moved")
    boris = await api.as_("Boris")
    assert (await boris.get(f"/phone-systems/{system}")).status_code == 404
    assert (await boris.post(f"/phone-systems/{system}/move", {"tenant": bakery})).status_code == 404
