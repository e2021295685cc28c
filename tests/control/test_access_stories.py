"""Who accessed your account, as stories: one line for each time somebody was Bea, and what they did as her."""

import re
from dataclasses import replace

import httpx

from bindings.impersonation import Impersonation
from tenants.actor import Via
from tenants.reach import Reach
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import WHY, house_work, impersonate
from tests.control.pages.test_standing_in import become
from tests.control.visits import House, words_of


async def through(pages: House, stand: int, *zones: str, subject: str = "Bea") -> None:
    """Olaf changes something as her, past the fence, and looks into a private recording."""
    whom = pages.cast.identity(subject, at="Bakery")
    acting = replace(pages.cast.actor("Olaf"), apparent=whom, via=Via.IMPERSONATION, stand_in_id=stand)
    async with pages.store.work(acting, Reach.everywhere("tests"), pages.clock.now) as session:
        bakery = await session.get_one(Tenant, whom.tenant_id)
        for zone in zones:
            await bakery.change(session, zone=zone)
        named = ("recordings", "7", "2026-11-20 10:00 UTC, 60 s")
        record(session, Verb.RECORDING_REVEALED, None, named=named, place=bakery.id)


async def end(pages: House, stand: int, cause: str = "stopped") -> None:
    async with house_work(pages.store, pages.clock.now) as session:
        await (await session.get_one(Impersonation, stand)).end(session, cause, pages.clock.now)


def rows(html: str) -> list[str]:
    """The lines of the list, in words."""
    body = html[html.index('aria-labelledby="accesses-heading"') :]
    return [words_of(each) for each in re.findall(r"<tr\b.*?</tr>", body, flags=re.S)[1:]]


async def test_one_line_says_who_where_why_how_long_and_what_they_did(pages: House) -> None:
    stand = await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery")
    pages.clock.pass_(minutes=2)
    await through(pages, stand, "Europe/Paris", "Europe/Rome")
    pages.clock.pass_(minutes=10)
    await end(pages, stand)
    for address in ("/home", "/home/accesses"):
        [line] = rows(await (await pages.visit("Bea")).get(address))
        assert line.startswith("Olaf Olsen Oak 09:00 London to 09:12 , 12 minutes Stopped")
        assert "Was signed in as Bea Bell in the panel" in line
        assert "2 changes changed Bakery 09:02 Time zone was Europe/London → now Europe/Paris changed Bakery" in line
        assert "One thing looked into or taken out looked into the private recording 2026-11-20" in line
        assert line.endswith(f"Look and change {WHY}")


async def test_what_goes_on_is_marked_and_bea_ends_it(pages: House) -> None:
    stand = await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery", mode="look")
    bea = await pages.visit("Bea")
    [line] = rows(await bea.get("/home"))
    assert "09:00 London Now End" in line
    assert "Nothing was changed, and nothing private opened. Looking only" in line
    answer: httpx.Response = await bea.post(f"/impersonations/{stand}/end", at="/home")
    assert answer.status_code == 303
    pages.clock.pass_(minutes=1)
    [line] = rows(await bea.get("/home"))
    assert "Now End" not in line
    assert "to 09:00 , 0 seconds Ended by the user themselves" in line


async def test_her_admins_read_the_same(pages: House) -> None:
    stand = await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery")
    await through(pages, stand, "Europe/Paris")
    address = f"/users/{pages.cast.user('Bea').id}/accesses"
    for name in ("Boris", "Nora"):
        [line] = rows(await (await pages.visit(name)).get(address))
        assert "Was signed in as Bea Bell in the panel One change changed Bakery" in line
    assert await (await pages.visit("Elsa")).get(address, status=404)


async def test_no_address_and_no_number_out_of_her_reach(pages: House) -> None:
    stand = await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery")
    await through(pages, stand, "Europe/Paris")
    html = await (await pages.visit("Bea")).get("/home/accesses")
    shown = html[html.index("<main") :]
    for secret in ("192.0.2.7", "olaf@oak.example", "/history/", f"#{pages.cast.membership_id('Olaf')}", "/users/"):
        assert secret not in shown


async def test_however_much_was_done_it_is_one_line_on_one_page(pages: House) -> None:
    for number in range(55):
        stand = await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery")
        if number in {0, 54}:
            await through(pages, stand, "Europe/Paris", "Europe/Rome", "Europe/London")
        pages.clock.pass_(seconds=30)
    html = await (await pages.visit("Bea")).get("/home/accesses")
    assert len(rows(html)) == 50
    assert html.count("3 changes") == 1
    following = html.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = await (await pages.visit("Bea")).get("/home/accesses" + following)
    assert len(rows(second)) == 5
    assert second.count("3 changes") == 1


async def test_while_olaf_is_bea_the_page_is_as_she_sees_it_his_own_line_included(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    [line] = rows(await olaf.get("/home/accesses"))
    assert line.startswith("Olaf Olsen Oak 09:00 London Now")
    assert "End" not in line


async def test_an_expired_one_that_nobody_wrote_down_yet_is_over(pages: House) -> None:
    await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery")
    bea = await pages.visit("Bea")
    pages.clock.pass_(minutes=25)
    [line] = rows(await bea.get("/home/accesses"))
    assert "to 09:20 , 20 minutes" in line


async def test_at_an_app_it_names_the_app(pages: House) -> None:
    await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery", app="softphone")
    [line] = rows(await (await pages.visit("Bea")).get("/home/accesses"))
    assert "Was signed in as Bea Bell at Softphone" in line
