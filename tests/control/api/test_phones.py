"""Phones through the API: systems, extensions, licences."""

from tests.cast import bind
from tests.control.api.conftest import Api


async def test_an_extension_carries_number_user_phone_system_and_tenant(api: Api) -> None:
    line = api.cast.extension("Bakery", "201")
    shown = (await (await api.as_("Olaf")).get(f"/extensions/{line.id}")).json()
    bea = api.cast.user("Bea")
    assert shown["number"] == "201"
    assert shown["user"] == {"id": bea.id, "name": bea.name, "email": bea.email}
    assert shown["phone_system"] == {"id": api.cast.phone_system_id("Bakery"), "name": "Bakery PBX"}
    assert shown["tenant"] == {"id": api.cast.tenant("Bakery").id, "name": "Bakery"}


async def test_zoe_has_the_same_number_and_olaf_sees_only_beas(api: Api) -> None:
    found = (await (await api.as_("Olaf")).get("/extensions?q=201")).json()["items"]
    assert [each["tenant"]["name"] for each in found] == ["Bakery"]


async def test_boris_adds_a_phone_system_with_an_extension_for_amos(api: Api) -> None:
    boris, bakery = await api.as_("Boris"), api.cast.tenant("Bakery").id
    system = await boris.post("/phone-systems", {"tenant": bakery, "name": "Spare PBX", "host": "Spare.PBX.example"})
    assert (system.status_code, system.json()["host"]) == (201, "spare.pbx.example")
    made = await boris.post(
        "/extensions",
        {"phone_system": system.json()["id"], "number": "7", "membership": api.cast.membership_id("Amos")},
    )
    assert (made.status_code, made.json()["user"]["name"]) == (201, "Amos Abbot")


async def test_a_number_in_use_is_refused_and_free_again_after_a_discard(api: Api) -> None:
    boris, line = await api.as_("Boris"), api.cast.extension("Bakery", "203")
    body = {"phone_system": api.cast.phone_system_id("Bakery"), "number": "203"}
    refused = await boris.post("/extensions", body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "number")
    assert (await boris.post(f"/extensions/{line.id}/discard")).json()["discarded_at"] is not None
    assert (await boris.post("/extensions", body)).status_code == 201


async def test_an_extension_goes_to_nobody_of_another_company(api: Api) -> None:
    olaf, line = await api.as_("Olaf"), api.cast.extension("Bakery", "203")
    refused = await olaf.patch(f"/extensions/{line.id}", {"membership": api.cast.membership_id("Cora")})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "membership")


async def test_giving_201_to_ben_makes_the_binding_stale_not_his(api: Api) -> None:
    olaf, line = await api.as_("Olaf"), api.cast.extension("Bakery", "201")
    binding = await bind(api.store, api.cast, "Olaf", "Bakery", "201")
    given = await olaf.patch(f"/extensions/{line.id}", {"membership": api.cast.membership_id("Ben", at="Bakery")})
    assert given.json()["user"]["name"] == "Ben Bond"
    shown = (await olaf.get(f"/bindings/{binding}")).json()
    assert (shown["stale"]["rule"], shown["subject"]["name"]) == ("reassigned", "Bea Bell")


async def test_a_licence_given_taken_and_given_again_passes_no_grant_on(api: Api) -> None:
    boris = await api.as_("Boris")
    beas = (await boris.get(f"/licences?extension={api.cast.extension('Bakery', '201').id}")).json()["items"]
    desk = next(each for each in beas if each["product"]["name"] == "Desk")
    assert desk["app_admin"] is True
    assert (await boris.delete(f"/licences/{desk['id']}")).status_code == 204
    bens = (await boris.get(f"/licences?extension={api.cast.extension('Bakery', '202').id}")).json()["items"]
    assert [each["app_admin"] for each in bens] == [False, False]
    again = await boris.post("/licences", {"extension": api.cast.extension("Bakery", "201").id, "product": "desk"})
    assert (again.status_code, again.json()["app_admin"]) == (201, False)
    granted = await boris.patch(f"/licences/{again.json()['id']}", {"app_admin": True})
    assert granted.json()["app_admin"] is True
    assert (await boris.delete(f"/licences/{desk['id']}")).status_code == 409


async def test_a_product_that_is_none_is_named(api: Api) -> None:
    boris = await api.as_("Boris")
    refused = await boris.post("/licences", {"extension": api.cast.extension("Bakery", "203").id, "product": "Fax"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "product")
