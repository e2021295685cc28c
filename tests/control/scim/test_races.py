"""Two requests of a directory at once: one of them is the second, and learns of it."""

import asyncio

from tests.conftest import ON_BOTH
from tests.control.scim.conftest import USER, Scim
from tests.control.scim.test_groups import members_of
from tests.control.scim.test_users import letters_to, names_of, replacing


@ON_BOTH
async def test_of_those_who_make_the_same_person_at_once_one_makes_them(scim: Scim) -> None:
    elsa, body = await scim.of("Elsa", "Zoo"), {"schemas": [USER], "userName": "kit@zoo.example"}
    answers = await asyncio.gather(*(elsa.post("/Users", body) for _ in range(4)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    assert {each.json()["scimType"] for each in answers if each.status_code == 409} == {"uniqueness"}
    assert (await names_of(elsa)).count("kit@zoo.example") == 1
    assert await letters_to(scim, "kit@zoo.example") == 1


@ON_BOTH
async def test_of_those_who_change_the_same_version_at_once_one_changes_it(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), f"/Users/{scim.cast.membership_id('Zoe')}"
    seen = (await elsa.get(zoe)).headers["etag"]
    names = ("Zoe A.", "Zoe B.")
    answers = await asyncio.gather(
        *(elsa.patch(zoe, replacing("displayName", name), if_match=seen) for name in names),
    )
    assert sorted(each.status_code for each in answers) == [200, 412]
    first = next(name for name, each in zip(names, answers, strict=True) if each.status_code == 200)
    assert (await elsa.get(zoe)).json()["displayName"] == first


@ON_BOTH
async def test_those_who_fill_a_team_at_once_both_fill_it(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    people = [(await elsa.invited(f"p{number}@zoo.example"))["id"] for number in range(2)]
    people.append(str(scim.cast.membership_id("Zoe")))
    number = (await elsa.post("/Groups", {"displayName": "Night"})).json()["id"]
    adding = ({"op": "add", "path": "members", "value": [{"value": each}]} for each in people)
    answers = await asyncio.gather(*(elsa.patch(f"/Groups/{number}", each) for each in adding))
    assert [each.status_code for each in answers] == [200] * 3
    assert await members_of(elsa, number) == set(people)
