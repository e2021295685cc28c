"""The list of users: what each line tells, the filters in the address, the orders, and the export."""

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tenants.people import Membership, User
from tenants.roles import Role
from tenants.teams import Team, TeamMember
from tenants.trail import Entry, record
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import bind, house_work
from tests.control.pages.test_users import HOUSE, names_on
from tests.control.pages.visit import Panel, Visit, words

ONE_DATABASE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def seen(panel: Panel, name: str, days_ago: int) -> None:
    """Somebody's last sign-in was so long ago."""
    async with house_work(panel.store) as session:
        row = sa.update(User.__table__).where(User.__table__.c.id == panel.cast.user(name).id)
        await session.execute(row.values(last_sign_in_at=panel.clock.now - timedelta(days=days_ago)))


async def everything_of_ben(panel: Panel) -> None:
    """Ben is in a team at Bakery and in one at Clinic, and admin of Clinic."""
    async with house_work(panel.store) as session:
        clinic = await session.get_one(Tenant, panel.cast.tenant("Clinic").id)
        ben = await session.get_one(Membership, panel.cast.membership_id("Ben", at="Clinic"))
        team = await Team.create(session, clinic, "Nights", panel.clock.now)
        await team.add(session, HOUSE, ben)
        ben.role = Role.ADMIN.value
        record(session, Verb.MEMBERSHIP_CHANGED, ben)


async def rows_of_csv(visit: Visit, query: str = "") -> list[list[str]]:
    answer = await visit.open(f"/users?format=csv{query}")
    assert answer.headers["content-type"].startswith("text/csv"), answer.text
    return list(csv.reader(io.StringIO(answer.text)))


@ONE_DATABASE
async def test_a_line_tells_role_state_places_teams_last_sign_in_factor_and_binding(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201", panel.clock.now)
    olaf = await panel.visit("Olaf", "/users?q=bea")
    line = "Bea Bell bea@bakery.example Member Active Bakery Team Front Never Off None"
    assert f"{line} (User Bindings of Bea Bell) Become Edit" in words(olaf.shown)
    shown = words(await olaf.open("/users?q=olaf"))
    assert "Admin Active Oak 09:00 Off Bea Bell (User Bindings of Olaf Olsen) ext 201 at Bakery Bind me Edit" in shown


@ONE_DATABASE
async def test_boris_sees_of_ben_what_is_at_bakery_in_every_column(panel: Panel) -> None:
    await everything_of_ben(panel)
    both = words((await panel.visit("Olaf", "/users?q=ben")).shown)
    assert "Member, Admin Active Bakery, Clinic Teams Front, Nights" in both
    boris = await panel.visit("Boris", "/users?q=ben")
    shown = words(boris.shown)
    assert "Member Active Bakery Team Front" in shown
    assert ("Clinic" in shown, "Nights" in shown) == (False, False)
    assert (await rows_of_csv(boris, "&q=ben"))[1][3:7] == ["member", "active", "Bakery", "Front"]


@ONE_DATABASE
async def test_no_filter_finds_what_lies_out_of_reach(panel: Panel) -> None:
    await everything_of_ben(panel)
    await bind(panel.store, panel.cast, "Olaf", "Clinic", "301", panel.clock.now)
    boris = await panel.visit("Boris", "/users?role=admin")
    assert names_on(boris.shown.text) == ["Boris Birch"]
    assert (await boris.open(f"/users?company={panel.cast.tenant('Clinic').id}")).status_code == 404
    assert (await boris.open("/users?company=999999")).status_code == 404
    assert "Ben Bond" in names_on((await boris.open("/users?bound=no")).text)


FOUND = {
    "state=discarded": ["Pete Pratt"],
    "state=all&q=pine": ["Paul Penn", "Pete Pratt", "Pia Pine"],
    "role=member": ["Dan Dale", "Dina Dove"],
    "role=operator": ["Paul Penn"],
    "bound=yes": ["Pia Pine"],
    "bound=no&role=admin": [],
    "factor=on": ["Dan Dale"],
    "factor=off&role=member": ["Dina Dove"],
    "seen=never": ["Dan Dale", "Dina Dove"],
    "seen=not-in-90-days": ["Dan Dale", "Dina Dove", "Paul Penn"],
    "company={Dairy}": ["Dan Dale", "Dina Dove"],
    "company={Pine}&role=member": ["Dan Dale", "Dina Dove"],
    "company={Dairy}&role=operator": [],
}


async def test_each_filter_narrows_the_list_and_its_export(panel: Panel) -> None:
    await seen(panel, "Paul", 91)
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    async with house_work(panel.store) as session:
        dan = await session.get_one(User, panel.cast.user("Dan").id)
        await dan.change(session, second_factor=True)
    pia = await panel.visit("Pia", "/users")
    await pia.send(f"/users/{panel.cast.user('Pete').id}/discard")
    for query, found in FOUND.items():
        asked = re.sub(r"{(\w+)}", lambda name: str(panel.cast.tenant(name[1]).id), query)
        assert names_on((await pia.open(f"/users?{asked}")).text) == found, query
        assert [line[1] for line in (await rows_of_csv(pia, f"&{asked}"))[1:]] == found, query


@ONE_DATABASE
async def test_what_is_no_filter_is_refused(panel: Panel) -> None:
    pia = await panel.visit("Pia")
    for query in (
        "state=gone",
        "role=king",
        "factor=maybe",
        "bound=1",
        "seen=today",
        "company=x",
        "sort=password_hash",
        "q=%00",
    ):
        for more in ("", "&format=csv"):
            assert (await pia.open(f"/users?{query}{more}")).status_code == 422, query + more


@ONE_DATABASE
async def test_a_filter_is_a_chip_that_can_be_taken_away(panel: Panel) -> None:
    dairy = panel.cast.tenant("Dairy").id
    pia = await panel.visit("Pia", f"/users?role=member&company={dairy}&sort=-name")
    assert "At Dairy or below" in words(pia.shown)
    links = [link.replace("&amp;", "&") for link in re.findall(r'class="chip">[^<]*<a href="([^"]*)"', pia.shown.text)]
    assert links == [f"?company={dairy}&sort=-name", "?role=member&sort=-name"]


@pytest.mark.parametrize(("sort", "first"), [("-seen", "Pia Pine"), ("seen", "Temp 00")])
async def test_who_never_signed_in_stands_at_the_same_end_on_both_databases(
    panel: Panel, sort: str, first: str
) -> None:
    async with house_work(panel.store) as session:
        dairy = await session.get_one(Tenant, panel.cast.tenant("Dairy").id)
        for number in range(55):
            user = await User.create(session, dairy, f"Temp {number:02}", f"t{number}@dairy.example", panel.clock.now)
            await Membership.create(session, HOUSE, user, dairy, Role.MEMBER, panel.clock.now)
    for number, name in enumerate(("Paul", "Pete", "Dan", "Dina")):
        await seen(panel, name, number + 1)
    pia = await panel.visit("Pia", f"/users?sort={sort}")
    page, names = pia.shown, names_on(pia.shown.text)
    following = re.search(r'rel="next" href="([^"]*)"', page.text)
    assert following is not None
    page = await pia.open("/users" + following[1].replace("&amp;", "&"))
    names += names_on(page.text)
    assert (names[0], len(names), len(set(names))) == (first, 60, 60)
    known = [name for name in names if not name.startswith("Temp")]
    latest_first = ["Pia Pine", "Paul Penn", "Pete Pratt", "Dan Dale", "Dina Dove"]
    assert known == (latest_first if sort == "-seen" else latest_first[::-1])
    assert names.index(known[0]) in {0, 55}


@ONE_DATABASE
async def test_other_orders(panel: Panel) -> None:
    pia = await panel.visit("Pia", "/users?sort=-email")
    assert names_on(pia.shown.text)[0] == "Pia Pine"
    assert names_on((await pia.open("/users?sort=created")).text)[0] == "Pia Pine"


@ONE_DATABASE
async def test_an_export_is_what_is_shown_and_is_written_down(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        dan = await session.get_one(User, panel.cast.user("Dan").id)
        await dan.change(session, name="=HYPERLINK(1)")
    pia = await panel.visit("Pia")
    lines = await rows_of_csv(pia, "&role=member&sort=-name")
    assert [line[1] for line in lines] == ["name", "Pete Pratt", "Dina Dove", "'=HYPERLINK(1)"]
    async with house_work(panel.store) as session:
        entry = (await session.scalars(sa.select(Entry).where(Entry.verb == Verb.USERS_EXPORTED))).one()
    assert (entry.actor_name, entry.details["filters"]) == ("Pia Pine", {"role": "member", "sort": "-name"})
    assert "Pia Pine exported users" in words(await pia.open("/history"))


@ONE_DATABASE
async def test_an_export_has_no_last_page(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        dairy = await session.get_one(Tenant, panel.cast.tenant("Dairy").id)
        for number in range(210):
            user = await User.create(session, dairy, f"Temp {number:03}", f"t{number}@dairy.example", panel.clock.now)
            await Membership.create(session, HOUSE, user, dairy, Role.MEMBER, panel.clock.now)
    lines = await rows_of_csv(await panel.visit("Pia"), "&q=temp")
    assert [line[1] for line in lines[1:]] == [f"Temp {number:03}" for number in range(210)]


@ONE_DATABASE
async def test_a_team_one_has_left_is_not_told(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        place = (
            await session.scalars(
                sa.select(TeamMember).where(TeamMember.membership_id == panel.cast.membership_id("Bea"))
            )
        ).one()
        place.left_at = panel.clock.now
        record(session, Verb.TEAM_MEMBER_CHANGED, place)
    assert "Front" not in words((await panel.visit("Boris", "/users?q=bea")).shown)
