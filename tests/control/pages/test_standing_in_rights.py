"""Somebody who stands in, at the pages: what they may do, and what they never see of the person and their places."""

from typing import Any

import pytest
import sqlalchemy as sa

from bindings.impersonation import Impersonation
from control.cast import PASSWORD
from tenants.actor import Via
from tenants.credentials import hash_password
from tenants.letters import Letter
from tenants.people import User
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.verbs import Verb
from tests.cast import house_work, work_as
from tests.control.pages.test_standing_in import become
from tests.control.pages.visit import words
from tests.control.visits import House, Reader

PRIVATE = "bakery-2"
"""Bea's private call."""
THEIRS = "79460902"
"""Who was at the other end of it."""
WHY = "she asked me what was noted"
LISTS = ("/users", "/companies", "/extensions", "/numbers", "/recordings", "/history")
"""What can be taken away as a file."""


async def look_as(house: House, name: str, subject: str, *, at: str = "Bakery") -> Reader:
    """Somebody who only looks."""
    who = await house.visit(name)
    await become(who, house, subject, at=at, mode="look")
    return who


# The way forward is said


async def test_b35_a_closed_page_says_to_stop_first_and_has_the_button(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    bea = pages.cast.user("Bea").id
    for path in (
        "/account",
        "/account/second-factor",
        "/account/passkeys",
        "/users/new",
        "/apps/new",
        "/companies/new",
    ):
        html = await olaf.get(path, status=403)
        assert "Stop impersonating first" in html, path
        assert 'action="/impersonations/stop"' in html, path
        assert 'type="password"' not in html, path
    for path in (f"/users/{bea}/email", f"/users/{bea}/discard", f"/users/{bea}/security/disable"):
        assert "Stop impersonating first" in await olaf.get(path, status=403)


async def test_t52_b35_where_an_app_asks_for_a_proof_it_is_olafs_own(pages: House) -> None:
    """The panel asks nobody who stands in for a password; where an app does, Bea's is as wrong as any other."""
    async with house_work(pages.store, pages.clock.now) as session:
        bea = await session.get_one(User, pages.cast.user("Bea").id)
        bea.password_hash = await hash_password("only-bea-knows-this")
        record(session, Verb.PASSWORD_CHANGED, bea)
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    assert "olaf@oak.example" in await olaf.get("/prove?next=/home")
    await olaf.post("/prove", at="/prove?next=/home", status=422, password="only-bea-knows-this", next="/home")
    await olaf.post("/prove", at="/prove?next=/home", password=PASSWORD, next="/home")
    assert "(as Bea Bell)" in await olaf.get("/home")


@pytest.mark.parametrize(
    ("name", "subject", "path"),
    [("Opal", "Boris", "/invitations"), ("Bruno", "Bea", "/users"), ("Olaf", "Bea", "/extensions")],
)
async def test_t1_b2_what_either_of_them_may_not_is_refused(pages: House, name: str, subject: str, path: str) -> None:
    """Opal lends no managing of people, Bruno a member's rights alone, and Bea has no more than hers."""
    who = await pages.visit(name)
    await become(who, pages, subject, at="Bakery")
    await who.get(path, status=403)
    await who.get("/home")


# To look only


@pytest.mark.parametrize("path", LISTS)
async def test_t54_a_look_takes_no_list_away(pages: House, path: str) -> None:
    olaf = await look_as(pages, "Olaf", "Boris")
    await olaf.get(path)
    assert "look only" in await olaf.get(f"{path}?format=csv", status=403)
    if path == "/history":
        await olaf.get(f"{path}?format=jsonl", status=403)


@pytest.mark.parametrize("path", LISTS)
async def test_t54_what_is_taken_away_is_written_down_under_both_names(pages: House, path: str) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    await olaf.get(f"{path}?format=csv")
    async with work_as(pages.store, pages.cast.actor("Boris"), pages.clock.now) as session:
        told = (await session.scalars(sa.select(Entry).where(Entry.verb.endswith(".exported")))).one()
    assert (told.actor_name, told.subject_name, told.via) == ("Olaf Olsen", "Boris Birch", Via.IMPERSONATION)


async def test_t54_a_look_changes_nothing_and_leaves_when_it_likes(pages: House) -> None:
    olaf = await look_as(pages, "Olaf", "Boris")
    line = f"/extensions/{pages.cast.extension('Bakery', '201').id}"
    refused = await olaf.post(line, at=line, status=403, name="Front")
    assert "look only" in words(refused)
    await olaf.post("/impersonations/stop", at="/home")


# What is private opens one by one


@pytest.mark.parametrize(("name", "subject"), [("Olaf", "Boris"), ("Opal", "Boris"), ("Bruno", "Bea"), ("Olaf", "Bea")])
async def test_t55_a_private_recording_asks_again_for_that_one(pages: House, name: str, subject: str) -> None:
    """The person could read it, who stands in reads nothing before they said why and by whose wish."""
    number = pages.cast.recordings[PRIVATE]
    path = f"/recordings/{number}"
    who = await pages.visit(name)
    await become(who, pages, subject, at="Bakery")
    for page in ("/recordings", path, f"/recordings?q={THEIRS}"):
        assert THEIRS not in (await who.get(page)).replace(f"q={THEIRS}", "").replace(f'value="{THEIRS}"', "")
    assert f'href="{path}/reveal"' in await who.get(path)
    for missing in ({"requested": "1"}, {"requested": "1", "reason": "short"}, {"reason": WHY}):
        again = await who.post(f"{path}/reveal", at=f"{path}/reveal", status=422, **missing)
        assert THEIRS not in again.text
    shown = await who.post(f"{path}/reveal", at=f"{path}/reveal", status=200, reason=WHY, requested="1")
    assert THEIRS in shown.text
    assert THEIRS not in await who.get(path)
    history = await (await pages.visit("Boris")).read(f"{path}/history")
    assert "looked into the private recording" in history
    assert WHY in history
    async with work_as(pages.store, pages.cast.actor("Boris"), pages.clock.now) as session:
        told = (await session.scalars(sa.select(Entry).where(Entry.verb == "recording.revealed"))).one()
    names = (pages.cast.identity(name).name, pages.cast.identity(subject).name)
    assert (told.actor_name, told.subject_name, told.reason) == (*names, WHY)


async def test_t55_whoever_only_looks_is_shown_no_private_one(pages: House) -> None:
    path = f"/recordings/{pages.cast.recordings[PRIVATE]}"
    olaf = await look_as(pages, "Olaf", "Bea")
    assert f"{path}/reveal" not in await olaf.get(path)
    assert "look only" in await olaf.get(f"{path}/reveal", status=403)
    refused = await olaf.post(f"{path}/reveal", at=path, status=403, reason=WHY, requested="1")
    assert THEIRS not in refused.text


async def test_t55_her_own_page_needs_no_question(pages: House) -> None:
    path = f"/recordings/{pages.cast.recordings[PRIVATE]}"
    bea = await pages.visit("Bea")
    assert THEIRS in await bea.get(path)
    await bea.get(f"{path}/reveal", status=403)


# The person's other places


@pytest.fixture
async def bruno_as_ben(pages: House) -> Reader:
    """Ben is at Clinic as well, where something was done as him."""
    bruno = await pages.visit("Bruno")
    await become(bruno, pages, "Ben", at="Bakery")
    return bruno


async def test_c3_one_profile_is_listed_and_none_is_switched_to(pages: House, bruno_as_ben: Reader) -> None:
    listed = await bruno_as_ben.get("/account/profiles")
    assert ("Bakery" in listed, "Clinic" in listed) == (True, False)
    clinic = str(pages.cast.membership_id("Ben", at="Clinic"))
    for membership in (clinic, str(pages.cast.membership_id("Bruno")), str(pages.cast.membership_id("Ben"))):
        refused = await bruno_as_ben.post("/account/profiles", at="/home", status=403, membership=membership)
        assert '<dd class="mono">nested</dd>' in refused.text
    assert "(as Ben" in await bruno_as_ben.get("/home")


@pytest.mark.parametrize(
    "path", ["/", "/home", "/home/accesses", "/find?q=Clinic", "/find?q=Ben", "/recordings", "/bindings", "/users"]
)
async def test_c3_nothing_tells_of_clinic(pages: House, bruno_as_ben: Reader, path: str) -> None:
    answer = await bruno_as_ben.ask(path)
    assert answer.status_code in {200, 303, 403}
    assert "Clinic" not in answer.text.replace("q=Clinic", "").replace('value="Clinic"', "").replace("“Clinic”", "")


async def test_c3_nothing_of_clinic_is_there_by_its_number(pages: House, bruno_as_ben: Reader) -> None:
    clinic = pages.cast.tenant("Clinic").id
    line = pages.cast.extension("Clinic", "301").id
    for path in (f"/companies/{clinic}", f"/extensions/{line}", f"/recordings?company={clinic}"):
        assert (await bruno_as_ben.ask(path)).status_code in {403, 404}, path


# The person's own marks do not move


async def rows_of(store: Store, user_id: int) -> dict[str, list[Any]]:
    """All that is kept of a person: the record itself, their sign-ins, letters to them."""
    users, sign_ins, letters = User.__table__, SignIn.__table__, Letter.__table__
    async with store.reader.connect() as connection:
        return {
            "user": list(await connection.execute(sa.select(users).where(users.c.id == user_id))),
            "sign-ins": list(await connection.execute(sa.select(sign_ins).where(sign_ins.c.user_id == user_id))),
            "letters": list(await connection.execute(sa.select(sa.func.count()).select_from(letters))),
        }


@pytest.mark.parametrize("subject", ["Boris", "Bea"])
async def test_t53_nothing_of_theirs_moves(pages: House, subject: str) -> None:
    """Last sign-in, last seen, password, sign-ins and letters of a new device are as they were."""
    theirs = await pages.visit(subject)
    await theirs.get("/home")
    before = await rows_of(pages.store, pages.cast.user(subject).id)
    olaf = await pages.visit("Olaf")
    pages.clock.pass_(minutes=5)
    await become(olaf, pages, subject, at="Bakery")
    for path in ("/", "/home", "/recordings", "/account/profiles", "/find?q=201"):
        await olaf.ask(path)
    pages.clock.pass_(minutes=5)
    await olaf.ask("/home")
    await olaf.post("/account", at="/home", status=403, name="Somebody", zone="Asia/Tokyo")
    await olaf.post("/impersonations/stop", at="/home")
    after = await rows_of(pages.store, pages.cast.user(subject).id)
    assert after == before


async def test_b10_signing_out_everywhere_is_closed_and_signing_out_is_ones_own(pages: House) -> None:
    bea, elsewhere, olaf = await pages.visit("Bea"), await pages.visit("Olaf"), await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    refused = await olaf.post("/sign-out/everywhere", at="/home", status=403)
    assert "Stop impersonating first" in words(refused)
    await olaf.post("/sign-out", at="/home")
    await bea.get("/home")
    await elsewhere.get("/users")
    assert (await olaf.ask("/home")).headers["location"].startswith("/sign-in")
    async with house_work(pages.store, pages.clock.now) as session:
        row = (await session.scalars(sa.select(Impersonation))).one()
    assert row.ended_cause == "signed_out"


# Both names


async def test_t56_whatever_is_done_as_boris_names_olaf_too(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    line = f"/extensions/{pages.cast.extension('Bakery', '203').id}"
    team = f"/teams/{pages.cast.teams['Front']}"
    call = f"/recordings/{pages.cast.recordings['bakery-1']}"
    await olaf.post(line, at=line, name="Spare")
    await olaf.post(team, at=team, name="Counter")
    await olaf.post(call, at=call, notes="Wants a refund.")
    await olaf.post(f"{line}/discard", at=f"{line}/discard")
    await olaf.post("/users/new", at="/home", status=403)
    async with house_work(pages.store, pages.clock.now) as session:
        stand = (await session.scalars(sa.select(Impersonation))).one()
        told = (await session.scalars(sa.select(Entry).where(Entry.stand_in_id == stand.id).order_by(Entry.id))).all()
        since = (await session.scalars(sa.select(Entry).where(Entry.id >= told[0].id))).all()
    assert [entry.verb for entry in told] == [entry.verb for entry in since]
    assert {(entry.actor_name, entry.subject_name) for entry in told} == {("Olaf Olsen", "Boris Birch")}
    assert [entry.via for entry in told] == ["direct"] + ["impersonation"] * (len(told) - 1)
    assert "refused" in [entry.verb for entry in told]


async def test_c8_a_form_that_would_last_is_refused_though_its_page_is_open(pages: House) -> None:
    """The name of an extension is lent, who answers it is not; a note of a number is, where it rings is not."""
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    line = f"/extensions/{pages.cast.extension('Bakery', '201').id}"
    amos = str(pages.cast.membership_id("Amos"))
    refused = await olaf.post(line, at=line, status=403, name="Front", membership=amos)
    assert "Stop impersonating first" in words(refused)
    assert "Front" not in await olaf.get(line)
