"""Directories as they really speak: the requests that Entra ID and Okta document, sent as they send them."""

from typing import Any

from tests.control.scim.conftest import GROUP, USER, Directory, Scim
from tests.control.scim.test_groups import members_of

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MICROSOFT = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


async def shown(directory: Directory, number: str) -> dict[str, Any]:
    answer = await directory.get(f"/Users/{number}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def entra_user(address: str) -> dict[str, Any]:
    return {
        "schemas": [USER, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": address,
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": address}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Kit Keeper", "familyName": "Keeper", "givenName": "Kit"},
        "roles": [],
        ENTERPRISE: {"department": "Apes"},
    }


async def test_entra_finds_nobody_makes_them_and_finds_them(scim: Scim) -> None:
    elsa, query = await scim.of("Elsa", "Zoo"), '/Users?filter=userName eq "kit@zoo.example"'
    assert (await elsa.get(query)).json()["totalResults"] == 0
    made = await elsa.post("/Users", entra_user("kit@zoo.example"))
    assert made.status_code == 201, made.text
    found = (await elsa.get(query)).json()["Resources"]
    assert [(each["id"], each["displayName"]) for each in found] == [(made.json()["id"], "Kit Keeper")]
    by_mail = '/Users?filter=emails[type eq "work"].value eq "kit@zoo.example"'
    assert (await elsa.get(by_mail)).json()["totalResults"] == 1
    own = '/Users?filter=externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"'
    assert (await elsa.get(own)).json()["totalResults"] == 1


async def test_entra_changes_people_with_capitals_and_deactivates_them_with_a_word(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), str(scim.cast.membership_id("Zoe"))
    answer = await elsa.patch(
        f"/Users/{zoe}",
        {"op": "Replace", "path": "displayName", "value": "Zoe Zebra"},
        {"op": "Replace", "path": "name.familyName", "value": "Zebra"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Zebras"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": "12"},
        {"op": "Add", "path": 'phoneNumbers[type eq "work"].value', "value": "201"},
        {"op": "Add", "path": "externalId", "value": "z-1"},
    )
    assert answer.status_code == 200, answer.text
    assert (answer.json()["displayName"], answer.json()["externalId"]) == ("Zoe Zebra", "z-1")
    for word, active in (("False", False), ("True", True)):
        answer = await elsa.patch(f"/Users/{zoe}", {"op": "Replace", "path": "active", "value": word})
        assert answer.status_code == 200, answer.text
        assert (await shown(elsa, zoe))["active"] is active
    without = await elsa.patch(
        f"/Users/{zoe}", {"op": "Replace", "value": {"active": "False", "name.formatted": "Zoe"}}
    )
    assert (without.status_code, without.json()["active"]) == (200, False), without.text


async def test_entra_repeats_an_address_and_is_told_that_another_is_not_taken(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), str(scim.cast.membership_id("Zoe"))
    path, mine = 'emails[type eq "work"].value', scim.cast.user("Zoe").email
    same = await elsa.patch(f"/Users/{zoe}", {"op": "Replace", "path": path, "value": mine.upper()})
    assert same.status_code == 200, same.text
    name = await elsa.patch(f"/Users/{zoe}", {"op": "Replace", "path": "userName", "value": mine.title()})
    assert name.status_code == 200, name.text
    both = {"op": "Replace", "value": {"emails": [{"type": "work", "value": mine}], "displayName": "Zoe Z."}}
    assert (await elsa.patch(f"/Users/{zoe}", both)).json()["displayName"] == "Zoe Z."
    whole = [{"op": "Replace", "path": "emails", "value": [{"type": "work", "value": mine}]}]
    assert (await elsa.patch(f"/Users/{zoe}", *whole)).status_code == 200
    for operation in (
        {"op": "Replace", "path": path, "value": "other@zoo.example"},
        {"op": "Add", "path": "emails", "value": [{"type": "home", "value": "home@zoo.example"}]},
        {"op": "Replace", "value": {"emails": [{"type": "work", "value": "other@zoo.example"}]}},
        {"op": "Remove", "path": path},
    ):
        other = await elsa.patch(f"/Users/{zoe}", operation)
        assert (other.status_code, other.json().get("scimType")) == (400, "mutability"), operation
    assert (await shown(elsa, zoe))["emails"] == [{"value": mine, "type": "work", "primary": True}]


async def test_entra_gives_one_role_or_several_of_which_one_is_new(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), str(scim.cast.membership_id("Zoe"))
    single = 'roles[primary eq "True"].value'
    entra = {"primary": "True", "type": "WindowsAzureActiveDirectoryRole", "value": "supervisor", "display": "Lead"}
    for operation, role in (
        ({"op": "Add", "path": single, "value": "supervisor"}, "supervisor"),
        ({"op": "Replace", "path": single, "value": "auditor"}, "auditor"),
        ({"op": "Add", "path": "roles", "value": [entra]}, "supervisor"),
        ({"op": "Remove", "path": 'roles[value eq "supervisor"]'}, None),
        ({"op": "Replace", "path": "roles", "value": "auditor"}, "auditor"),
        ({"op": "Remove", "path": single}, None),
    ):
        answer = await elsa.patch(f"/Users/{zoe}", operation)
        assert answer.status_code == 200, answer.text
        assert answer.json().get("roles") == ([{"value": role}] if role else None), operation


async def test_entra_fills_a_group_it_reads_without_its_members(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), str(scim.cast.membership_id("Zoe"))
    body = {
        "schemas": [GROUP, MICROSOFT],
        "externalId": "g-7",
        "displayName": "Night",
        "meta": {"resourceType": "Group"},
    }
    made = await elsa.post("/Groups", body)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    adding = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": zoe}]}
    assert (await elsa.patch(f"/Groups/{number}", adding)).status_code == 200
    assert await members_of(elsa, number) == {zoe}
    for query in (f"/{number}?excludedAttributes=members", '?excludedAttributes=members&filter=displayName eq "night"'):
        answer = (await elsa.get(f"/Groups{query}")).json()
        found = answer["Resources"][0] if "Resources" in answer else answer
        assert (found["displayName"], "members" in found) == ("Night", False)
    inside = f'/Groups?filter=id eq "{number}" and members eq "{zoe}"&attributes=id'
    assert (await elsa.get(inside)).json()["totalResults"] == 1
    removing = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": zoe}]}
    assert (await elsa.patch(f"/Groups/{number}", removing)).status_code == 200
    assert await members_of(elsa, number) == set()


def okta_user(address: str, **more: Any) -> dict[str, Any]:
    return {
        "schemas": [USER],
        "userName": address,
        "name": {"givenName": "Kit", "familyName": "Keeper"},
        "emails": [{"primary": True, "value": address, "type": "work"}],
        "displayName": "Kit Keeper",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
        **more,
    }


async def test_okta_makes_replaces_and_deactivates_somebody(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    nobody = (await elsa.get('/Users?filter=userName eq "kit@zoo.example"&startIndex=1&count=100')).json()
    assert (nobody["totalResults"], nobody["Resources"], nobody["startIndex"]) == (0, [], 1)
    made = await elsa.post("/Users", okta_user("kit@zoo.example"))
    assert made.status_code == 201, made.text
    assert "password" not in made.text
    number = made.json()["id"]
    again = made.json() | okta_user("kit@zoo.example", displayName="Kit K.", id=number)
    put = await elsa.send("PUT", f"/Users/{number}", again)
    assert (put.status_code, put.json()["displayName"]) == (200, "Kit K."), put.text
    for active in (False, True):
        answer = await elsa.patch(f"/Users/{number}", {"op": "replace", "value": {"active": active}})
        assert (answer.status_code, answer.json()["active"]) == (200, active), answer.text


async def test_okta_pushes_a_group(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), str(scim.cast.membership_id("Zoe"))
    made = await elsa.post("/Groups", {"schemas": [GROUP], "displayName": "Night", "members": []})
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    renamed = await elsa.patch(f"/Groups/{number}", {"op": "replace", "value": {"id": number, "displayName": "Day"}})
    assert (renamed.status_code, renamed.json()["displayName"]) == (200, "Day"), renamed.text
    member = {"value": zoe, "display": scim.cast.user("Zoe").email}
    assert (
        await elsa.patch(f"/Groups/{number}", {"op": "add", "path": "members", "value": [member]})
    ).status_code == 200
    moved: list[dict[str, Any]] = [
        {"op": "remove", "path": f'members[value eq "{zoe}"]'},
        {"op": "add", "path": "members", "value": [member]},
    ]
    assert (await elsa.patch(f"/Groups/{number}", *moved)).status_code == 200
    assert await members_of(elsa, number) == {zoe}
    assert (await elsa.patch(f"/Groups/{number}", {"op": "replace", "path": "members", "value": []})).status_code == 200
    assert await members_of(elsa, number) == set()
    whole = {"schemas": [GROUP], "id": number, "displayName": "Day", "members": [member]}
    assert (await elsa.send("PUT", f"/Groups/{number}", whole)).status_code == 200
    assert await members_of(elsa, number) == {zoe}
    assert (await elsa.send("DELETE", f"/Groups/{number}")).status_code == 204
