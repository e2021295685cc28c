"""Another address: the new one confirms, the old one has its say, and nobody takes an account over by it."""

import asyncio
from datetime import datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa

from bindings import endings
from control.house import House
from control.settling import settling
from control.writing.addresses import settle_changes
from tenants.email_changes import EmailChange, pending_change_by_line
from tenants.letters import LetterKind
from tenants.people import Membership, User
from tenants.trail import Entry
from tenants.tree import Scope, Tenant
from tests.cast import NOW, PASSWORD, house_work, work_as
from tests.control.pages.post import letters_to, link_to, newest_to
from tests.control.pages.visit import Panel, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

OLD, NEW = "bea@bakery.example", "bea.bell@bakery.example"
CONFIRM, AGREE, CHANGED = LetterKind.EMAIL_CONFIRM, LetterKind.EMAIL_AGREE, LetterKind.EMAIL_CHANGED


async def ask(panel: Panel, who: str, whom: str, email: str = NEW) -> httpx.Response:
    """Somebody asks for another address: their own, or somebody else's."""
    path = "/account/email" if who == whom else f"/users/{panel.cast.user(whom).id}/email"
    visit = await panel.visit(who, path)
    return await visit.send(path, {"email": email, "_seen": visit.hidden("_seen")})


async def press(panel: Panel, path: str, **fields: str) -> httpx.Response:
    """Whoever reads a letter opens its link and presses the button."""
    visit = panel.stranger()
    await visit.open(path)
    if not visit.hidden("_csrf_token"):
        await visit.open("/forgot")
    return await visit.send(path, fields)


async def address_of(panel: Panel, name: str) -> str:
    async with house_work(panel.store) as session:
        return (await session.get_one(User, panel.cast.user(name).id)).email


async def settle(panel: Panel) -> None:
    """The house looks whether any change is due."""
    await settle_changes(panel.app.state.house, panel.clock.now)


# One's own


async def test_bea_changes_her_own_and_it_holds_when_the_new_one_confirms(panel: Panel) -> None:
    assert (await ask(panel, "Bea", "Bea", "Bea.Bell@BAKERY.example")).status_code == 303
    path = await link_to(panel, NEW, CONFIRM)
    assert (await panel.stranger().open(path)).status_code == 200
    assert await address_of(panel, "Bea") == OLD
    assert "From now on you sign in as" in words(await press(panel, path))
    assert await address_of(panel, "Bea") == NEW
    assert (await press(panel, path)).status_code == 410
    assert (await newest_to(panel, OLD, CHANGED))["email"] == NEW
    assert (await panel.stranger().sign_in(NEW)).status_code == 303
    assert (await panel.stranger().sign_in(OLD)).status_code == 422


async def test_an_old_proof_is_asked_again(panel: Panel) -> None:
    visit = await panel.visit("Bea", "/account/email")
    panel.clock.pass_(minutes=16)
    answer = await visit.send("/account/email", {"email": NEW})
    assert (answer.status_code, answer.headers["location"].startswith("/prove")) == (303, True)
    assert await letters_to(panel, NEW) == []


async def test_a_second_wish_takes_the_place_of_the_first(panel: Panel) -> None:
    await ask(panel, "Bea", "Bea", "bea@elsewhere.example")
    first = await link_to(panel, "bea@elsewhere.example", CONFIRM)
    await ask(panel, "Bea", "Bea")
    assert (await press(panel, first)).status_code == 410
    assert (await press(panel, await link_to(panel, NEW, CONFIRM))).status_code == 200
    assert await address_of(panel, "Bea") == NEW


async def test_bea_cancels_and_a_late_confirmation_is_worth_nothing(panel: Panel) -> None:
    await ask(panel, "Bea", "Bea")
    path = await link_to(panel, NEW, CONFIRM)
    bea = await panel.visit("Bea", "/account/email")
    assert (await bea.send("/account/email/cancel")).status_code == 303
    assert (await press(panel, path)).status_code == 410
    await ask(panel, "Bea", "Bea")
    path = await link_to(panel, NEW, CONFIRM)
    panel.clock.pass_(days=3)
    assert (await press(panel, path)).status_code == 410
    assert await address_of(panel, "Bea") == OLD


async def test_a_taken_address_gives_no_hint_and_stays_its_holders(panel: Panel) -> None:
    taken, free = await ask(panel, "Bea", "Bea", "zoe@zoo.example"), await ask(panel, "Ben", "Ben", "ben@free.example")
    assert (taken.status_code, taken.headers["location"]) == (free.status_code, free.headers["location"])
    answer = await press(panel, await link_to(panel, "zoe@zoo.example", CONFIRM))
    assert (answer.status_code, "has an account already" in words(answer)) == (409, True)
    assert await address_of(panel, "Bea") == OLD
    assert await address_of(panel, "Zoe") == "zoe@zoo.example"


async def test_an_address_that_nobody_proved_goes_to_who_does(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        squatter = await User.create(session, bakery, "Squatter", NEW, NOW)
    await ask(panel, "Bea", "Bea")
    await press(panel, await link_to(panel, NEW, CONFIRM))
    assert await address_of(panel, "Bea") == NEW
    async with house_work(panel.store) as session:
        assert (await session.get_one(User, squatter.id)).email == f"released-{squatter.id}@invalid"


@pytest.mark.parametrize("email", ["no address", OLD, "b\u0435a@bakery.example", "b" * 10_000 + "@x.example"])
async def test_what_cannot_be_her_next_address_is_refused(panel: Panel, email: str) -> None:
    assert (await ask(panel, "Bea", "Bea", email)).status_code == 422


# By an admin


async def test_c5_olafs_wish_for_bea_waits_for_her_old_address(panel: Panel) -> None:
    await ask(panel, "Olaf", "Bea", "olaf.private@new.example")
    assert (await newest_to(panel, "olaf.private@new.example", CONFIRM))["who"] == "Olaf Olsen"
    answer = await press(panel, await link_to(panel, "olaf.private@new.example", CONFIRM))
    assert "The old address was written to." in words(answer)
    said = await newest_to(panel, OLD, AGREE)
    assert said["who"] == "Olaf Olsen"
    assert said["until"] == (NOW + timedelta(hours=72)).isoformat()
    assert await address_of(panel, "Bea") == OLD
    olaf = await panel.visit("Olaf", f"/users/{panel.cast.user('Bea').id}")
    assert (await olaf.send(f"/users/{panel.cast.user('Bea').id}/password-reset")).status_code == 303
    assert len(await letters_to(panel, OLD)) == 2, "a reset letter goes where the address is now"
    panel.clock.pass_(hours=71)
    await settle(panel)
    assert await address_of(panel, "Bea") == OLD
    cancelled = await press(panel, await link_to(panel, OLD, AGREE), cancel="1")
    assert "Your address stays as it is." in words(cancelled)
    panel.clock.pass_(hours=2)
    await settle(panel)
    assert await address_of(panel, "Bea") == OLD


async def test_the_old_address_agrees_and_nothing_is_waited_for(panel: Panel) -> None:
    await ask(panel, "Olaf", "Bea")
    await press(panel, await link_to(panel, NEW, CONFIRM))
    path = await link_to(panel, OLD, AGREE)
    assert (await panel.stranger().open(path)).status_code == 200
    assert await address_of(panel, "Bea") == OLD
    assert (await press(panel, path)).status_code == 200
    assert await address_of(panel, "Bea") == NEW
    assert (await press(panel, path)).status_code == 410


async def test_after_72_hours_it_takes_effect_and_the_old_address_is_told(panel: Panel) -> None:
    await ask(panel, "Olaf", "Bea")
    panel.clock.pass_(hours=70)
    await press(panel, await link_to(panel, NEW, CONFIRM))
    panel.clock.pass_(hours=72)
    await settle(panel)
    await settle(panel)
    assert await address_of(panel, "Bea") == NEW
    assert [kind for kind, _said in await letters_to(panel, OLD)] == [AGREE, CHANGED]
    async with house_work(panel.store) as session:
        about = sa.select(Entry.verb, Entry.changes).where(
            Entry.record_type == "users", Entry.verb == "user.email_changed"
        )
        [(_verb, changes)] = (await session.execute(about)).all()
    assert changes["email"] == [OLD, NEW]


async def test_who_signs_in_after_72_hours_finds_it_done(panel: Panel) -> None:
    await ask(panel, "Olaf", "Bea")
    await press(panel, await link_to(panel, NEW, CONFIRM))
    panel.clock.pass_(hours=73)
    assert (await panel.stranger().sign_in(NEW)).status_code == 303


async def test_an_open_house_looks_by_itself_and_again_after_a_fault(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: asyncio.Queue[datetime] = asyncio.Queue()

    async def look(house: House, now: datetime) -> None:
        looked.put_nowait(now)
        raise OSError("the database is away")

    monkeypatch.setattr("control.settling.STEPS", [("a look", look, 60.0)])
    async with asyncio.timeout(10), settling(panel.app.state.house, every=0):
        assert [await looked.get(), await looked.get()] == [NOW, NOW]


async def test_nothing_takes_effect_for_who_lost_the_rank_meanwhile(panel: Panel) -> None:
    await ask(panel, "Olaf", "Bea")
    await press(panel, await link_to(panel, NEW, CONFIRM))
    async with work_as(panel.store, panel.cast.actor("Nora")) as session:
        olaf = await session.get_one(User, panel.cast.user("Olaf").id)
        await endings.discard_user(session, panel.cast.actor("Nora"), olaf, NOW)
    panel.clock.pass_(hours=73)
    await settle(panel)
    assert await address_of(panel, "Bea") == OLD


@pytest.mark.parametrize(
    ("who", "whom", "status"),
    [("Clara", "Ben", 403), ("Olaf", "Ben", 303), ("Boris", "Bea", 303), ("Pia", "Bea", 404), ("Bruno", "Bea", 403)],
)
async def test_who_may_ask_for_whom(panel: Panel, who: str, whom: str, status: int) -> None:
    visit = await panel.visit(who)
    answer = await visit.send(f"/users/{panel.cast.user(whom).id}/email", {"email": "other@new.example"})
    assert answer.status_code == status


async def test_c4_rank_over_no_membership_at_all_is_no_rank(panel: Panel) -> None:
    """Nora's place is ended while North is suspended: nobody below Acme's own admins has her address changed."""
    async with work_as(panel.store, panel.cast.actor("Ada")) as session:
        north = await session.get_one(Tenant, panel.cast.tenant("North").id)
        await north.suspend(session, panel.cast.actor("Ada"), Scope.STAFF, "unpaid", NOW)
        nora = await session.get_one(Membership, panel.cast.membership_id("Nora"))
        await endings.discard_membership(session, panel.cast.actor("Ada"), nora, NOW)
    for who in ("Ada", "Olaf"):
        visit = await panel.visit(who)
        answer = await visit.send(f"/users/{panel.cast.user('Nora').id}/email", {"email": "nora@new.example"})
        assert answer.status_code == (403 if who == "Ada" else 404)
    assert await letters_to(panel, "nora@new.example") == []


async def test_c5_nobody_in_olafs_line_weakens_bea_in_that_time(panel: Panel) -> None:
    cast, now = panel.cast, panel.clock.now

    async def under_way(name: str) -> bool:
        async with house_work(panel.store) as session:
            bea = await session.get_one(User, cast.user("Bea").id)
            return await pending_change_by_line(session, bea, cast.actor(name), panel.clock.now)

    assert not await under_way("Olaf")
    await ask(panel, "Olaf", "Bea")
    assert [await under_way(name) for name in ("Ada", "Nora", "Olaf", "Boris", "Pia", "Elsa")] == [True] * 4 + [
        False
    ] * 2
    panel.clock.now = now + timedelta(days=3)
    assert not await under_way("Boris"), "nobody confirmed it"
    await ask(panel, "Bea", "Bea")
    assert not await under_way("Boris"), "her own wish hinders nobody"


async def test_two_who_edit_one_record_are_told(panel: Panel) -> None:
    path = f"/users/{panel.cast.user('Bea').id}/email"
    olaf = await panel.visit("Olaf", path)
    seen = olaf.hidden("_seen")
    await ask(panel, "Bea", "Bea")
    await press(panel, await link_to(panel, NEW, CONFIRM))
    answer = await olaf.send(path, {"email": "bea@other.example", "_seen": seen})
    assert (answer.status_code, NEW in words(answer), await letters_to(panel, "bea@other.example")) == (409, True, [])


async def test_a_password_reset_cancels_what_somebody_asked_in_her_name(panel: Panel) -> None:
    await ask(panel, "Bea", "Bea", "eve@evil.example")
    visit = panel.stranger()
    await visit.open("/forgot")
    await visit.send("/forgot", {"email": OLD})
    await press(panel, await link_to(panel, OLD, LetterKind.PASSWORD_RESET), password=PASSWORD)
    assert (await press(panel, await link_to(panel, "eve@evil.example", CONFIRM))).status_code == 410
    async with house_work(panel.store) as session:
        [change] = await session.scalars(sa.select(EmailChange))
    assert change.cancelled_at is not None
