"""Bulk over SCIM: each operation by itself, what comes later may be named before, and no further than asked."""

from typing import Any

import httpx

from tests.control.scim.conftest import BULK, PATCH, USER, Directory, Scim


async def bulk(directory: Directory, *operations: dict[str, Any], **more: Any) -> httpx.Response:
    return await directory.post("/Bulk", {"schemas": [BULK], "Operations": list(operations), **more})


def inviting(name: str) -> dict[str, Any]:
    data = {"schemas": [USER], "userName": f"{name}@zoo.example", "displayName": name}
    return {"method": "POST", "path": "/Users", "bulkId": name, "data": data}


async def test_a_team_may_name_people_who_are_made_after_it(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    members = [{"value": "bulkId:kit"}, {"value": "bulkId:kat"}]
    team = {"method": "POST", "path": "/Groups", "bulkId": "t", "data": {"displayName": "New", "members": members}}
    later = {
        "method": "PATCH",
        "path": "/Users/bulkId:kit",
        "data": {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "externalId", "value": "k-1"}]},
    }
    answer = await bulk(elsa, team, later, inviting("kit"), inviting("kat"))
    assert answer.status_code == 200
    done = answer.json()["Operations"]
    assert [each["status"] for each in done] == ["201", "200", "201", "201"], answer.text
    group = (await scim.client.get(done[0]["location"], headers={"Authorization": f"Bearer {elsa.secret}"})).json()
    assert {each["value"] for each in group["members"]} == {each["location"].rpartition("/")[2] for each in done[2:]}


async def test_a_neighbours_user_is_not_there_and_the_rest_is_done(scim: Scim) -> None:
    elsa, bea = await scim.of("Elsa", "Zoo"), scim.cast.membership_id("Bea")
    off = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": False}]}
    theirs = {"method": "PATCH", "path": f"/Users/{bea}", "data": off}
    nobodys = {"method": "PATCH", "path": "/Users/bulkId:nobody", "data": off}
    ended = {"method": "DELETE", "path": f"/Users/{bea}"}
    answer = await bulk(elsa, theirs, nobodys, ended, inviting("kit"))
    done = answer.json()["Operations"]
    assert [each["status"] for each in done] == ["404", "409", "404", "201"]
    assert done[0]["response"]["detail"] == done[2]["response"]["detail"]
    assert [each.get("location", "").rpartition("/")[2] for each in done[:3]] == [str(bea), "", str(bea)]


async def test_a_version_that_has_passed_is_refused_and_a_name_stands_for_one(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    made = await elsa.invited("kit@zoo.example")
    number, old = made["id"], made["meta"]["version"]
    replacing = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "externalId", "value": "1"}]}
    change = {"method": "PATCH", "path": f"/Users/{number}", "version": old, "data": replacing}
    put = {"method": "put", "path": f"/Users/{number}", "data": made | {"displayName": "Kat"}}
    gone = {"method": "DELETE", "path": f"/Users/{number}", "version": old}
    answer = await bulk(elsa, change, gone, put, inviting("kat"), inviting("kat"))
    done = answer.json()["Operations"]
    assert [each["status"] for each in done] == ["200", "412", "200", "201", "400"], answer.text
    assert done[2]["version"] == (await elsa.get(f"/Users/{number}")).headers["etag"]


async def test_it_stops_after_as_many_errors_as_were_said(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    wrong = {"method": "POST", "path": "/Users", "bulkId": "w", "data": {"schemas": [USER], "userName": "none"}}
    answer = await bulk(elsa, wrong, wrong, inviting("kit"), failOnErrors=2)
    assert [each["status"] for each in answer.json()["Operations"]] == ["400", "400"]
    assert (await elsa.get('/Users?filter=userName eq "kit@zoo.example"')).json()["totalResults"] == 0


async def test_too_much_at_once_is_refused_whole(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    assert (await bulk(elsa, *[inviting(f"p{n}") for n in range(101)])).status_code == 413
    large = inviting("kit") | {"data": {"x": "y" * 1_100_000}}
    assert (await bulk(elsa, large)).status_code == 413
    for operation in ({"method": "GET", "path": "/Users/1"}, {"method": "POST", "path": "/Me", "bulkId": "m"}, {}):
        done = (await bulk(elsa, operation)).json()["Operations"]
        assert done[0]["response"]["scimType"] == "invalidPath"
