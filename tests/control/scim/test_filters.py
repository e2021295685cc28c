"""What can be asked over SCIM: every operator, values in lists, and how much of a record is told."""

from tests.conftest import ON_BOTH
from tests.control.scim.conftest import Scim
from tests.control.scim.test_users import names_of, replacing


@ON_BOTH
async def test_every_operator_finds_what_it_says(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    for name, own in (("ape", "Ab-1"), ("bat", "ab-2"), ("cat", None)):
        await elsa.invited(f"{name}@zoo.example", externalId=own, displayName=f"{name.title()}_x")
    roles = [{"value": "auditor"}]
    await elsa.invited("dog@zoo.example", externalId="cd-3", displayName="Dog%x", roles=roles, active=False)
    mine = ["ape", "bat", "cat", "dog"]
    for asked, found in {
        'userName eq "APE@zoo.example"': "ape",
        'displayName ne "ape_x"': "bat cat dog",
        'displayName co "_"': "ape bat cat",
        'displayName co "%"': "dog",
        'displayName sw "BA"': "bat",
        'displayName ew "%x"': "dog",
        # Numbers of a directory's own are the same letter for letter
        'externalId eq "ab-1"': "",
        'externalId eq "Ab-1"': "ape",
        'externalId ne "Ab-1"': "bat cat dog",
        'externalId sw "ab"': "bat",
        'externalId co "b-"': "ape bat",
        'externalId co "B-"': "",
        'externalId ew "-3"': "dog",
        'externalId ew "x-cd-3"': "",
        "externalId pr": "ape bat dog",
        "not (externalId pr)": "cat",
        'externalId gt "ab-1"': "bat dog",
        'userName ge "cat@zoo.example" and userName le "dog@zoo.example"': "cat dog",
        'userName lt "bat@zoo.example"': "ape",
        "active eq false": "dog",
        "active ne false": "ape bat cat",
        "roles pr": "dog",
        'roles eq "auditor"': "dog",
        'roles[value sw "AUD"]': "dog",
        'emails[type eq "work" and value sw "ca"]': "cat",
        'emails.type eq "home"': "",
        "emails[primary eq true]": "ape bat cat dog",
        "groups pr": "",
        'meta.resourceType eq "User"': "ape bat cat dog",
        'meta.created ge "2020-01-01T00:00:00Z" and meta.lastModified lt "2020-01-01T00:00:00Z"': "",
        "externalId eq null and displayName ne null": "cat",
        'userName sw "a" or userName sw "b" and externalId co "2"': "ape bat",
        '(userName sw "a" or userName sw "b") and externalId co "2"': "bat",
        'not (userName sw "a" or externalId co "2")': "cat dog",
        'urn:ietf:params:scim:schemas:core:2.0:User:userName sw "a"': "ape",
    }.items():
        names = [each.partition("@")[0] for each in await names_of(elsa, f"?sortBy=userName&filter={asked}")]
        assert [each for each in names if each in mine] == found.split(), asked


@ON_BOTH
async def test_people_are_found_by_their_teams_and_teams_by_their_people(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), str(scim.cast.membership_id("Zoe"))
    kit = (await elsa.invited("kit@zoo.example"))["id"]
    teams = {}
    for name, members in (("Day", [zoe, kit]), ("Night", [kit]), ("Nobody", [])):
        body = {"displayName": name, "members": [{"value": each} for each in members]}
        teams[name] = (await elsa.post("/Groups", body)).json()["id"]
    here = [scim.cast.user("Zoe").email, "kit@zoo.example"]

    async def people(asked: str) -> set[str]:
        return {each for each in await names_of(elsa, f"?filter={asked}") if each in here}

    async def groups(asked: str) -> set[str]:
        answer = await elsa.get(f"/Groups?filter={asked}")
        assert answer.status_code == 200, answer.text
        return {each["displayName"] for each in answer.json()["Resources"]}

    assert await people(f'groups.value eq "{teams["Day"]}"') == set(here)
    assert await people(f'groups eq "{teams["Night"]}"') == {"kit@zoo.example"}
    assert await people('groups.display sw "ni"') == {"kit@zoo.example"}
    assert await people(f'groups[value eq "{teams["Day"]}" and display eq "night"]') == set()
    assert await people(f'not (groups.value eq "{teams["Night"]}")') == {here[0]}
    assert await groups(f'members.value eq "{zoe}"') == {"Day"}
    assert await groups(f'members[value eq "{kit}"]') == {"Day", "Night"}
    assert await groups(f'members eq "{kit}" and not (members eq "{zoe}")') == {"Night"}
    assert await groups(f'members[value eq "{zoe}" and value eq "{kit}"]') == set()
    assert "Nobody" in await groups("not (members pr)")
    assert await groups('members.value eq "987654"') == set()
    # A neighbour's number is found no more than nobody's
    assert await groups(f'members.value eq "{scim.cast.membership_id("Bea")}"') == set()


async def test_a_record_is_told_as_far_as_it_was_asked_for(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), scim.cast.membership_id("Zoe")
    always = {"schemas", "id"}
    for query, told in (
        ("attributes=userName", always | {"userName"}),
        ("attributes=emails.type,urn:ietf:params:scim:schemas:core:2.0:User:active", always | {"emails", "active"}),
        ("attributes=nickName", always),
    ):
        answer = await elsa.get(f"/Users/{zoe}?{query}")
        assert answer.json().keys() == told, query
    assert (await elsa.get(f"/Users/{zoe}?attributes=emails.type")).json()["emails"] == [{"type": "work"}]
    less = await elsa.get(f"/Users/{zoe}?excludedAttributes=emails,meta,id")
    assert less.json().keys() >= always | {"userName", "active"}
    assert not less.json().keys() & {"emails", "meta"}
    both = await elsa.get(f"/Users/{zoe}?attributes=id&excludedAttributes=emails")
    assert (both.status_code, both.json()["status"]) == (400, "400")
    # What changes a record answers with as much as was asked for (RFC 7644 section 3.9)
    changed = await elsa.patch(f"/Users/{zoe}?attributes=displayName", replacing("displayName", "Zoe Z."))
    assert changed.json().keys() == always | {"displayName"}
    made = await elsa.send(
        "POST", "/Groups?excludedAttributes=members", {"displayName": "N", "members": [{"value": str(zoe)}]}
    )
    assert (made.status_code, "members" in made.json()) == (201, False)
    put = await elsa.send("PUT", f"/Groups/{made.json()['id']}?attributes=id", {"displayName": "M"})
    assert put.json().keys() == always
    # The version is the record's, whatever is told of it
    assert put.headers["etag"] == (await elsa.get(f"/Groups/{made.json()['id']}")).headers["etag"]


async def test_pages_are_as_long_as_they_are_said_to_be(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    for number in range(4):
        await elsa.invited(f"p{number}@zoo.example", externalId="page")
    query = '/Users?filter=externalId eq "page"'
    for more, told in (
        ("&count=-1", (4, 0, 1)),
        ("&startIndex=-5&count=3", (4, 3, 1)),
        ("&startIndex=4&count=3", (4, 1, 4)),
        ("&startIndex=9", (4, 0, 9)),
        ("&count=100000", (4, 4, 1)),
    ):
        answer = (await elsa.get(query + more)).json()
        assert (answer["totalResults"], answer["itemsPerPage"], answer["startIndex"]) == told, more
        assert len(answer["Resources"]) == answer["itemsPerPage"]
    searched = await elsa.post("/Users/.search", {"filter": 'externalId eq "page"', "count": 2, "attributes": ["id"]})
    assert (searched.json()["totalResults"], len(searched.json()["Resources"])) == (4, 2)


async def test_what_is_announced_is_so(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    said = (await elsa.get("/ServiceProviderConfig")).json()
    supported = {key for key, each in said.items() if isinstance(each, dict) and each.get("supported") is True}
    assert supported == {"patch", "bulk", "filter", "sort", "etag"}
    assert said["changePassword"]["supported"] is False
    assert (said["pagination"]["cursor"], said["pagination"]["index"]) == (False, True)
    assert (await elsa.get("/Users?count=1000")).json()["itemsPerPage"] <= said["filter"]["maxResults"]
    cursor = await elsa.get("/Users?cursor&count=1")
    assert (cursor.status_code, "nextCursor" in cursor.json()) == (200, False)
