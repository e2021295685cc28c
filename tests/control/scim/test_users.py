"""Users over SCIM: Elsa's directory keeps Zoo's people, and knows nobody else's."""

import json

import pytest
import sqlalchemy as sa

from bindings.endings import discard_membership
from bindings.joining import join, newcomer
from bindings.login import Login
from tenants.api_keys import ApiKey
from tenants.invitations import Invitation
from tenants.letters import Letter
from tenants.people import Membership, find_membership
from tenants.refusals import Invalid, NotPermitted
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import house_work
from tests.conftest import ON_BOTH
from tests.control.logins import log_in
from tests.control.scim.conftest import USER, Directory, Scim


async def letters_to(scim: Scim, address: str) -> int:
    async with house_work(scim.store) as session:
        wanted = sa.select(sa.func.count(Letter.id)).where(Letter.address == address)
        return await session.scalar(wanted) or 0


async def accepts(scim: Scim, number: str, name: str = "Kit Keeper") -> None:
    """Whoever was invited opens their letter."""
    async with house_work(scim.store, scim.clock.now) as session:
        wanted = sa.select(Invitation).where(Invitation.membership_number == int(number))
        invitation = (await session.scalars(wanted.options(sa.orm.joinedload(Invitation.tenant)))).one()
        user = await newcomer(session, invitation, name, "hash", scim.clock.now)
        await join(session, [invitation], user, scim.clock.now)


def replacing(path: str, value: object) -> dict[str, object]:
    return {"op": "replace", "path": path, "value": value}


async def names_of(directory: Directory, query: str = "") -> list[str]:
    answer = await directory.get(f"/Users{query}")
    assert answer.status_code == 200, answer.text
    return [each["userName"] for each in answer.json()["Resources"]]


@ON_BOTH
async def test_elsa_provisions_somebody_who_is_told_by_the_number_of_their_membership(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    made = await elsa.invited("keeper@zoo.example", externalId="7", name={"givenName": "Kit", "familyName": "Keeper"})
    assert made["schemas"] == [USER]
    assert made["active"] is True
    assert made["emails"] == [{"value": "keeper@zoo.example", "type": "work", "primary": True}]
    found = await elsa.get(f"/Users/{made['id']}")
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("application/scim+json")
    assert found.headers["etag"] == found.json()["meta"]["version"]
    assert found.json() == made
    assert await letters_to(scim, "keeper@zoo.example") == 1
    await accepts(scim, made["id"])
    joined = (await elsa.get(f"/Users/{made['id']}")).json()
    assert (joined["externalId"], joined["active"], joined["displayName"]) == ("7", True, "Kit Keeper")
    async with house_work(scim.store) as session:
        membership = await session.get_one(Membership, int(made["id"]))
        assert membership.tenant_id == scim.cast.tenant("Zoo").id


@ON_BOTH
async def test_numbers_that_are_kept_are_given_to_nobody_else(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    first, second = await elsa.invited("one@zoo.example"), await elsa.invited("two@zoo.example")
    await accepts(scim, second["id"], "Two")
    third = await elsa.invited("three@zoo.example")
    assert len({first["id"], second["id"], third["id"]}) == 3
    await accepts(scim, first["id"], "One")
    assert (await elsa.get(f"/Users/{first['id']}")).json()["displayName"] == "One"


async def test_an_address_that_is_known_elsewhere_is_answered_like_any_other(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    unknown = await elsa.invited("nobody@zoo.example", displayName="Bea")
    known = await elsa.invited(scim.cast.user("Bea").email, displayName="Bea")
    told = ("active", "displayName", "name", "schemas")
    assert [known[key] for key in told] == [unknown[key] for key in told]
    assert known.keys() == unknown.keys()


async def test_an_address_is_unique_among_the_companys_own_people(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    for address in (scim.cast.user("Zoe").email, "twice@zoo.example"):
        if address.startswith("twice"):
            await elsa.invited(address)
        again = await elsa.post("/Users", {"schemas": [USER], "userName": address})
        assert again.status_code == 409
        assert again.json()["scimType"] == "uniqueness"


async def test_a_neighbours_people_are_nowhere(scim: Scim) -> None:
    elsa, bea = await scim.of("Elsa", "Zoo"), scim.cast.membership_id("Bea")
    for method, body in (("GET", None), ("PUT", {"userName": "x@y.example"}), ("PATCH", {}), ("DELETE", None)):
        answer = await elsa.send(method, f"/Users/{bea}", body)
        assert answer.status_code == 404, method
    assert await names_of(elsa, f'?filter=userName eq "{scim.cast.user("Bea").email}"') == []
    assert await names_of(elsa, f'?filter=id eq "{bea}"') == []
    assert set(await names_of(elsa, "?filter=userName pr")) <= {each.email for each in scim.cast.people.values()}
    assert scim.cast.user("Bea").email not in await names_of(elsa)
    assert scim.cast.user("Elsa").email not in await names_of(elsa)
    group = await elsa.post("/Groups", {"displayName": "Night", "members": [{"value": str(bea)}]})
    nobody = await elsa.post("/Groups", {"displayName": "Night", "members": [{"value": "987654"}]})
    assert (group.status_code, nobody.status_code) == (400, 400)
    assert group.json()["detail"].replace(str(bea), "") == nobody.json()["detail"].replace("987654", "")


async def test_only_a_key_of_the_directorys_own_opens_it_and_it_opens_nothing_else(scim: Scim) -> None:
    elsa, ordinary = await scim.of("Elsa", "Zoo"), await scim.ordinary("Elsa")
    assert (await ordinary.get("/Users")).status_code == 403
    assert (await Directory(scim.client).get("/Users")).status_code == 401
    assert (await Directory(scim.client).get("/Users")).json()["status"] == "401"
    bearer = {"Authorization": f"Bearer {elsa.secret}"}
    for path in ("/api/v1/users", "/api/v1/me", "/api/v1/tenants"):
        assert (await scim.client.get(path, headers=bearer)).status_code == 403, path
    assert (await scim.client.post("/api/v1/users", headers=bearer, json={})).status_code == 403


async def test_the_key_ends_with_its_admins_place(scim: Scim) -> None:
    elsa, actor = await scim.of("Elsa", "Zoo"), scim.cast.actor("Elsa")
    async with house_work(scim.store, scim.clock.now) as session:
        membership = await find_membership(session, actor.standing.membership_id)
        await discard_membership(session, scim.cast.actor("Sven"), membership, scim.clock.now)
    assert (await elsa.get("/Users")).status_code == 401


async def test_only_an_admin_there_or_above_makes_a_directorys_key(scim: Scim) -> None:
    for name, company in (("Bruno", "Bakery"), ("Opal", "Bakery"), ("Boris", "Clinic"), ("Olaf", "Zoo")):
        async with house_work(scim.store) as session:
            membership = await find_membership(session, scim.cast.membership_id(name))
            tenant = await session.get_one(Tenant, scim.cast.tenant(company).id)
            with pytest.raises(NotPermitted):
                await ApiKey.provision(session, membership, tenant, "a directory", 30, scim.clock.now)
            with pytest.raises(Invalid):
                await ApiKey.make(session, membership, "a directory", ["scim"], 30, scim.clock.now)


@ON_BOTH
async def test_inactive_ends_a_login_at_once_and_active_brings_back_the_record_alone(scim: Scim) -> None:
    await log_in(scim, "Zoe")  # type: ignore[arg-type]
    elsa, zoe = await scim.of("Elsa", "Zoo"), scim.cast.membership_id("Zoe")
    answer = await elsa.patch(f"/Users/{zoe}", replacing("active", "False"))
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    async with house_work(scim.store) as session:
        logins = (await session.scalars(sa.select(Login).where(Login.actor_membership_id == zoe))).all()
        assert logins
        assert all(login.ended_at == scim.clock.now for login in logins)
        ended = sa.select(Entry).where(Entry.record_type == "memberships", Entry.record_id == str(zoe))
        entry = (await session.scalars(ended.order_by(Entry.id.desc()).limit(1))).one()
        assert (entry.verb, entry.actor_membership_id) == (Verb.MEMBERSHIP_DISCARDED, scim.cast.membership_id("Elsa"))
    back = await elsa.patch(f"/Users/{zoe}", replacing("active", True))
    assert back.json()["active"] is True
    async with house_work(scim.store) as session:
        still = sa.select(sa.func.count(Login.id)).where(Login.actor_membership_id == zoe, Login.ended_at.is_(None))
        assert await session.scalar(still) == 0


async def test_an_invitation_that_is_made_inactive_lets_nobody_in_until_it_is_active(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    made = await elsa.invited("later@zoo.example", active=False)
    assert made["active"] is False
    assert await letters_to(scim, "later@zoo.example") == 0
    await elsa.patch(f"/Users/{made['id']}", replacing("active", True))
    assert await letters_to(scim, "later@zoo.example") == 1
    answer = await elsa.patch(f"/Users/{made['id']}", replacing("active", False))
    assert answer.json()["active"] is False
    async with house_work(scim.store) as session:
        wanted = sa.select(Invitation.token_hash).where(Invitation.membership_number == int(made["id"]))
        assert await session.scalar(wanted) is None


async def test_a_deleted_user_is_gone_and_comes_back_as_the_same_membership(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), scim.cast.membership_id("Zoe")
    assert (await elsa.send("DELETE", f"/Users/{zoe}")).status_code == 204
    assert (await elsa.get(f"/Users/{zoe}")).status_code == 404
    assert scim.cast.user("Zoe").email not in await names_of(elsa)
    async with house_work(scim.store) as session:
        assert (await session.get_one(Membership, zoe)).discarded_at == scim.clock.now
    again = await elsa.invited(scim.cast.user("Zoe").email)
    assert again["id"] == str(zoe)


async def test_an_address_is_not_changed_over_scim(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), scim.cast.membership_id("Zoe")
    for answer in (
        await elsa.patch(f"/Users/{zoe}", replacing("userName", "other@zoo.example")),
        await elsa.send("PUT", f"/Users/{zoe}", {"schemas": [USER], "userName": "other@zoo.example"}),
    ):
        assert answer.status_code == 400
        assert answer.json()["scimType"] == "mutability"


async def test_roles_are_within_what_the_keys_admin_may_give(scim: Scim) -> None:
    elsa, zoe = await scim.of("Elsa", "Zoo"), scim.cast.membership_id("Zoe")
    given = await elsa.patch(f"/Users/{zoe}", replacing("roles", [{"value": "supervisor"}]))
    assert given.json()["roles"] == [{"value": "supervisor"}]
    for role in ("operator", "owner"):
        answer = await elsa.patch(f"/Users/{zoe}", replacing("roles", [{"value": role}]))
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    made = await elsa.post("/Users", {"schemas": [USER], "userName": "o@zoo.example", "roles": [{"value": "operator"}]})
    assert made.status_code == 400


async def test_a_version_that_has_passed_changes_nothing(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    made = await elsa.invited("v@zoo.example")
    old = made["meta"]["version"]
    assert (await elsa.get(f"/Users/{made['id']}", if_none_match=old)).status_code == 304
    first = await elsa.patch(f"/Users/{made['id']}", replacing("displayName", "Another"), if_match=old)
    assert first.status_code == 200
    assert first.headers["etag"] != old
    late = await elsa.patch(f"/Users/{made['id']}", replacing("displayName", "Third"), if_match=old)
    assert (late.status_code, late.json()["status"]) == (412, "412")
    assert (await elsa.send("DELETE", f"/Users/{made['id']}", if_match=old)).status_code == 412


@ON_BOTH
async def test_filters_order_and_pages(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    for letter in "cab":
        await elsa.invited(f"{letter}@zoo.example", externalId=f"e-{letter}", displayName=f"Person {letter.upper()}")
    mine = 'userName ew "@zoo.example" and externalId sw "e-"'
    rising = [f"{letter}@zoo.example" for letter in "abc"]
    assert await names_of(elsa, f"?filter={mine}&sortBy=userName") == rising
    assert await names_of(elsa, f"?filter={mine}&sortBy=userName&sortOrder=descending") == rising[::-1]
    assert await names_of(elsa, f"?filter={mine}&sortBy=userName&startIndex=2&count=1") == rising[1:2]
    assert await names_of(elsa, '?filter=displayName eq "person a"') == rising[:1]
    assert await names_of(elsa, '?filter=emails[value co "b@zoo"]') == rising[1:2]
    assert await names_of(elsa, '?filter=not (externalId sw "e-") and userName sw "a@zoo"') == []
    assert await names_of(elsa, '?filter=active eq false or externalId eq "e-c"') == rising[2:]
    assert len(await names_of(elsa, '?filter=meta.lastModified gt "2020-01-01T00:00:00Z"')) >= 4
    none = (await elsa.get("/Users?count=0")).json()
    assert (none["Resources"], none["totalResults"] >= 4) == ([], True)
    one = (await elsa.get(f'/Users?filter=userName eq "{rising[0]}"&attributes=displayName')).json()["Resources"]
    assert set(one[0]) == {"schemas", "id", "displayName"}


@ON_BOTH
async def test_what_cannot_be_asked_is_refused_in_scims_words(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    for query, kind in (
        ("filter=userName is 3", "invalidFilter"),
        ('filter=nickName eq "x"', "invalidFilter"),
        ('filter=meta.created gt "yesterday"', "invalidFilter"),
        ("filter=" + "(" * 30 + 'userName eq "x"' + ")" * 30, "tooMany"),
        ("filter=" + "x" * 2000, "tooMany"),
        ("sortBy=groups", "invalidPath"),
        ("startIndex=many", "invalidValue"),
    ):
        answer = await elsa.get(f"/Users?{query}")
        assert (answer.status_code, answer.json().get("scimType")) == (400, kind), query
    for body in ("[]", "{", '{"schemas": ["x"]}', json.dumps({"userName": "no address", "schemas": [USER]})):
        headers = {"Authorization": f"Bearer {elsa.secret}"}
        answer = await scim.client.post("/scim/v2/Users", content=body, headers=headers)
        assert answer.status_code == 400, body
        assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert (await elsa.get("/Me")).status_code == 501
    assert (await elsa.get("/Nothing")).json()["status"] == "404"
