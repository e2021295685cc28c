"""Signing in as somebody in the panel: the same tab, the red bar, Stop, twenty minutes, and back where one was."""

from html import unescape

import pytest
import sqlalchemy as sa

from bindings.impersonation import Impersonation
from bindings.role_change import change_role
from tenants.people import find_membership
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import house_work, work_as
from tests.control.pages.visit import words
from tests.control.visits import House, Reader

WHY = "her calls do not ring"
RED = 'data-stand-in="impersonation"'
STOP = "/impersonations/stop"


async def become(who: Reader, house: House, name: str, *, at: str, back: str = "/users", **more: str) -> None:
    """Somebody starts, from a page of the panel."""
    membership = str(house.cast.membership_id(name, at=at))
    asked = f"/impersonations/new?membership={membership}&back={back}"
    answer = await who.post("/impersonations", at=asked, membership=membership, reason=WHY, back=back, **more)
    assert answer.headers["location"] == "/"


async def told(house: House) -> list[Entry]:
    """What history says of impersonations."""
    kinds = [Verb.IMPERSONATION_STARTED, Verb.IMPERSONATION_STOPPED, Verb.IMPERSONATION_ENDED]
    async with house_work(house.store, house.clock.now) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb.in_(kinds)).order_by(Entry.id)))


async def rows(house: House) -> list[Impersonation]:
    """Every impersonation there ever was."""
    async with house_work(house.store, house.clock.now) as session:
        return list(await session.scalars(sa.select(Impersonation).order_by(Impersonation.id)))


# From the start to Stop


async def test_olaf_is_bea_and_stops(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    home = await olaf.get("/home")
    assert RED in home
    assert "(as Bea" in home
    stopped = await olaf.post(STOP, at="/home")
    assert stopped.headers["location"] == "/users"
    users = await olaf.get("/users")
    assert RED not in users
    assert "You are Olaf Olsen again." in users
    started, over = await told(pages)
    assert (started.actor_name, started.subject_name, started.reason) == ("Olaf Olsen", "Bea Bell", WHY)
    assert (over.verb, over.details["cause"], over.details["seconds"]) == (Verb.IMPERSONATION_STOPPED, "stopped", 0)
    assert over.actor_name == "Olaf Olsen"


async def test_it_begins_at_the_subjects_own_start(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    assert (await olaf.ask("/")).headers["location"] == "/home"
    await olaf.post(STOP, at="/home")
    await become(olaf, pages, "Boris", at="Bakery")
    assert "Overview" in await olaf.get("/")


async def test_stop_stands_in_the_bar_and_in_the_user_menu(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    home = await olaf.get("/home")
    assert home.count(f'<form method="post" action="{STOP}">') == 2
    assert home.count("Stop impersonating</button>") == 2


async def test_stop_tells_what_was_changed_and_taken_out_and_leads_back(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery", back="/users?q=boris")
    bakery = str(pages.cast.tenant("Bakery").id)
    await olaf.post("/playbooks/new", at="/playbooks/new", company=bakery, title="When it is dark", body="Call Bea.")
    await olaf.get("/users?format=csv")
    pages.clock.pass_(minutes=3)
    stopped = await olaf.post(STOP, at="/playbooks")
    number = (await rows(pages))[0].id
    assert stopped.headers["location"] == f"/impersonations/{number}/done"
    done = await olaf.get(f"/impersonations/{number}/done")
    read = words(await olaf.ask(f"/impersonations/{number}/done"))
    assert "You were Boris Birch" in read
    assert "It lasted 3 minutes." in read
    changed, _, revealed = read.partition("What you looked into")
    assert "Olaf Olsen , signed in as Boris Birch , wrote the playbook When it is dark" in changed
    assert "exported users" in revealed
    assert "exported users" not in changed
    assert 'href="/users?q=boris"' in unescape(done)
    # It is for whoever did it; they are told elsewhere, and nobody is told while it goes on.
    for name in ("Opal", "Boris", "Ada"):
        await (await pages.visit(name)).get(f"/impersonations/{number}/done", status=404)


async def test_what_was_done_is_told_once_it_is_over(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    number = (await rows(pages))[0].id
    await olaf.get(f"/impersonations/{number}/done", status=403)
    other = await pages.visit("Olaf")
    await other.get(f"/impersonations/{number}/done", status=404)
    await other.get("/impersonations/99/done", status=404)


async def test_after_twenty_minutes_a_page_says_so_and_nobody_is_switched_back(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    pages.clock.pass_(minutes=20)
    over = await olaf.get("/home", status=409)
    assert "has ended" in over
    assert "Its time was over" in over
    again = await olaf.get("/users", status=409)
    assert "has ended" in again
    await olaf.post("/impersonations/over", at="/users")
    assert "Olaf Olsen" in await olaf.get("/users")
    assert [entry.details.get("cause") for entry in await told(pages)] == [None, "expired"]


async def test_what_was_changed_is_told_after_the_end_of_the_time_as_well(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    bakery = str(pages.cast.tenant("Bakery").id)
    await olaf.post("/playbooks/new", at="/playbooks/new", company=bakery, title="When it is dark", body="Call Bea.")
    pages.clock.pass_(minutes=20)
    left = await olaf.post("/impersonations/over", at="/users")
    number = (await rows(pages))[0].id
    assert left.headers["location"] == f"/impersonations/{number}/done"
    assert "wrote the playbook" in await olaf.get(f"/impersonations/{number}/done")


async def test_b5_opal_meets_the_ended_page_once_she_is_no_operator(pages: House) -> None:
    opal = await pages.visit("Opal")
    await become(opal, pages, "Bea", at="Bakery")
    olaf = pages.cast.actor("Olaf")
    async with work_as(pages.store, olaf, pages.clock.now) as session:
        hers = await find_membership(session, pages.cast.membership_id("Opal"))
        await change_role(session, olaf, hers, Role.AUDITOR, pages.clock.now)
    assert "has ended" in await opal.get("/home", status=409)
    await opal.post("/impersonations/over", at="/home")
    assert "Opal Orr" in await opal.get("/users")


@pytest.mark.parametrize("path", ["/users", "/account"])
async def test_what_outlives_is_closed(pages: House, path: str) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    answer = await olaf.ask(path)
    assert RED in answer.text
    assert words(answer)


# Stop


async def test_t8_stop_takes_nobodys_number_and_whoever_is_themselves_stops_nothing(pages: House) -> None:
    olaf, opal = await pages.visit("Olaf"), await pages.visit("Opal")
    await become(olaf, pages, "Bea", at="Bakery")
    ada = str(pages.cast.user("Ada").id)
    answer = await opal.visit.send(f"{STOP}?id={ada}", {"id": ada, "user": ada, "impersonation": "1"})
    assert answer.status_code == 409
    assert "You are yourself already." in answer.text
    assert "Opal Orr" in await opal.get("/users")
    assert RED in await olaf.get("/home")
    # And whoever stands in comes back as themselves, whatever they name.
    await olaf.visit.open("/home")
    stopped = await olaf.visit.send(f"{STOP}?id={ada}", {"id": ada})
    assert stopped.status_code == 303
    assert "Olaf Olsen" in await olaf.get("/account")


async def test_stop_is_never_out_of_reach_for_what_an_organization_asks_besides(pages: House) -> None:
    """A second factor is asked of Oak's people from now on: Olaf has none, and still comes back."""
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    async with house_work(pages.store, pages.clock.now) as session:
        oak = await session.get_one(Tenant, pages.cast.tenant("Oak").id)
        await oak.change(session, policy_require_factor=1)
    refused = await olaf.ask("/account")
    assert RED in refused.text
    await olaf.visit.send(STOP)
    assert [row.ended_cause for row in await rows(pages)] == ["stopped"]


async def test_t60_the_browser_forgets_the_subjects_pages_at_stop(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    home = await olaf.ask("/home")
    assert (home.headers["cache-control"], home.headers["vary"]) == ("no-store", "Cookie")
    stopped = await olaf.post(STOP, at="/home")
    assert stopped.headers["clear-site-data"] == '"cache"'


async def test_t60_the_browser_forgets_them_when_the_time_is_over_too(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    pages.clock.pass_(minutes=20)
    left = await olaf.post("/impersonations/over", at="/users")
    assert left.headers["clear-site-data"] == '"cache"'


async def test_t30_b7_b11_the_cookie_is_another_after_start_and_stop_and_the_sign_in_the_same(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    before = olaf.visit.secret
    await become(olaf, pages, "Bea", at="Bakery")
    during = olaf.visit.secret
    await olaf.post(STOP, at="/home")
    after = olaf.visit.secret
    assert len({before, during, after}) == 3
    async with house_work(pages.store, pages.clock.now) as session:
        mine = sa.select(SignIn).where(SignIn.user_id == pages.cast.user("Olaf").id)
        (sign_in,) = (await session.scalars(mine)).all()
        assert (sign_in.impersonation_id, sign_in.ended_at) == (None, None)
    for old in (before, during):
        saved = pages.panel.stranger()
        saved.secret = str(old)
        answer = await saved.open("/users")
        assert answer.headers["location"].startswith("/sign-in")


async def test_t61_a_form_that_was_opened_before_stop_saves_nothing(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    await olaf.visit.open("/playbooks/new")
    form = {name: olaf.visit.hidden(name) for name in ("_csrf_token", "_acting")}
    await olaf.visit.send(STOP)
    bakery = str(pages.cast.tenant("Bakery").id)
    late = await olaf.visit.http.post(
        "/playbooks/new", data=form | {"company": bakery, "title": "Late", "body": "Too late."}
    )
    assert late.status_code == 409
    assert "acting as someone else in another tab" in late.text
    assert "Late" not in await olaf.get("/playbooks")


async def test_t61_a_form_that_was_opened_before_the_start_saves_nothing(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    bakery = str(pages.cast.tenant("Bakery").id)
    await olaf.visit.open("/playbooks/new")
    form = {name: olaf.visit.hidden(name) for name in ("_csrf_token", "_acting")}
    await become(olaf, pages, "Boris", at="Bakery")
    said = {"company": bakery, "title": "Early", "body": "Too early."}
    assert (await olaf.visit.http.post("/playbooks/new", data=form | said)).status_code == 409
    assert "Early" not in await olaf.get("/playbooks")


@pytest.mark.parametrize(
    ("back", "leads"),
    [
        ("/companies?q=bakery", "/companies?q=bakery"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https:evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/%2F%2Fevil.example", "/"),
        ("//bea@evil.example", "/"),
        ("/sign-out", "/"),
        ("javascript:alert(1)", "/"),
        ("/users?q=" + "x" * 600, "/users"),
    ],
)
async def test_t13_stop_leads_to_the_panel_alone(pages: House, back: str, leads: str) -> None:
    olaf = await pages.visit("Olaf")
    membership = str(pages.cast.membership_id("Bea", at="Bakery"))
    await olaf.visit.open("/impersonations/new", membership=membership)
    await olaf.visit.send("/impersonations", {"membership": membership, "reason": WHY, "back": back})
    stopped = await olaf.post(STOP, at="/home")
    assert stopped.headers["location"] == leads


# The subject, and other browsers


async def test_b1_the_subject_sees_no_bar_in_her_own_browser_and_cannot_stop_it(pages: House) -> None:
    before = await pages.visit("Bea")
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    during = await pages.visit("Bea")
    for bea in (before, during):
        home = await bea.get("/home")
        assert RED not in home
        assert (await bea.visit.send(STOP)).status_code == 409
        await bea.get("/users", status=403)
    assert RED in await olaf.get("/home")


async def test_b33_two_people_at_two_browsers_are_each_their_own_subject(pages: House) -> None:
    olaf, opal = await pages.visit("Olaf"), await pages.visit("Opal")
    await become(olaf, pages, "Bea", at="Bakery")
    await become(opal, pages, "Cora", at="Clinic")
    for who, subject, other in ((olaf, "Bea", "Cora"), (opal, "Cora", "Bea"), (olaf, "Bea", "Cora")):
        home = await who.get("/home")
        assert f"(as {subject}" in home
        assert other not in home


async def test_t20_b33_a_start_in_a_second_browser_ends_the_first_at_once(pages: House) -> None:
    first, second = await pages.visit("Olaf"), await pages.visit("Olaf")
    await become(first, pages, "Bea", at="Bakery")
    await second.visit.open("/impersonations/new", membership=str(pages.cast.membership_id("Cora", at="Clinic")))
    assert "This ends your impersonation of Bea Bell." in words(second.visit.shown)
    await become(second, pages, "Cora", at="Clinic")
    over = await first.get("/home", status=409)
    assert "Another impersonation of yours took its place" in over
    assert "(as Cora" in await second.get("/home")
    assert [row.ended_cause for row in await rows(pages)] == ["replaced", None]


@pytest.mark.parametrize("path", ["/users/x", "/impersonations/new/x", "/companies/0x1", "/nothing/at/all", "/%2e%2e"])
async def test_an_address_that_looks_like_one_of_ours_has_the_banner_too(pages: House, path: str) -> None:
    """T62: the framework tells those apart before it knows who asks."""
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    assert 'data-stand-in="impersonation"' in await olaf.get(path, status=404)


async def test_c25_under_a_flood_of_failed_sign_ins_stop_is_recorded(pages: House) -> None:
    """A stranger at Olaf's own network and address fails until the door is shut: Stop asks nobody's password."""
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    stranger = pages.panel.stranger()
    refused = [(await stranger.sign_in("olaf@oak.example", "wrong")).status_code for _ in range(12)]
    assert refused[-1] == 429
    await olaf.post("/impersonations/stop", at="/home")
    assert [entry.details.get("cause") for entry in await told(pages)] == [None, "stopped"]


async def test_whoever_ended_it_the_page_says_so_in_words(pages: House) -> None:
    """Bea signs out everywhere: Olaf reads that, not the name of a rule."""
    olaf, bea = await pages.visit("Olaf"), await pages.visit("Bea")
    await become(olaf, pages, "Bea", at="Bakery")
    await bea.post("/sign-out/everywhere", at="/account")
    over = await olaf.read("/home", status=409)
    assert "Signed out everywhere" in over
    assert "signed_out" not in over
