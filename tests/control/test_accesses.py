"""Who accessed your account: told to the person themselves and to their admins, and to nobody beside them."""

from dataclasses import replace

import pytest

from tenants.actor import Via
from tenants.people import User
from tenants.reach import Reach
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import bind, work_as
from tests.control.logins import log_in
from tests.control.visits import House

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

WHY = "Ticket 4417, no ring"


async def change_as(
    pages: House, name: str, subject: str, via: Via, at: str = "Bakery", zone: str = "Europe/Paris", stand: int = 77
) -> None:
    """Something is changed as somebody, past the fence: members change little themselves."""
    whom = pages.cast.identity(subject, at=at)
    acting = replace(pages.cast.actor(name), apparent=whom, via=via, stand_in_id=stand)
    async with pages.store.work(acting, Reach.everywhere("tests"), pages.clock.now) as session:
        await (await session.get_one(Tenant, whom.tenant_id)).change(session, zone=zone)


@pytest.fixture
async def bound(pages: House) -> House:
    """Olaf is bound to Bea, and has logged in as her."""
    await bind(pages.store, pages.cast, "Olaf", "Bakery", "201", reason=WHY)
    await log_in(pages, "Olaf")
    return pages


async def test_bea_reads_who_when_how_and_why(bound: House) -> None:
    bea = await bound.visit("Bea")
    for address in ("/home", "/home/accesses"):
        said = await bea.read(address)
        assert f"Olaf Olsen Oak 09:00 London logged in to Softphone via binding {WHY}" in said
        assert f"Olaf Olsen Oak 09:00 London bound to Bea Bell, ext 201 at Bakery directly {WHY}" in said


@pytest.mark.parametrize("via", [Via.IMPERSONATION, Via.TOKEN])
async def test_bea_reads_what_was_changed_as_her_however_it_was_done(pages: House, via: Via) -> None:
    await change_as(pages, "Olaf", "Bea", via)
    said = await (await pages.visit("Bea")).read("/home/accesses")
    assert (
        f"Olaf Olsen Oak 09:00 London changed Bakery Time zone was Europe/London → now Europe/Paris via {via}" in said
    )


async def test_she_reads_names_and_no_addresses_or_numbers(bound: House) -> None:
    html = await (await bound.visit("Bea")).get("/home/accesses")
    shown = html[html.index("<main") :]
    assert "192.0.2.7" not in shown
    assert "olaf@oak.example" not in shown
    assert f"#{bound.cast.membership_id('Olaf')}" not in shown
    assert "/history/" not in shown


async def test_her_own_doings_are_no_access(pages: House) -> None:
    async with work_as(pages.store, pages.cast.actor("Bea"), pages.clock.now) as session:
        await (await session.get_one(User, pages.cast.user("Bea").id)).change(session, theme="dark")
    assert "Nobody" in await (await pages.visit("Bea")).read("/home/accesses")


async def test_ben_at_bakery_does_not_see_what_was_done_as_ben_at_clinic(pages: House) -> None:
    await change_as(pages, "Olaf", "Ben", Via.IMPERSONATION, at="Clinic")
    assert "Nobody" in await (await pages.visit("Ben", at="Bakery")).read("/home/accesses")
    assert "Olaf Olsen" in await (await pages.visit("Ben", at="Clinic")).read("/home/accesses")


async def test_colleagues_and_neighbours_see_nothing_of_it(bound: House) -> None:
    for name in ("Ben", "Zoe", "Cora", "Bruno"):
        assert "Olaf" not in await (await bound.visit(name)).read("/home/accesses")


async def test_her_admins_have_it_as_a_tab(bound: House) -> None:
    bea = bound.cast.user("Bea").id
    boris = await bound.visit("Boris")
    assert f'href="/users/{bea}/accesses"' in await boris.get(f"/users/{bea}/history")
    said = await boris.read(f"/users/{bea}/accesses")
    assert f"logged in to Softphone via binding {WHY}" in said
    await (await bound.visit("Bruno")).get(f"/users/{bea}/accesses", status=403)
    await (await bound.visit("Elsa")).get(f"/users/{bea}/accesses", status=404)


async def test_an_admin_sees_only_the_memberships_in_reach(pages: House) -> None:
    for name, place in (("Olaf", "Bakery"), ("Nora", "Clinic")):
        ben = pages.cast.identity("Ben", at=place)
        acting = replace(pages.cast.actor(name), apparent=ben, via=Via.IMPERSONATION, stand_in_id=77)
        async with work_as(pages.store, acting, pages.clock.now) as session:
            record(session, Verb.REFUSED, None, place=ben.tenant_id, rule="outlives")
    address = f"/users/{pages.cast.user('Ben').id}/accesses"
    clara = await (await pages.visit("Clara")).read(address)
    assert "Nora Nash" in clara
    assert "Olaf Olsen" not in clara
    olaf = await (await pages.visit("Olaf")).read(address)
    assert "Nora Nash" in olaf
    assert "Olaf Olsen" in olaf


async def test_a_long_list_goes_on(bound: House) -> None:
    for number in range(60):
        await change_as(bound, "Olaf", "Bea", Via.IMPERSONATION, zone=("Europe/Paris", "Europe/Rome")[number % 2])
    html = await (await bound.visit("Bea")).get("/home/accesses")
    assert html.count("changed Bakery") == 50
    following = html.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = await (await bound.visit("Bea")).get("/home/accesses" + following)
    assert second.count("changed Bakery") == 10
    assert "logged in to Softphone" in second
