"""Users as pages: who sees whom, a new one, another name, discarded and back."""

import re

import pytest
import sqlalchemy as sa

from tenants.actor import Actor
from tenants.invitations import Invitation
from tenants.people import Membership, User
from tenants.roles import Role
from tenants.tree import Tenant
from tests.cast import bind, house_work
from tests.control.pages.visit import Panel, choices, words

HOUSE = Actor.house("the story")


def names_on(text: str) -> list[str]:
    return re.findall(r'<a class="who" href="/users/\d+">([^<]*)', text)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Pia", ["Dan Dale", "Dina Dove", "Paul Penn", "Pete Pratt", "Pia Pine"]),
        ("Clara", ["Ben Bond", "Clara Cole", "Cora Crane"]),
        ("Bruno", ["Amos Abbot", "Bea Bell", "Ben Bond", "Boris Birch", "Bruno Brook"]),
        ("Elsa", ["Elsa Eden", "Zoe Zeller"]),
    ],
)
async def test_everybody_sees_who_lies_in_their_reach(panel: Panel, name: str, seen: list[str]) -> None:
    visit = await panel.visit(name, "/users")
    assert names_on(visit.shown.text) == seen
    assert f"{len(seen)} of {len(seen)}" in words(visit.shown)


async def test_clara_learns_nothing_of_bens_other_place(panel: Panel) -> None:
    clara = await panel.visit("Clara", "/users?q=ben")
    assert "Bakery" not in words(clara.shown)
    page = await clara.open(f"/users/{panel.cast.user('Ben').id}")
    assert ("Bakery" in words(page), "An organization outside yours" in words(page)) == (False, True)


async def test_who_is_out_of_reach_is_as_if_nobody_were_there(panel: Panel) -> None:
    olaf = await panel.visit("Olaf")
    for path in ("", "/bindings", "/history"):
        theirs = await olaf.open(f"/users/{panel.cast.user('Zoe').id}{path}")
        nobody = await olaf.open(f"/users/999999{path}")
        assert (theirs.status_code, nobody.status_code) == (404, 404)
        assert words(theirs)[:400] == words(nobody)[:400]
    for number in ("0", "-1", "abc", "9" * 40):
        assert (await olaf.open(f"/users/{number}")).status_code in {400, 404}


async def test_a_long_list_is_read_page_by_page(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        dairy = await session.get_one(Tenant, panel.cast.tenant("Dairy").id)
        for number in range(60):
            user = await User.create(session, dairy, f"Temp {number:02}", f"t{number}@dairy.example", panel.clock.now)
            await Membership.create(session, HOUSE, user, dairy, Role.MEMBER, panel.clock.now)
    pia = await panel.visit("Pia", "/users?q=temp&sort=-name")
    first = names_on(pia.shown.text)
    assert (len(first), first[0], "50 of 60" in words(pia.shown)) == (50, "Temp 59", True)
    following = re.search(r'rel="next" href="([^"]*)"', pia.shown.text)
    assert following is not None
    rest = names_on((await pia.open("/users" + following[1].replace("&amp;", "&"))).text)
    assert (len(rest), rest[-1], set(first) & set(rest)) == (10, "Temp 00", set())


async def test_searching_takes_what_is_typed_as_text(panel: Panel) -> None:
    pia = await panel.visit("Pia", "/users?q=%25")
    assert "Nobody matches" in words(pia.shown)
    assert names_on((await pia.open("/users?q=DAIRY+dan")).text) == ["Dan Dale"]
    assert (await pia.open("/users?q=" + "x" * 300)).status_code == 422
    assert (await pia.open("/users?sort=password_hash")).status_code == 422
    assert "<script>" not in (await pia.open("/users?q=<script>")).text.replace('<script type="module"', "")


async def test_pia_renames_dina(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Dina').id}"
    pia = await panel.visit("Pia", path)
    await pia.follow(await pia.send(path, {"name": "  Dina   Dove-Dale "}))
    assert "Dina Dove-Dale" in words(pia.shown)
    shown = words(await pia.open(path + "/history"))
    assert "Pia Pine changed the user Dina Dove-Dale" in shown
    assert (await pia.send(path, {"name": ""})).status_code == 422


async def test_pias_history_tells_of_her_bindings(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now, reason="No ring, 4417")
    path = f"/users/{panel.cast.user('Pia').id}/history"
    assert "Pia Pine bound to Dan Dale, ext 101 at Dairy" in words((await panel.visit("Ada", path)).shown)


async def test_clara_does_not_rename_her_guest(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Ben').id}"
    clara = await panel.visit("Clara", path)
    assert 'name="name"' not in clara.shown.text
    assert (await clara.send(path, {"name": "Mallory"})).status_code == 403


async def test_who_only_looks_changes_nobody(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Bea').id}"
    for name in ("Opal", "Bruno", "Amos", "Axel"):
        visit = await panel.visit(name, path)
        assert 'name="name"' not in visit.shown.text, name
        await visit.open("/account")
        assert (await visit.send(path, {"name": "Mallory"})).status_code == 403, name


async def test_pia_discards_paul_and_takes_it_back(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Paul').id}"
    paul, pia = await panel.visit("Paul"), await panel.visit("Pia", path)
    await pia.follow(await pia.send(path + "/discard"))
    assert "Paul Penn is discarded and has no access any more." in words(pia.shown)
    assert (await paul.open("/account")).status_code == 303
    assert names_on((await pia.open("/users?state=discarded")).text) == ["Paul Penn"]
    await pia.follow(await pia.send(path + "/undiscard"))
    assert "Paul Penn is back, as a plain member." in words(pia.shown)
    assert (await pia.send(path + "/undiscard")).status_code == 409
    assert (await paul.open("/account")).status_code == 303, "a sign-in of before does not come back"


async def test_nobody_discards_whom_they_do_not_outrank_everywhere(panel: Panel) -> None:
    clara = await panel.visit("Clara")
    answer = await clara.send(f"/users/{panel.cast.user('Ben').id}/discard")
    assert (answer.status_code, "by the person or by their home organization" in words(answer)) == (403, True)
    pia = await panel.visit("Pia")
    assert (await pia.send(f"/users/{panel.cast.user('Pia').id}/discard")).status_code == 403


async def newcomers(panel: Panel) -> tuple[int, int]:
    """How many users and how many invitations there are."""
    async with house_work(panel.store) as session:
        users = (await session.execute(sa.select(sa.func.count(User.id)))).scalar_one()
        invited = (await session.execute(sa.select(sa.func.count(Invitation.id)))).scalar_one()
        return users, invited


def newcomer(panel: Panel, email: str, tenant: str = "Bakery", role: str = "member") -> dict[str, str]:
    return {"name": "New Nick", "email": email, "tenant": str(panel.cast.tenant(tenant).id), "role": role}


async def test_the_answer_is_the_same_whether_the_address_is_known_elsewhere_or_not(panel: Panel) -> None:
    olaf = await panel.visit("Olaf", f"/users/new?tenant={panel.cast.tenant('Bakery').id}")
    users, invited = await newcomers(panel)
    fresh = await olaf.send("/users/new", newcomer(panel, "nick@nowhere.example"))
    assert await newcomers(panel) == (users, invited + 1)
    known = await olaf.send("/users/new", newcomer(panel, "zoe@zoo.example"))
    assert await newcomers(panel) == (users, invited + 2)
    assert (fresh.status_code, fresh.headers["location"]) == (known.status_code, known.headers["location"])
    said = words(await olaf.follow(known))
    assert "Saved. An invitation to Bakery is on its way to New Nick." in said
    assert "Zoe" not in said


async def test_who_is_there_already_is_named_and_nothing_else_of_anybody(panel: Panel) -> None:
    olaf = await panel.visit("Olaf", "/users/new")
    answer = await olaf.send("/users/new", newcomer(panel, "BEA@bakery.example"))
    assert (answer.status_code, "Bea Bell is in Bakery already." in words(answer)) == (422, True)


async def test_a_newcomer_is_made_only_where_and_as_what_one_may(panel: Panel) -> None:
    before = await newcomers(panel)
    olaf = await panel.visit("Olaf", "/users/new")
    assert set(choices(olaf.shown, "tenant")) == {"Choose one", "Oak", "Bakery", "Clinic"}
    assert (await olaf.send("/users/new", newcomer(panel, "n@n.example", "Zoo"))).status_code == 404
    assert (await olaf.send("/users/new", newcomer(panel, "n@n.example", role="operator"))).status_code == 422
    assert (await olaf.send("/users/new", newcomer(panel, "n@n.example", role="king"))).status_code == 422
    assert (await olaf.send("/users/new", newcomer(panel, "no address"))).status_code == 422
    assert (await olaf.send("/users/new", newcomer(panel, "n@n.example") | {"tenant": ""})).status_code == 422
    bruno = await panel.visit("Bruno", "/users/new")
    assert choices(bruno.shown, "role") == ["Member"]
    assert (await bruno.send("/users/new", newcomer(panel, "n@n.example", role="admin"))).status_code == 403
    opal = await panel.visit("Opal")
    assert (await opal.open("/users/new")).status_code == 403
    assert await newcomers(panel) == before


async def test_an_invitation_waits_in_the_list_until_it_is_taken_back(panel: Panel) -> None:
    olaf = await panel.visit("Olaf", "/users/new")
    await olaf.send("/users/new", newcomer(panel, "nick@nowhere.example", role="admin"))
    listed = await olaf.open("/invitations")
    assert "nick@nowhere.example" in words(listed)
    async with house_work(panel.store) as session:
        number = (await session.execute(sa.select(sa.func.max(Invitation.id)))).scalar_one()
    bruno = await panel.visit("Bruno", "/invitations")
    assert (await bruno.send(f"/invitations/{number}/revoke", {})).status_code == 403
    elsa = await panel.visit("Elsa", "/invitations")
    assert "nick@nowhere.example" not in words(elsa.shown)
    assert (await elsa.send(f"/invitations/{number}/revoke", {})).status_code == 404
    await olaf.open("/invitations")
    assert (await olaf.send(f"/invitations/{number}/revoke", {})).status_code == 303
    assert "nick@nowhere.example" not in words(await olaf.open("/invitations"))
    assert (await olaf.send(f"/invitations/{number}/revoke", {})).status_code == 409


async def test_who_has_one_company_finds_it_chosen(panel: Panel) -> None:
    bruno = await panel.visit("Bruno", "/users/new")
    assert f'<option value="{panel.cast.tenant("Bakery").id}" selected>' in bruno.shown.text
    olaf = await panel.visit("Olaf", "/users/new")
    assert f'<option value="{panel.cast.tenant("Bakery").id}" selected>' not in olaf.shown.text
