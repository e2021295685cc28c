"""Teams: a supervisor keeps them, an admin says who leads; whoever leads may stand in for the others."""

import sqlalchemy as sa

from tenants.teams import Team, TeamMember
from tests.cast import house_work
from tests.control.pages.visit import Panel, words


def front(panel: Panel) -> str:
    return f"/teams/{panel.cast.teams['Front']}"


async def place(panel: Panel, name: str) -> TeamMember:
    """Somebody's place in Front."""
    async with house_work(panel.store) as session:
        wanted = sa.select(TeamMember).where(TeamMember.membership_id == panel.cast.membership_id(name, at="Bakery"))
        return (await session.scalars(wanted)).one()


async def test_bruno_makes_a_team_and_puts_bea_into_it(panel: Panel) -> None:
    bruno = await panel.visit("Bruno", "/teams/new")
    said = words(await bruno.follow(await bruno.send("/teams/new", {"name": "Night oven"})))
    assert "Night oven was made." in said
    page = str(bruno.shown.url.path)
    bea = str(panel.cast.membership_id("Bea"))
    said = words(await bruno.follow(await bruno.send(f"{page}/members", {"membership": bea})))
    assert "Bea Bell is in Night oven now." in said
    assert "Make lead" not in said


async def test_the_list_names_company_people_and_leads(panel: Panel) -> None:
    olaf = words((await panel.visit("Olaf", "/teams")).shown)
    assert "Front" in olaf
    assert "Bruno" in olaf
    assert "Front" not in words((await panel.visit("Clara", "/teams")).shown)


async def test_only_an_admin_makes_somebody_lead(panel: Panel) -> None:
    """C13: Bruno cannot make himself or a friend lead."""
    bruno = await panel.visit("Bruno", front(panel))
    lead = f"{front(panel)}/members/{panel.cast.membership_id('Bea')}/lead"
    assert (await bruno.send(lead, {"lead": "yes"})).status_code == 403
    boris = await panel.visit("Boris", front(panel))
    assert (await boris.send(lead, {"lead": "yes"})).status_code == 303
    assert (await place(panel, "Bea")).lead


async def test_who_left_and_comes_again_does_not_lead(panel: Panel) -> None:
    boris = await panel.visit("Boris", front(panel))
    bea = panel.cast.membership_id("Bea")
    await boris.send(f"{front(panel)}/members/{bea}/lead", {"lead": "yes"})
    said = words(await boris.follow(await boris.send(f"{front(panel)}/members/{bea}/remove")))
    assert "Bea Bell is no longer in the team." in said
    assert (await boris.send(f"{front(panel)}/members/{bea}/remove")).status_code == 404
    await boris.send(f"{front(panel)}/members", {"membership": str(bea)})
    assert not (await place(panel, "Bea")).lead


async def test_a_team_that_comes_back_has_its_people_and_no_lead(panel: Panel) -> None:
    boris = await panel.visit("Boris", front(panel))
    await boris.send(f"{front(panel)}/discard")
    assert (await boris.send(f"{front(panel)}/discard")).status_code == 409
    await boris.open("/teams")
    assert f'href="{front(panel)}"' not in boris.shown.text
    await boris.send(f"{front(panel)}/undiscard")
    said = words(await boris.open(front(panel)))
    assert "Bea Bell" in said
    assert not (await place(panel, "Bruno")).lead


async def test_nobody_of_another_company_joins(panel: Panel) -> None:
    boris = await panel.visit("Boris", front(panel))
    cora = str(panel.cast.membership_id("Cora"))
    assert (await boris.send(f"{front(panel)}/members", {"membership": cora})).status_code == 404
    olaf = await panel.visit("Olaf", front(panel))
    answer = await olaf.send(f"{front(panel)}/members", {"membership": cora})
    assert answer.status_code == 422
    assert "A team holds people of its own company." in words(answer)


async def test_somebody_who_is_in_it_is_not_added_twice(panel: Panel) -> None:
    boris = await panel.visit("Boris", front(panel))
    bea = str(panel.cast.membership_id("Bea"))
    answer = await boris.send(f"{front(panel)}/members", {"membership": bea})
    assert answer.status_code == 409
    assert "is in Front already" in words(answer)


async def test_a_neighbours_team_is_not_there(panel: Panel) -> None:
    clara = await panel.visit("Clara")
    assert (await clara.open(front(panel))).status_code == 404
    assert (await clara.send(front(panel), {"name": "Mine"})).status_code == 404
    async with house_work(panel.store) as session:
        assert (await session.get_one(Team, panel.cast.teams["Front"])).name == "Front"


async def test_a_team_has_a_name(panel: Panel) -> None:
    boris = await panel.visit("Boris", "/teams/new")
    for name in ("", "   ", "x" * 201, "a\u202eb"):
        assert (await boris.send("/teams/new", {"name": name})).status_code == 422
    olaf = await panel.visit("Olaf", "/teams/new")
    assert (await olaf.send("/teams/new", {"name": "X", "company": "9" * 30})).status_code == 422
    theirs = str(panel.cast.tenant("Zoo").id)
    assert (await olaf.send("/teams/new", {"name": "X", "company": theirs})).status_code == 404
