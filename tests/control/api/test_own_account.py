"""What people's pages do, by their own keys: account, keys, sign-ins, provisioning keys, broken links and glasses."""

from bindings import endings
from bindings.app_consents import AppConsent
from bindings.apps import App
from tenants.api_keys import ApiKey
from tenants.break_glasses import BreakGlass
from tenants.people import Membership, find_membership
from tenants.roles import Role
from tenants.service_accounts import ServiceAccount
from tenants.sign_in import SignIn
from tenants.tree import find_tenant
from tests.cast import NOW, ORIGIN, WHY, house_work, work_as
from tests.control.api.conftest import Api, Program


async def a_program(api: Api) -> int:
    """The membership of a service account of Bakery's."""
    boris = api.cast.actor("Boris")
    async with work_as(api.store, boris) as session:
        bakery = await find_tenant(session, api.cast.tenant("Bakery").id)
        account, _ = await ServiceAccount.make(session, boris, bakery, "Till", Role.ADMIN, ["read", "write"], NOW)
        return account.membership_id


async def test_bea_changes_how_the_panel_looks_to_her(api: Api) -> None:
    bea = await api.as_("Bea")
    before = (await bea.get("/me/account")).json()
    sent = {"zone": "Europe/London", "theme": "dark", "notices_muted": True}
    assert (await bea.patch("/me/account", sent)).json() == before | sent
    wrong = await bea.patch("/me/account", {"zone": "Nowhere/Land"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "zone")


async def test_bea_lists_her_keys_and_revokes_one(api: Api) -> None:
    bea, other = await api.as_("Bea"), await api.as_("Bea", scopes=("read",))
    listed = (await bea.get("/me/keys")).json()["items"]
    assert [key["scopes"] for key in listed] == [["read"], ["read", "write", "stand_in"]]
    assert "understudy_" not in str(listed)
    assert (await bea.delete(f"/me/keys/{listed[0]['id']}")).status_code == 204
    assert (await other.get("/me")).status_code == 401
    assert len((await bea.get("/me/keys?discarded=true")).json()["items"]) == 1
    assert (await (await api.as_("Boris")).delete(f"/me/keys/{listed[1]['id']}")).status_code == 404


async def test_bea_signs_out_at_a_browser(api: Api) -> None:
    async with house_work(api.store) as session:
        row, _ = await SignIn.start(session, api.cast.identity("Bea"), ORIGIN, "a browser", NOW)
    bea, ben = await api.as_("Bea"), await api.as_("Ben")
    assert [each["browser"] for each in (await bea.get("/me/sign-ins")).json()["items"]] == ["a browser"]
    assert (await ben.delete(f"/me/sign-ins/{row.id}")).status_code == 404
    answers = [await bea.delete(f"/me/sign-ins/{row.id}") for _ in range(2)]
    assert [each.status_code for each in answers] == [204, 409]


async def test_bea_takes_back_what_she_agreed_to(api: Api) -> None:
    who = api.cast.identity("Bea")
    async with work_as(api.store, api.cast.actor("Bea")) as session:
        softphone = await session.get_one(App, api.cast.app_id("softphone"))
        await AppConsent.give(session, softphone, who.user_id, who.tenant_id, "openid email", NOW)
    bea = await api.as_("Bea")
    [row] = (await bea.get("/me/agreements")).json()["items"]
    assert (row["app"]["name"], row["scopes"]) == ("Softphone", ["openid", "email"])
    assert (await (await api.as_("Ben")).delete(f"/me/agreements/{row['id']}")).status_code == 404
    assert (await bea.delete(f"/me/agreements/{row['id']}")).status_code == 204
    assert (await bea.get("/me/agreements")).json()["items"] == []


async def test_a_program_is_no_person(api: Api) -> None:
    membership_id = await a_program(api)
    async with work_as(api.store, api.cast.actor("Boris")) as session:
        membership = await find_membership(session, membership_id)
        _, secret = await ApiKey.make(session, membership, "its own", ["read"], 90, NOW)
    till = Program(api.client, secret)
    refused = await till.get("/me/account")
    assert (refused.status_code, refused.json()["rule"]) == (403, "permission")
    people = (await till.get("/memberships?limit=200")).json()["items"]
    assert membership_id not in [each["id"] for each in people]
    assert [each["membership"] for each in (await till.get("/service-accounts")).json()["items"]] == [membership_id]
    elsewhere = f"/service-accounts?tenant={api.cast.tenant('Clinic').id}"
    assert (await till.get(elsewhere)).json()["items"] == []


async def test_elsa_takes_a_directorys_key_back(api: Api) -> None:
    elsas, zoo = api.cast.actor("Elsa"), api.cast.tenant("Zoo").id
    async with work_as(api.store, elsas) as session:
        mine = await find_membership(session, elsas.standing.membership_id)
        key, _ = await ApiKey.provision(session, mine, await find_tenant(session, zoo), "Directory", 30, NOW)
    elsa, path = await api.as_("Elsa"), f"/tenants/{zoo}/provisioning-keys"
    assert [each["name"] for each in (await elsa.get(path)).json()["items"]] == ["Directory"]
    assert (await (await api.as_("Olaf")).get(path)).status_code == 404
    assert (await elsa.delete(f"{path}/{key.id}")).status_code == 204
    assert (await elsa.get(path)).json()["items"] == []


async def test_what_bea_left_behind_is_counted_and_mended(api: Api) -> None:
    boris = api.cast.actor("Boris")
    async with work_as(api.store, boris) as session:
        beas = await session.get_one(Membership, api.cast.membership_id("Bea"))
        await endings.discard_membership(session, boris, beas, NOW)
    program, line = await api.as_("Boris"), api.cast.extension("Bakery", "201").id
    found = {each["kind"]: each["ids"] for each in (await program.get("/orphans")).json()["items"]}
    assert found["held-extensions"] == [line]
    mended = await program.post("/orphans/mend", {"kind": "held-extensions", "id": line})
    assert (mended.status_code, mended.json()) == (200, {"mended": 1})
    again = await program.post("/orphans/mend", {"kind": "held-extensions"})
    assert (again.status_code, again.json()["rule"]) == (409, "conflict")
    assert (await program.post("/orphans/mend", {"kind": "spoons"})).status_code == 422


async def test_bea_ends_a_glass_that_was_broken_for_her(api: Api) -> None:
    ada = api.cast.actor("Ada")
    async with work_as(api.store, ada) as session:
        subject = await find_membership(session, api.cast.membership_id("Bea"))
        glass = await BreakGlass.ask(session, ada, subject, WHY, NOW)
    bea = await api.as_("Bea")
    [row] = (await bea.get("/break-glasses")).json()["items"]
    assert (row["state"], row["subject"]["name"], row["asked_by"]["name"]) == ("waits", "Bea Bell", "Ada Ash")
    assert (await (await api.as_("Ben")).get(f"/break-glasses/{glass.id}")).status_code == 404
    assert (await bea.delete(f"/break-glasses/{glass.id}")).status_code == 204
    assert (await bea.get(f"/break-glasses/{glass.id}")).json()["state"] == "over"


async def test_a_link_to_hand_over_is_shown_once(api: Api) -> None:
    boris, bakery = await api.as_("Boris"), api.cast.tenant("Bakery").id
    made = await boris.post("/users", {"tenant": bakery, "email": "new@bakery.example", "name": "New"})
    path = f"/invitations/{made.json()['id']}/link"
    first, again = [await boris.post(path, once="link") for _ in range(2)]
    assert first.json()["link"].startswith("http://localhost:8000/join/")
    assert (again.status_code, again.json()) == (201, {})


async def test_a_letter_that_is_not_waiting_is_not_tried_again(api: Api) -> None:
    boris, bakery = await api.as_("Boris"), api.cast.tenant("Bakery").id
    await boris.post("/users", {"tenant": bakery, "email": "new@bakery.example", "name": "New"})
    [letter] = (await boris.get("/letters")).json()["items"]
    refused = await boris.post(f"/letters/{letter['id']}/try-again")
    assert (refused.status_code, refused.json()["rule"]) == (409, "letter")


async def test_several_impersonations_end_at_once(api: Api) -> None:
    body = {"membership": api.cast.membership_id("Bea"), "reason": WHY, "app": "softphone"}
    assert (await (await api.as_("Opal")).post("/impersonations", body)).status_code == 201
    olaf, opal, clinic = await api.as_("Olaf"), api.cast.user("Opal").id, api.cast.tenant("Clinic").id
    for query, count in ((f"user={opal}", 1), (f"user={api.cast.user('Olaf').id}", 0), (f"tenant={clinic}", 0)):
        assert len((await olaf.get(f"/impersonations?{query}")).json()["items"]) == count, query
    assert (await olaf.post("/impersonations/end", {})).json()["errors"][0]["field"] == "user"
    assert (await olaf.post("/impersonations/end", {"user": opal})).json() == {"ended": 1, "left": 0}
    assert (await olaf.post("/impersonations/end", {"tenant": api.cast.tenant("Bakery").id})).json()["ended"] == 0
    assert (await (await api.as_("Elsa")).post("/impersonations/end", {"user": opal})).status_code == 404


async def test_versions_of_a_playbook_are_read_on_like_every_list(api: Api) -> None:
    boris = await api.as_("Boris")
    sent = {"tenant": api.cast.tenant("Bakery").id, "title": "Ovens", "body": "1"}
    made = (await boris.post("/playbooks", sent)).json()
    for number in (1, 2):
        await boris.patch(f"/playbooks/{made['id']}", {"version": number, "body": f"{number + 1}"})
    first = (await boris.get(f"/playbooks/{made['id']}/versions?limit=2")).json()
    rest = (await boris.get(f"/playbooks/{made['id']}/versions?limit=2&cursor={first['next']}")).json()
    assert [each["number"] for each in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next"] is None


async def test_products_are_nobodys_secret(api: Api) -> None:
    bea = await api.as_("Bea")
    listed = (await bea.get("/products")).json()["items"]
    assert [each["name"] for each in listed] == ["Desk", "Softphone"]
    assert (await bea.get(f"/products/{listed[0]['id']}")).json() == listed[0]
    assert (await bea.get("/products/999")).status_code == 404
