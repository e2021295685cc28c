"""Active Impersonation Sessions: who sees which, who ends them, one or all, and the record of each."""

import csv
import io
import re
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from bindings.impersonation import Impersonation
from bindings.login import Login
from control.pages.parts.shown_impersonations import CONFIRMED
from tenants.actor import Actor
from tenants.identities import live_identities
from tenants.people import Membership, User
from tenants.roles import Role
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import ORIGIN, WHY, bind, house_work, impersonate
from tests.conftest import ON_BOTH
from tests.control.logins import log_in
from tests.control.pages.test_standing_in import become
from tests.control.visits import House

PAGE = "/impersonations"
NOBODY = "No one is signed in as someone else."


async def olaf_is_bea(pages: House, *, app: str | None = None) -> int:
    """Olaf stands in for Bea, somewhere else than in a browser of the story."""
    return await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now, at="Bakery", app=app)


async def row_of(pages: House, number: int) -> Impersonation:
    async with house_work(pages.store, pages.clock.now) as session:
        return await session.get_one(Impersonation, number)


async def ended(pages: House) -> list[Entry]:
    """What history says of ends."""
    kinds = [Verb.IMPERSONATION_STOPPED, Verb.IMPERSONATION_ENDED]
    async with house_work(pages.store, pages.clock.now) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb.in_(kinds)).order_by(Entry.id)))


# Who sees which


@pytest.mark.parametrize("name", ["Olaf", "Opal", "Nora", "Ada", "Axel", "Boris", "Amos", "Bruno"])
async def test_b14_whoever_reaches_either_of_them_sees_the_row(pages: House, name: str) -> None:
    number = await olaf_is_bea(pages)
    reader = await pages.visit(name)
    read = await reader.read(PAGE)
    assert "Active Impersonation Sessions" in read
    for said in ("Olaf Olsen", "Bea Bell", "Bakery", "Panel", WHY, "20:00", "Shown by the panel"):
        assert said in read
    assert "Olaf Olsen is signed in as Bea Bell" in await reader.read(f"{PAGE}/{number}")
    assert WHY in await reader.read("/")


@pytest.mark.parametrize("name", ["Clara", "Sven", "Elsa", "Pia", "Paul"])
async def test_a_neighbour_sees_none_of_it(pages: House, name: str) -> None:
    number = await olaf_is_bea(pages)
    reader = await pages.visit(name)
    read = await reader.read(PAGE)
    assert NOBODY in read
    assert "Olaf" not in read
    assert NOBODY in await reader.read("/")
    await reader.get(f"{PAGE}/{number}", status=404)


async def test_b14_bea_reads_who_is_her_and_the_list_is_not_hers(pages: House) -> None:
    number = await olaf_is_bea(pages)
    bea = await pages.visit("Bea")
    read = await bea.read(f"{PAGE}/{number}")
    assert "Olaf Olsen is signed in as Bea Bell" in read
    assert WHY in read
    await bea.get(PAGE, status=403)
    ben = await pages.visit("Ben")
    await ben.get(f"{PAGE}/{number}", status=404)


async def test_names_of_those_out_of_reach_are_no_links(pages: House) -> None:
    await olaf_is_bea(pages)
    boris = await pages.visit("Boris")
    html = await boris.get(PAGE)
    assert f'href="/users/{pages.cast.user("Bea").id}"' in html
    assert f'href="/users/{pages.cast.user("Olaf").id}"' not in html


async def test_what_is_over_is_listed_there_and_not_here(pages: House) -> None:
    number = await olaf_is_bea(pages)
    nora = await pages.visit("Nora")
    # Nobody has written it down: the row alone says that it is over.
    pages.clock.pass_(minutes=20)
    assert NOBODY in await nora.read(PAGE)
    past = await nora.read(f"{PAGE}?state=past")
    for said in ("Olaf Olsen", "Bea Bell", "Its time was over", "20 min 0 s"):
        assert said in past
    assert "was signed in as" in await nora.read(f"{PAGE}/{number}")


@ON_BOTH
async def test_the_past_is_filtered_by_the_address_and_exported_as_shown(pages: House) -> None:
    await olaf_is_bea(pages)
    await impersonate(pages.store, pages.cast, "Opal", "Cora", at="Clinic", app="softphone")
    pages.clock.pass_(minutes=20)
    nora = await pages.visit("Nora")
    clinic = pages.cast.tenant("Clinic").id
    for query in (f"company={clinic}", "where=app", "q=cora", f"person={pages.cast.user('Opal').id}"):
        read = await nora.read(f"{PAGE}?state=past&{query}")
        assert "Cora" in read, query
        assert "Bea Bell" not in read, query
    for query in ("where=moon", "cause=boredom", "state=future", "company=x", "sort=reason"):
        await nora.get(f"{PAGE}?{query}", status=422)
    await nora.get(f"{PAGE}?company={pages.cast.tenant('Zoo').id}", status=404)
    answer = await nora.ask(f"{PAGE}?state=past&where=app&format=csv")
    [line] = csv.DictReader(io.StringIO(answer.text))
    assert (line["who"], line["as"], line["app"], line["how it ended"]) == (
        "Opal Orr", "Cora Crane", "Softphone", "The tab was closed"
    )  # fmt: skip
    async with house_work(pages.store) as session:
        told = (await session.scalars(sa.select(Entry).where(Entry.verb == Verb.IMPERSONATIONS_EXPORTED))).one()
    assert (told.actor_name, told.details["filters"]) == ("Nora Nash", {"state": "past", "where": "app"})


async def test_the_past_is_paged_by_its_last_row(pages: House) -> None:
    for _ in range(52):
        await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.pass_(minutes=1), at="Bakery")
    nora = await pages.visit("Nora")
    first = await nora.get(f"{PAGE}?state=past")
    assert "50 of 51" in first
    following = re.search(r'rel="next" href="([^"]*)"', first)
    assert following is not None
    assert "1 of 51" in await nora.read(PAGE + unescape(following[1]))


# The banner at an app


async def test_an_app_that_has_not_said_that_it_shows_the_banner_is_pointed_out(pages: House) -> None:
    number = await olaf_is_bea(pages, app="softphone")
    nora = await pages.visit("Nora")
    assert "Banner not confirmed" in await nora.read(PAGE)
    rows = Impersonation.__table__
    async with pages.store.writer.begin() as connection:
        heard = {"banner_at": pages.clock.now, "seen_at": pages.clock.now, "beat_at": pages.clock.now}
        await connection.execute(sa.update(rows).where(rows.c.id == number).values(**heard))
    pages.clock.pass_(seconds=12)
    assert "Seen in Softphone 12 s ago" in await nora.read(PAGE)
    pages.clock.now += CONFIRMED - timedelta(seconds=11)
    assert "Banner not confirmed" in await nora.read(PAGE)


# Ending


@pytest.mark.parametrize(
    ("name", "cause"), [("Boris", "ended_by_admin"), ("Nora", "ended_by_admin"), ("Ada", "ended_by_admin")]
)
async def test_t21_b6_an_admin_ends_it_now_and_is_written_down(pages: House, name: str, cause: str) -> None:
    number = await olaf_is_bea(pages)
    admin = await pages.visit(name)
    pages.clock.pass_(minutes=3)
    answer = await admin.post(f"{PAGE}/{number}/end", at=PAGE)
    assert "Ended. Olaf Olsen is no longer signed in as Bea Bell." in (await admin.visit.follow(answer)).text
    row = await row_of(pages, number)
    assert (row.ended_cause, row.ended_at) == (cause, pages.clock.now)
    [entry] = await ended(pages)
    assert entry.actor_name == pages.cast.user(name).name
    assert (entry.subject_name, entry.details) == (
        "Bea Bell", {"cause": cause, "actor": "Olaf Olsen", "seconds": 180}
    )  # fmt: skip


async def test_in_olafs_browser_a_page_says_that_an_admin_ended_it(pages: House) -> None:
    olaf, boris = await pages.visit("Olaf"), await pages.visit("Boris")
    await become(olaf, pages, "Bea", at="Bakery")
    await olaf.get("/home")
    [row] = await _live(pages)
    await boris.post(f"{PAGE}/{row.id}/end", at="/")
    over = await olaf.get("/home", status=409)
    assert "An admin ended it" in over
    assert "Bea Bell" in over
    await olaf.post("/impersonations/over", at="/home")
    assert "Olaf Olsen" in await olaf.get("/users")
    assert [entry.details["cause"] for entry in await ended(pages)] == ["ended_by_admin"]


async def _live(pages: House) -> list[Impersonation]:
    async with house_work(pages.store, pages.clock.now) as session:
        return list(await session.scalars(sa.select(Impersonation).where(Impersonation.ended_at.is_(None))))


async def test_bea_ends_what_goes_on_as_her(pages: House) -> None:
    number = await olaf_is_bea(pages)
    bea = await pages.visit("Bea")
    await bea.post(f"{PAGE}/{number}/end", at=f"{PAGE}/{number}")
    assert (await row_of(pages, number)).ended_cause == "ended_by_subject"


async def test_olaf_ends_his_own_from_the_list(pages: House) -> None:
    number = await olaf_is_bea(pages)
    olaf = await pages.visit("Olaf")
    await olaf.post(f"{PAGE}/{number}/end", at=PAGE)
    assert (await row_of(pages, number)).ended_cause == "stopped"


async def test_opal_ends_a_fellow_operators_and_not_an_admins(pages: House) -> None:
    olafs, ottos = await olaf_is_bea(pages), await otto_is_bea(pages)
    opal = await pages.visit("Opal")
    html = await opal.get(PAGE)
    assert f"{PAGE}/{ottos}/end" in html
    assert f"{PAGE}/{olafs}/end" not in html
    await opal.post(f"{PAGE}/{olafs}/end", at=PAGE, status=403)
    await opal.post(f"{PAGE}/{ottos}/end", at=PAGE)
    assert (await row_of(pages, olafs)).ended_at is None
    assert (await row_of(pages, ottos)).ended_cause == "ended_by_admin"


async def otto_is_bea(pages: House) -> int:
    """Another operator at Oak stands in for Bea."""
    async with house_work(pages.store, pages.clock.now) as session:
        oak = await session.get_one(Tenant, pages.cast.tenant("Oak").id)
        user = await User.create(session, oak, "Otto Old", "otto@oak.example", pages.clock.now)
        house = Actor.house("the story")
        member = await Membership.create(session, house, user, oak, Role.OPERATOR, pages.clock.now)
        [otto] = await live_identities(session, membership_id=member.id)
    now, otto_himself = pages.clock.now, Actor.of(otto, ORIGIN)
    return await impersonate(pages.store, pages.cast, "Otto", "Bea", now, at="Bakery", actor=otto_himself)


@pytest.mark.parametrize(
    ("name", "status"), [("Clara", 404), ("Sven", 404), ("Pia", 404), ("Ben", 404), ("Amos", 403), ("Bruno", 403)]
)
async def test_b6_nobody_else_ends_it(pages: House, name: str, status: int) -> None:
    number = await olaf_is_bea(pages)
    reader = await pages.visit(name)
    await reader.post(f"{PAGE}/{number}/end", at="/account", status=status)
    assert (await row_of(pages, number)).ended_at is None


async def test_pressed_twice_it_says_so_and_is_told_once(pages: House) -> None:
    number = await olaf_is_bea(pages)
    boris, nora = await pages.visit("Boris"), await pages.visit("Nora")
    await boris.post(f"{PAGE}/{number}/end", at=PAGE)
    answer = await nora.post(f"{PAGE}/{number}/end", at=PAGE)
    said = (await nora.visit.follow(answer)).text
    assert "Olaf Olsen was no longer signed in as Bea Bell: Ended by an admin." in said
    [entry] = await ended(pages)
    assert entry.actor_name == "Boris Birch"


async def test_a_get_ends_nothing(pages: House) -> None:
    number = await olaf_is_bea(pages)
    boris = await pages.visit("Boris")
    await boris.get(f"{PAGE}/{number}/end", status=405)
    assert (await row_of(pages, number)).ended_at is None


# Several at once


async def test_boris_ends_all_into_bakery_after_a_look_at_whom(pages: House) -> None:
    await olaf_is_bea(pages)
    await impersonate(pages.store, pages.cast, "Opal", "Ben", at="Bakery")
    boris, bakery = await pages.visit("Boris"), pages.cast.tenant("Bakery").id
    asked = f"{PAGE}/end-all?tenant={bakery}"
    assert asked in await boris.get(PAGE)
    read = await boris.read(asked)
    for said in ("End all into Bakery?", "Olaf Olsen, signed in as Bea Bell", "Opal Orr, signed in as Ben", "End 2"):
        assert said in read
    answer = await boris.post(f"{PAGE}/end-all", at=asked, tenant=str(bakery))
    assert "2 impersonations ended." in (await boris.visit.follow(answer)).text
    assert await _live(pages) == []


async def test_opal_is_told_what_is_not_hers_to_end(pages: House) -> None:
    number = await olaf_is_bea(pages)
    opal = await pages.visit("Opal")
    olaf = pages.cast.user("Olaf").id
    asked = f"{PAGE}/end-all?user={olaf}"
    assert "There is nothing that you can end" in await opal.read(asked)
    answer = await opal.post(f"{PAGE}/end-all", at=PAGE, user=str(olaf))
    assert "One goes on: only an admin may end it." in (await opal.visit.follow(answer)).text
    assert (await row_of(pages, number)).ended_at is None


async def test_end_all_wants_one_user_or_one_company_in_reach(pages: House) -> None:
    number = await olaf_is_bea(pages)
    boris, clara = await pages.visit("Boris"), await pages.visit("Clara")
    await boris.post(f"{PAGE}/end-all", at=PAGE, status=422)
    await boris.post(f"{PAGE}/end-all", at=PAGE, status=422, user="x")
    await boris.post(f"{PAGE}/end-all", at=PAGE, status=404, tenant=str(pages.cast.tenant("Clinic").id))
    await clara.post(f"{PAGE}/end-all", at=PAGE, status=404, user=str(pages.cast.user("Olaf").id))
    assert (await row_of(pages, number)).ended_at is None


# The world


async def test_ada_stops_the_world_with_its_name_and_a_reason(pages: House) -> None:
    number = await olaf_is_bea(pages)
    await bind(pages.store, pages.cast, "Opal", "Bakery", "202")
    await log_in(pages, "Opal")
    ada = await pages.visit("Ada")
    world = f"{PAGE}/stop-the-world"
    assert world in await ada.get(PAGE)
    assert "One login that was made through a binding ends." in await ada.read(world)
    why = "a laptop with open sign-ins was stolen"
    await ada.post(world, at=world, status=422, reason=why, slug="acne")
    await ada.post(world, at=world, status=422, reason="now", slug="acme")
    assert (await row_of(pages, number)).ended_at is None
    answer = await ada.post(world, at=world, reason=why, slug="acme")
    followed = (await ada.visit.follow(answer)).text
    assert "One impersonation ended. One login through a binding ended." in followed
    assert (await row_of(pages, number)).ended_cause == "ended_by_admin"


async def test_the_world_asks_for_a_fresh_proof_and_an_admin_of_the_platform(pages: House) -> None:
    number = await olaf_is_bea(pages)
    ada, nora = await pages.visit("Ada"), await pages.visit("Nora")
    world = f"{PAGE}/stop-the-world"
    assert world not in await nora.get(PAGE)
    await nora.get(world, status=403)
    await nora.post(world, at=PAGE, status=403, reason="no reason at all", slug="acme")
    pages.clock.pass_(minutes=16)
    answer = await ada.post(world, at=world, reason="a stolen laptop, really", slug="acme")
    assert answer.headers["location"].startswith("/prove?")
    assert (await row_of(pages, number)).ended_at is None


# The record


@ON_BOTH
async def test_the_record_tells_what_was_done_and_what_the_apps_know(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery", app="")
    [row] = await _live(pages)
    await olaf.post("/account/theme", at="/home", theme="dark", status=403)
    async with house_work(pages.store, pages.clock.now) as session:
        told = {"tell": True, "ended_at": pages.clock.now, "tell_tries": 1}
        for error, acknowledged in [(None, pages.clock.now), ("status 500", None), ("status 404", pages.clock.now)]:
            session.add(_login(pages, row, error, acknowledged, told))
    boris = await pages.visit("Boris")
    read = await boris.read(f"{PAGE}/{row.id}")
    for said in ("Softphone acknowledged 09:00:00", "Not yet: tried once, status 500", "Gave up: status 404"):
        assert said in read, read
    assert "started impersonating Bea Bell" in read
    assert "was refused" in read
    # And what was done leads from the history back to the record.
    assert f'href="/impersonations/{row.id}"' in await boris.get("/history?how=impersonation")


def _login(pages: House, row: Impersonation, error: str | None, told_at: object, told: dict[str, object]) -> Login:
    return Login(
        id=f"{error or 'fine'}".ljust(32, "0")[:32],
        app_id=pages.cast.app_id("softphone"),
        user_id=row.user_id,
        actor_membership_id=row.actor_membership_id,
        subject_membership_id=row.subject_membership_id,
        tenant_id=row.tenant_id,
        because="impersonation",
        impersonation_id=row.id,
        scope="openid",
        auth_time=pages.clock.now,
        methods=["pwd"],
        created_at=pages.clock.now,
        tell_error=error,
        told_at=told_at,
        **told,
    )


async def test_what_was_changed_through_it_is_counted_and_told(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    [row] = await _live(pages)
    bakery = str(pages.cast.tenant("Bakery").id)
    await olaf.post("/playbooks/new", at="/playbooks/new", company=bakery, title="Oven down", body="Call Bea.")
    nora = await pages.visit("Nora")
    read = await nora.read(f"{PAGE}/{row.id}")
    assert "Olaf Olsen , signed in as Boris Birch , wrote the playbook Oven down" in read
    assert "Changes 1" in read
    pages.clock.pass_(minutes=20)
    assert "20 min 0 s 1" in await nora.read(f"{PAGE}?state=past")
