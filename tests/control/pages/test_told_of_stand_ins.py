"""Letters about stand-ins: Bea is told who was her, as Bakery has it; only she herself wants none of them."""

import asyncio
import json

import pytest
import sqlalchemy as sa

from control.mail.writing import paper_for, write
from control.writing.loosenings import ask_loosening, settle_loosenings
from control.writing.stand_ins import tell_accesses
from tenants.letters import Letter, LetterKind
from tenants.people import User
from tenants.policy import Notice
from tenants.tree import Tenant
from tests.cast import WHY, bind, house_work, impersonate, work_as
from tests.conftest import ON_BOTH
from tests.control.mail.post_office import part
from tests.control.pages.post import letters_to, newest_to
from tests.control.pages.test_standing_in import become
from tests.control.pages.visit import Panel, words
from tests.control.visits import House, Reader

BEA = "bea@bakery.example"


async def bakery_wants(panel: Panel, notice: Notice) -> None:
    async with house_work(panel.store) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await bakery.change(session, policy_notice=int(notice))


async def tell(panel: Panel) -> None:
    """The house looks whether anybody is to be told."""
    await tell_accesses(panel.app.state.house, panel.clock.now)


async def as_read(panel: Panel, address: str) -> str:
    """The newest letter to an address as it arrives, in plain text."""
    house = panel.app.state.house
    async with house_work(panel.store, panel.clock.now) as session:
        newest = sa.select(Letter).where(Letter.address == address).order_by(Letter.id.desc()).limit(1)
        letter = (await session.scalars(newest)).one()
        paper = await paper_for(session, house, letter)
        message = write(letter, letter.words(house.settings.secret_key), paper, panel.clock.now)
    return f"{message['Subject']}\n{' '.join(part(message, 'plain').split())}"


async def test_at_once_she_reads_who_how_when_why_and_where_to_see_it(panel: Panel) -> None:
    await bakery_wants(panel, Notice.AT_ONCE)
    await impersonate(panel.store, panel.cast, "Olaf", "Bea", panel.clock.now, at="Bakery")
    for _ in range(2):
        await tell(panel)
    [(kind, told)] = await letters_to(panel, BEA)
    assert kind is LetterKind.ACCESS_STARTED
    assert (told["who"], told["organization"], told["tenant"]) == ("Olaf Olsen", "Oak", "Bakery")
    assert told["link"] == "http://localhost:8000/home/accesses"
    said = await as_read(panel, BEA)
    assert said.startswith("Olaf Olsen of Oak accessed your account at Bakery\n")
    assert f"Olaf Olsen of Oak signed in as you at 21 Nov 2026, 09:00 London. The reason given: {WHY}" in said
    assert "olaf@oak.example" not in said


@ON_BOTH
async def test_six_processes_send_one_letter(panel: Panel) -> None:
    await bakery_wants(panel, Notice.AT_ONCE)
    await impersonate(panel.store, panel.cast, "Olaf", "Bea", panel.clock.now, at="Bakery")
    await asyncio.gather(*(tell(panel) for _ in range(6)))
    assert len(await letters_to(panel, BEA)) == 1


@ON_BOTH
async def test_six_processes_put_looser_rules_in_force_with_one_letter(panel: Panel) -> None:
    await bakery_wants(panel, Notice.AT_ONCE)
    house, boris = panel.app.state.house, panel.cast.actor("Boris")
    async with work_as(panel.store, boris, panel.clock.now) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await ask_loosening(house, session, boris, bakery, {"notice": "none"}, panel.clock.now)
    panel.clock.pass_(hours=24)
    await asyncio.gather(*(settle_loosenings(house, panel.clock.now) for _ in range(6)))
    kinds = [kind for kind, _ in await letters_to(panel, "boris@bakery.example")]
    assert kinds == [LetterKind.LOOSENING_ASKED, LetterKind.LOOSENING_APPLIED]


async def test_a_digest_lists_them_in_one_letter_a_day(panel: Panel) -> None:
    await bakery_wants(panel, Notice.DIGEST)
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201", reason=WHY)
    await impersonate(panel.store, panel.cast, "Opal", "Bea", panel.clock.now, at="Bakery")
    await tell(panel)
    assert await letters_to(panel, BEA) == []
    panel.clock.pass_(hours=24)
    for _ in range(2):
        await tell(panel)
    [(kind, told)] = await letters_to(panel, BEA)
    assert kind is LetterKind.ACCESS_DIGEST
    assert [(each["who"], each["via"]) for each in json.loads(told["accesses"])] == [
        ("Olaf Olsen", "binding"),
        ("Opal Orr", "impersonation"),
    ]
    said = await as_read(panel, BEA)
    assert "Olaf Olsen of Oak bound to you at 21 Nov 2026, 09:00 London: their own logins at apps open as you." in said
    assert "Opal Orr of Oak signed in as you at 21 Nov 2026, 09:00 London." in said


async def test_without_a_rule_nobody_is_written_to(panel: Panel) -> None:
    await impersonate(panel.store, panel.cast, "Olaf", "Bea", panel.clock.now, at="Bakery")
    panel.clock.pass_(days=2)
    await tell(panel)
    assert await letters_to(panel, BEA) == []


async def test_bea_wants_none_and_then_wants_them_again(panel: Panel) -> None:
    await bakery_wants(panel, Notice.AT_ONCE)
    bea = await panel.visit("Bea")
    assert "Bakery has them sent at each start" in words(bea.shown)
    await bea.follow(await bea.send("/account/notices"))
    assert 'name="letters" value="1" checked' not in bea.shown.text
    await impersonate(panel.store, panel.cast, "Olaf", "Bea", panel.clock.now, at="Bakery")
    await tell(panel)
    assert await letters_to(panel, BEA) == []
    await bea.follow(await bea.send("/account/notices", {"letters": "1"}))
    assert 'name="letters" value="1" checked' in bea.shown.text
    panel.clock.pass_(minutes=30)
    await impersonate(panel.store, panel.cast, "Olaf", "Bea", panel.clock.now, at="Bakery")
    await tell(panel)
    assert (await newest_to(panel, BEA, LetterKind.ACCESS_STARTED))["who"] == "Olaf Olsen"


async def test_nobody_who_stands_in_as_her_turns_them_off(panel: Panel) -> None:
    olaf = Reader(await panel.visit("Olaf"))
    await become(olaf, House(panel), "Bea", at="Bakery")
    await olaf.ask("/home")
    refused = await olaf.visit.send("/account/notices")
    assert (refused.status_code, "outlives" in refused.text) == (403, True)
    async with house_work(panel.store) as session:
        assert not (await session.get_one(User, panel.cast.user("Bea").id)).notices_muted


@pytest.mark.parametrize("name", ["Boris", "Olaf"])
async def test_her_admins_see_no_switch_for_her(panel: Panel, name: str) -> None:
    admin = await panel.visit(name, f"/users/{panel.cast.user('Bea').id}")
    assert "letters about" not in words(admin.shown).lower()
    await admin.send("/account/notices", {"user_id": str(panel.cast.user("Bea").id)})
    async with house_work(panel.store) as session:
        assert not (await session.get_one(User, panel.cast.user("Bea").id)).notices_muted


async def test_who_has_no_company_rule_is_told_so(panel: Panel) -> None:
    assert "Dairy asks for no such letters." in words((await panel.visit("Dan")).shown)
    await bakery_wants(panel, Notice.DIGEST)
    assert "Bakery has them gathered and sent once a day." in words((await panel.visit("Ben")).shown)
