"""The question and the start: what is asked, what refuses, and that nothing begins by accident or by a forged form."""

import asyncio
from collections.abc import Sequence
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from tenants.people import User, find_membership
from tenants.policy import Look, StandIns
from tenants.trail import Entry
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.cast import PASSWORD, bind, house_work, work_as
from tests.conftest import ON_BOTH
from tests.control.pages.test_standing_in import RED, WHY, become, rows, told
from tests.control.pages.visit import words
from tests.control.visits import House, Reader

NEW, START, STOP = "/impersonations/new", "/impersonations", "/impersonations/stop"


def number(house: House, name: str, at: str) -> str:
    return str(house.cast.membership_id(name, at=at))


async def start(who: Reader, said: dict[str, str], **headers: str) -> Any:
    """Send the form with the tokens of a page that is one's own."""
    await who.visit.open("/account")
    return await who.visit.send(START, {"reason": WHY} | said, **headers)


async def rules(house: House, place: str, **values: int) -> None:
    """A company's own rules, as of now."""
    async with house_work(house.store, house.clock.now) as session:
        tenant = await session.get_one(Tenant, house.cast.tenant(place).id)
        await tenant.change(session, **values)


async def refusals(house: House) -> list[Entry]:
    async with house_work(house.store, house.clock.now) as session:
        wanted = sa.select(Entry).where(Entry.verb == Verb.REFUSED).order_by(Entry.id)
        return list(await session.scalars(wanted))


# Whom


STRANGERS = [("Zoe", "Zoo"), ("Dan", "Dairy"), ("Pete", "Pine"), ("Elsa", "Elm"), ("Nora", "North"), ("Ada", "Acme")]
"""A cousin's customer, an uncle's, the uncle's people, a cousin, the one above, the platform: of Olaf at Oak."""


@pytest.mark.parametrize(("name", "at"), STRANGERS)
async def test_t2_b12_outside_the_reach_there_is_nobody_to_become(pages: House, name: str, at: str) -> None:
    olaf = await pages.visit("Olaf")
    nobody = (await olaf.ask(f"{NEW}?membership=999999")).text
    for said in (f"membership={number(pages, name, at)}", f"membership={number(pages, name, at)}&app=softphone"):
        there = await olaf.ask(f"{NEW}?{said}")
        assert there.status_code == 404
        assert name not in there.text
        assert len(there.text) == len(nobody)
    answer = await start(olaf, {"membership": number(pages, name, at)})
    assert answer.status_code == 404
    assert await rows(pages) == []
    (line,) = await refusals(pages)
    assert (line.tenant_id, line.details["rule"]) == (pages.cast.tenant("Oak").id, "reach")
    assert (line.record_id, line.subject_name) == (None, None)


async def test_t2_nor_by_their_extension_or_one_that_is_somebody_elses(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    dans = str(pages.cast.extension("Dairy", "101").id)
    await olaf.get(f"{NEW}?extension={dans}", status=404)
    assert (await start(olaf, {"extension": dans})).status_code == 404
    bea, bens = number(pages, "Bea", "Bakery"), str(pages.cast.extension("Bakery", "202").id)
    assert (await start(olaf, {"membership": bea, "extension": bens})).status_code == 404
    assert (await start(olaf, {"membership": bea, "extension": dans})).status_code == 404
    assert (await start(olaf, {"membership": "Bea"})).status_code == 404
    assert (await start(olaf, {})).status_code == 404
    assert (await start(olaf, {"membership": bea, "app": "no-such-app"})).status_code == 404
    assert await rows(pages) == []


async def test_an_extension_alone_means_its_user_and_one_without_a_user_says_so(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    beas, free = (pages.cast.extension("Bakery", number).id for number in ("201", "203"))
    assert "Bea Bell, bea@bakery.example, ext 201 at Bakery." in words(await olaf.ask(f"{NEW}?extension={beas}"))
    assert "This extension has no user." in await olaf.get(f"{NEW}?extension={free}", status=422)
    assert (await start(olaf, {"extension": str(free)})).status_code == 422
    await start(olaf, {"extension": str(beas)})
    assert "ext 201 at" in await olaf.get("/home")


async def test_t3_nobody_becomes_themselves(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    answer = await start(olaf, {"membership": number(pages, "Olaf", "Oak")})
    assert answer.status_code == 422
    assert "This is you already." in answer.text
    assert await rows(pages) == []


@pytest.mark.parametrize("name", ["Boris", "Amos", "Bruno"])
async def test_bruno_is_told_why_he_cannot_be_somebody_he_does_not_lead(pages: House, name: str) -> None:
    bruno = await pages.visit("Bruno")
    asked = f"{NEW}?membership={number(pages, name, 'Bakery')}"
    read = words(await bruno.ask(asked))
    if name == "Bruno":
        assert "This is you already." in read
    else:
        assert "You don't have permission to impersonate this user" in read
        assert "Your role may not stand in for this person." in read
    assert (await start(bruno, {"membership": number(pages, name, "Bakery")})).status_code in {403, 422}
    assert await rows(pages) == []


async def test_opal_is_told_that_olaf_is_above_her(pages: House) -> None:
    opal = await pages.visit("Opal")
    read = words(await opal.ask(f"{NEW}?membership={number(pages, 'Olaf', 'Oak')}"))
    assert "You may stand in only for people below you" in read
    assert (await start(opal, {"membership": number(pages, "Olaf", "Oak")})).status_code == 403


async def test_t4_a_discarded_person_is_not_brought_back_by_a_start(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    bea = pages.cast.user("Bea").id
    await olaf.post(f"/users/{bea}/discard", at=f"/users/{bea}/discard")
    read = words(await olaf.ask(f"{NEW}?membership={number(pages, 'Bea', 'Bakery')}"))
    assert "Bea Bell is not active there." in read
    assert (await start(olaf, {"membership": number(pages, "Bea", "Bakery")})).status_code == 409
    async with house_work(pages.store, pages.clock.now) as session:
        assert (await session.get_one(User, bea)).discarded_at is not None


async def test_at_a_suspended_company_one_can_look(pages: House) -> None:
    nora = pages.cast.actor("Nora")
    async with work_as(pages.store, nora, pages.clock.now) as session:
        bakery = await session.get_one(Tenant, pages.cast.tenant("Bakery").id)
        await bakery.suspend(session, nora, Scope.STAFF, "unpaid since May", pages.clock.now)
    olaf = await pages.visit("Olaf")
    bea = number(pages, "Bea", "Bakery")
    shown = await olaf.get(f"{NEW}?membership={bea}")
    assert "Bakery is suspended: you can look, and change nothing." in shown
    assert '<input type="hidden" name="mode" value="look">' in shown
    assert (await start(olaf, {"membership": bea, "mode": "full"})).status_code == 409
    await become(olaf, pages, "Bea", at="Bakery", mode="look")
    assert RED in await olaf.get("/home")


# By whom


FORGED = {"adminUserId": "1", "user_id": "1", "actor": "1", "actor_membership_id": "1", "impersonator": "1"}


async def test_t5_b3_who_acts_is_the_sign_in_whatever_a_form_or_a_header_says(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    said = {"membership": number(pages, "Bea", "Bakery")} | FORGED
    answer = await start(olaf, said, X_User_Id="1", X_Original_User="ada@acme.example")
    assert answer.status_code == 303
    (row,) = await rows(pages)
    assert (row.user_id, row.actor_name) == (pages.cast.user("Olaf").id, "Olaf Olsen")


@pytest.mark.parametrize(("name", "at"), [("Bea", "Bakery"), ("Amos", "Bakery"), ("Axel", "Acme")])
async def test_t7_b3_who_has_no_such_right_starts_nothing(pages: House, name: str, at: str) -> None:
    who = await pages.visit(name)
    said = {"membership": number(pages, "Ben", "Bakery")} | FORGED
    assert (await start(who, said)).status_code == 403
    await who.get(f"{NEW}?membership={said['membership']}", status=403)
    assert await rows(pages) == []


async def test_t28_who_stands_in_starts_nothing_more(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    page = await olaf.get(f"{NEW}?membership={number(pages, 'Bea', 'Bakery')}", status=409)
    assert "Stop that first." in page
    await olaf.visit.open("/home")
    for more in ({}, {"mode": "look"}, {"app": "softphone"}):
        said = {"membership": number(pages, "Bea", "Bakery"), "reason": WHY} | more
        assert (await olaf.visit.send(START, said)).status_code == 409
    assert len(await rows(pages)) == 1


async def test_t28_who_is_bound_starts_with_their_own_rights(pages: House) -> None:
    """Opal's apps open as Bea; what she may in the panel is hers, and so is what she starts."""
    await bind(pages.store, pages.cast, "Opal", "Bakery", "201", pages.clock.now)
    opal = await pages.visit("Opal")
    await become(opal, pages, "Cora", at="Clinic")
    (row,) = await rows(pages)
    assert row.actor_membership_id == pages.cast.membership_id("Opal")
    bea = await pages.visit("Bea")
    assert (await start(bea, {"membership": number(pages, "Ben", "Bakery")})).status_code == 403


# How


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_t9_b16_nobody_starts_or_stops_by_following_a_link(pages: House, method: str) -> None:
    olaf = await pages.visit("Olaf")
    bea = number(pages, "Bea", "Bakery")
    asked = {"membership": bea, "reason": WHY}
    for path in (NEW, START):
        await olaf.visit.http.request(method, path, params=asked, headers={"Accept": "text/html"})
    assert await rows(pages) == []
    await become(olaf, pages, "Bea", at="Bakery")
    for path in (STOP, "/impersonations/over"):
        await olaf.visit.http.request(method, path, headers={"Accept": "text/html"})
    assert RED in await olaf.get("/home")
    assert [row.ended_at for row in await rows(pages)] == [None]


@pytest.mark.parametrize("path", [START, STOP])
@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"_csrf_token": ""}, {}),
        ({"_csrf_token": "0" * 64}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
async def test_t10_b16_a_form_of_somebody_elses_page_starts_and_stops_nothing(
    pages: House, path: str, fields: dict[str, str], headers: dict[str, str]
) -> None:
    olaf = await pages.visit("Olaf")
    if path == STOP:
        await become(olaf, pages, "Bea", at="Bakery")
    await olaf.visit.open("/home")
    before = [row.ended_at for row in await rows(pages)]
    own = {name: olaf.visit.hidden(name) for name in ("_csrf_token", "_acting")}
    said = own | {"membership": number(pages, "Bea", "Bakery"), "reason": WHY} | fields
    answer = await olaf.visit.http.post(path, data=said, headers={"Accept": "text/html"} | headers)
    assert answer.status_code == 403
    assert [row.ended_at for row in await rows(pages)] == before


async def test_t11_an_old_proof_is_asked_again_and_the_form_is_as_it_was(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    pages.clock.pass_(minutes=16)
    bea = number(pages, "Bea", "Bakery")
    said = {"membership": bea, "mode": "look", "ticket": "T-7", "back": "/teams?q=front"}
    answer = await start(olaf, said)
    asked = urlsplit(answer.headers["location"])
    assert asked.path == "/prove"
    assert await rows(pages) == []
    wanted = parse_qs(asked.query)["next"][0]
    await olaf.visit.follow(answer)
    proved = await olaf.visit.send("/prove", {"password": PASSWORD, "next": wanted})
    form = unescape((await olaf.visit.follow(proved)).text)
    for kept in (WHY, "T-7", 'name="back" value="/teams?q=front"', 'value="look" checked'):
        assert kept in form
    started = await olaf.visit.send(START, said | {"reason": WHY})
    assert started.headers["location"] == "/"
    assert (await olaf.post(STOP, at="/home")).headers["location"] == "/teams?q=front"


async def test_t11_a_proof_on_the_way_to_an_app_goes_on_in_its_own_tab(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    pages.clock.pass_(minutes=16)
    answer = await start(olaf, {"membership": number(pages, "Bea", "Bakery"), "app": "softphone"})
    wanted = parse_qs(urlsplit(answer.headers["location"]).query)["next"][0]
    await olaf.visit.follow(answer)
    proved = await olaf.visit.send("/prove", {"password": PASSWORD, "next": wanted})
    form = (await olaf.visit.follow(proved)).text
    assert "Open Softphone as Bea Bell" in form
    assert "formtarget" not in form
    opened = await olaf.visit.send(START, {**hidden(form), "reason": WHY, "app": "softphone"})
    assert "#handoff=" in opened.headers["location"]


def hidden(form: str) -> dict[str, str]:
    """The hidden fields of the question."""
    names = ("membership", "extension", "back", "dialog")
    found = {name: form.partition(f'name="{name}" value="')[2].partition('"')[0] for name in names}
    return {name: unescape(value) for name, value in found.items() if value}


@pytest.mark.parametrize("reason", ["", "   ", "too short", "x" * 1001, "rings \u202e not at all", "her calls\0 ring"])
async def test_t12_a_reason_is_asked_for_and_what_was_typed_is_kept(pages: House, reason: str) -> None:
    olaf = await pages.visit("Olaf")
    bea = number(pages, "Bea", "Bakery")
    answer = await start(olaf, {"membership": bea, "reason": reason, "mode": "look", "back": "/teams"})
    assert answer.status_code == 422
    assert await rows(pages) == []
    if "\0" not in reason:
        assert 'href="#field-reason"' in answer.text
        assert 'value="look" checked' in answer.text
        assert 'name="back" value="/teams"' in answer.text


async def test_t12_b23_a_reason_is_text_wherever_it_is_shown(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    bea = number(pages, "Bea", "Bakery")
    said = '=HYPERLINK("x")\r\nrole: admin <b>{"mode": "look"}</b>'
    await start(olaf, {"membership": bea, "reason": said, "ticket": "=1+1<i>"})
    (row,) = await rows(pages)
    folded = '=HYPERLINK("x") role: admin <b>{"mode": "look"}</b>'
    assert (row.reason, row.mode, row.ticket) == (folded, "full", "=1+1<i>")
    home = await olaf.get("/home")
    assert "<b>{" not in home
    await olaf.post(STOP, at="/home")
    history = await olaf.get("/history?q=impersonating")
    assert "<b>{" not in await olaf.get("/history")
    assert "<i>" not in history
    export = await olaf.get("/history?format=csv")
    assert "'=HYPERLINK" in export
    assert ',"=HYPERLINK' not in export


async def test_b23_what_a_browser_calls_itself_changes_nothing(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    said = {"membership": number(pages, "Bea", "Bakery")}
    answer = await start(olaf, said, User_Agent='x{"user_id": 1}<script>', X_Forwarded_For="1.1.1.1\t,ada")
    assert answer.status_code == 303
    started = (await told(pages))[0]
    assert started.address == "192.0.2.7" or started.address is not None
    assert "<script>" not in await olaf.get("/home")


# What the company asks for


async def test_a_company_that_lets_nobody_in_says_so_before_anything_is_typed(pages: House) -> None:
    await rules(pages, "Bakery", policy_stand_ins=StandIns.NEVER.value)
    olaf = await pages.visit("Olaf")
    read = words(await olaf.ask(f"{NEW}?membership={number(pages, 'Bea', 'Bakery')}"))
    assert "Bakery lets nobody stand in for its people." in read
    assert "Only the admins of Bakery can change that." in read
    assert (await start(olaf, {"membership": number(pages, "Bea", "Bakery")})).status_code == 403


async def test_consent_is_asked_for_before_anything_begins(pages: House) -> None:
    await rules(pages, "Bakery", policy_stand_ins=StandIns.CONSENT.value)
    olaf = await pages.visit("Olaf")
    read = words(await olaf.ask(f"{NEW}?membership={number(pages, 'Bea', 'Bakery')}"))
    assert "Bakery asks for consent first." in read
    assert (await start(olaf, {"membership": number(pages, "Bea", "Bakery")})).status_code in {403, 422}
    assert await rows(pages) == []


async def test_a_ticket_is_asked_for_where_the_company_wants_one(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    bea = number(pages, "Bea", "Bakery")
    assert 'name="ticket"' not in await olaf.get(f"{NEW}?membership={bea}")
    await rules(pages, "Bakery", policy_ticket=1)
    assert 'name="ticket"' in await olaf.get(f"{NEW}?membership={bea}")
    refused = await start(olaf, {"membership": bea})
    assert refused.status_code == 403
    assert "Bakery asks for a ticket." in refused.text
    assert (await start(olaf, {"membership": bea, "ticket": "T-7"})).status_code == 303


@pytest.mark.parametrize(
    ("look", "offered"),
    [
        (Look.FULL, ['value="full" checked']),
        (Look.LOOK_FIRST, ['value="look" checked', 'value="full"']),
        (Look.LOOK_ONLY, ['name="mode" value="look"', "Bakery allows looking only"]),
    ],
)
async def test_how_far_one_goes_is_the_companys_to_say(pages: House, look: Look, offered: Sequence[str]) -> None:
    await rules(pages, "Bakery", policy_look=look.value)
    olaf = await pages.visit("Olaf")
    bea = number(pages, "Bea", "Bakery")
    shown = await olaf.get(f"{NEW}?membership={bea}")
    assert all(each in shown for each in offered)
    assert ('type="radio"' in shown) is (look is not Look.LOOK_ONLY)
    full = await start(olaf, {"membership": bea, "mode": "full"})
    assert full.status_code == (403 if look is Look.LOOK_ONLY else 303)
    if look is Look.LOOK_ONLY:
        assert (await start(olaf, {"membership": bea, "mode": "look"})).status_code == 303


async def test_a_second_factor_is_asked_of_who_signed_in_without(pages: House) -> None:
    await rules(pages, "Bakery", policy_second_factor=1)
    olaf = await pages.visit("Olaf")
    shown = await olaf.get(f"{NEW}?membership={number(pages, 'Bea', 'Bakery')}")
    assert "Bakery asks that you use a second factor." in shown
    assert 'href="/account/second-factor"' in shown
    assert (await start(olaf, {"membership": number(pages, "Bea", "Bakery")})).status_code == 403


async def test_a_shorter_time_is_said_and_kept(pages: House) -> None:
    await rules(pages, "Bakery", policy_minutes=5)
    olaf = await pages.visit("Olaf")
    bea = number(pages, "Bea", "Bakery")
    assert "It lasts 5 minutes" in await olaf.get(f"{NEW}?membership={bea}")
    await become(olaf, pages, "Bea", at="Bakery")
    pages.clock.pass_(minutes=5)
    assert "has ended" in await olaf.get("/home", status=409)


async def test_what_one_can_and_cannot_is_said_before(pages: House) -> None:
    bruno, olaf = await pages.visit("Bruno"), await pages.visit("Olaf")
    bea = number(pages, "Bea", "Bakery")
    as_bruno = words(await bruno.ask(f"{NEW}?membership={bea}"))
    assert "Bea Bell, bea@bakery.example, at Bakery. It lasts 20 minutes" in as_bruno
    assert "As Bea Bell you can: see their own profile, extension and recordings." in as_bruno
    assert "As Bea Bell you cannot: " in as_bruno
    assert "invite people" in as_bruno
    as_olaf = words(await olaf.ask(f"{NEW}?membership={number(pages, 'Boris', 'Bakery')}"))
    assert "read history" in as_olaf.partition("As Boris Birch you can: ")[2].partition("As Boris Birch you cannot")[0]
    assert "Nobody who stands in changes passwords" in as_olaf


# At which apps


async def test_the_apps_that_bea_opens_are_offered_and_the_others_say_why_not(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    as_bea = await olaf.get(f"{NEW}?membership={number(pages, 'Bea', 'Bakery')}")
    for app in ("softphone", "desk-client", "desk-admin"):
        assert f'name="app" value="{app}" formtarget="_blank"' in as_bea
    as_ben = await olaf.get(f"{NEW}?membership={number(pages, 'Ben', 'Bakery')}")
    assert 'value="desk-admin"' not in as_ben
    assert "Ben Bond is not an admin of Desk Admin." in as_ben
    as_boris = await olaf.get(f"{NEW}?membership={number(pages, 'Boris', 'Bakery')}")
    assert 'formtarget="_blank"' not in as_boris
    assert "Boris Birch has no extension for Softphone." in as_boris


async def test_the_first_button_of_the_form_is_the_panels(pages: House) -> None:
    """Enter in the reason presses it: an app is only opened by its own button."""
    olaf = await pages.visit("Olaf")
    shown = await olaf.get(f"{NEW}?membership={number(pages, 'Bea', 'Bakery')}")
    form = shown.partition('action="/impersonations"')[2]
    first = form.partition("<button")[2].partition(">")[0]
    assert "name=" not in first
    assert "autofocus" in form.partition('name="reason"')[2].partition(">")[0]


async def test_an_app_that_does_not_fit_starts_nothing(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    answer = await start(olaf, {"membership": number(pages, "Ben", "Bakery"), "app": "desk-admin"})
    assert answer.status_code == 403
    assert "Ben Bond is not an admin of Desk Admin." in answer.text
    assert await rows(pages) == []


async def test_the_page_leads_to_the_app_and_a_dialog_by_a_page_between(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    said = {"membership": number(pages, "Bea", "Bakery"), "app": "softphone"}
    asked = f"{NEW}?membership={said['membership']}"
    policy = (await olaf.ask(asked)).headers["content-security-policy"]
    assert "http://softphone.localhost:8001" in policy.partition("form-action 'self'")[2]
    by_page = await start(olaf, said)
    assert by_page.headers["location"].startswith("http://softphone.localhost:8001/")
    dialog = await olaf.visit.http.get(asked, headers={"X-Fragment": "1", "Accept": "text/html"})
    assert 'name="dialog" value="1"' in dialog.text
    between = await start(olaf, said | {"dialog": "1"})
    assert between.status_code == 200
    onward = between.headers["refresh"].removeprefix("0; url=")
    assert onward.startswith("http://softphone.localhost:8001/")
    assert f'href="{onward}"' in unescape(between.text)
    # The panel itself is as it was: the impersonation is that tab's.
    assert RED not in await olaf.get("/users")


# At once


@ON_BOTH
async def test_t19_of_two_starts_at_once_one_goes_on(pages: House) -> None:
    browsers = [await pages.visit("Olaf") for _ in range(4)]
    subjects = [("Bea", "Bakery"), ("Ben", "Bakery"), ("Cora", "Clinic"), ("Boris", "Bakery")]
    answers = await asyncio.gather(
        *(
            start(browser, {"membership": number(pages, name, at)})
            for browser, (name, at) in zip(browsers, subjects, strict=True)
        )
    )
    assert [answer.status_code for answer in answers] == [303] * 4
    causes = [row.ended_cause for row in await rows(pages)]
    assert sorted(causes, key=str) == [None, "replaced", "replaced", "replaced"]
    shown = [await browser.ask("/home") for browser in browsers]
    assert sorted(answer.status_code for answer in shown) == [200, 409, 409, 409]


@ON_BOTH
async def test_stop_pressed_twice_at_once_is_told_once(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    await olaf.visit.open("/home")
    answers = await asyncio.gather(*(olaf.visit.send(STOP) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {303, 403, 409}
    assert [entry.details.get("cause") for entry in await told(pages)] == [None, "stopped"]


async def test_membership_of_somebody_who_left_the_company_is_not_active(pages: House) -> None:
    olaf, boris = await pages.visit("Olaf"), pages.cast.actor("Boris")
    bea = int(number(pages, "Bea", "Bakery"))
    async with work_as(pages.store, boris, pages.clock.now) as session:
        await (await find_membership(session, bea)).discard(session, boris, pages.clock.now)
    assert (await start(olaf, {"membership": str(bea)})).status_code == 409
