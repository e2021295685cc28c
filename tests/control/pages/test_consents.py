"""Consent on the pages: Bea lets somebody in from home, reads digits out, takes it back; Boris does for everybody."""

import re

import pytest
import sqlalchemy as sa

from bindings.impersonation import Impersonation
from tenants.consents import Consent
from tenants.protections import tighten
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import WHY, house_work, impersonate
from tests.control.pages.visit import choices, words
from tests.control.visits import House, Reader


async def ask_consent(pages: House, rule: str = "consent") -> None:
    """Bakery asks for it."""
    async with house_work(pages.store) as session:
        bakery = await session.get_one(Tenant, pages.cast.tenant("Bakery").id)
        await tighten(session, bakery, {"stand_ins": rule})


async def windows(pages: House) -> list[Consent]:
    async with house_work(pages.store, pages.clock.now) as session:
        return list(await session.scalars(sa.select(Consent).order_by(Consent.id)))


async def digits(bea: Reader) -> str:
    """Bea makes six, and reads them on the page."""
    shown = await bea.post("/home/digits", at="/home", status=200)
    [found] = re.findall(r"<code[^>]*data-digits>(\d{3} \d{3})</code>", shown.text)
    return str(found)


def asked(pages: House, name: str = "Bea") -> str:
    return f"/impersonations/new?membership={pages.cast.membership_id(name)}"


# At home


async def test_bea_reads_what_bakery_asks_for(pages: House) -> None:
    bea = await pages.visit("Bea")
    assert "without asking first" in await bea.read("/home")
    await ask_consent(pages)
    home = await bea.read("/home")
    assert "Bakery asks for your consent before anybody signs in as you" in home
    assert "You have let nobody in" in home
    await ask_consent(pages, "never")
    home = await bea.read("/home")
    assert "Nobody may sign in as you" in home
    assert "Make six digits" not in home


async def test_bea_lets_oak_in_and_takes_it_back(pages: House) -> None:
    await ask_consent(pages)
    bea, oak = await pages.visit("Bea"), str(pages.cast.tenant("Oak").id)
    shown = await bea.ask("/home")
    assert choices(shown, "to") == ["Oak", "North", "Acme", "Bakery"]
    await bea.post("/home/consents", at="/home", to=oak, hours="24")
    assert "Oak Bea Bell Bea Bell" in await bea.read("/home")
    [row] = await windows(pages)
    stand = await impersonate(pages.store, pages.cast, "Olaf", "Bea", pages.clock.now)
    await bea.post(f"/consents/{row.id}/revoke", at="/home")
    assert "You have let nobody in" in await bea.read("/home")
    async with house_work(pages.store) as session:
        assert (await session.get_one(Impersonation, stand)).ended_cause == "policy"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hours": "24"}, "Choose whom you let in"),
        ({"to": "Oak"}, "Choose for how long"),
        ({"to": "Oak", "hours": "9999"}, "Choose for how long"),
        ({"to": "Elm", "hours": "24"}, "Choose Bakery or an organization above it"),
    ],
)
async def test_what_is_missing_brings_the_form_back(pages: House, fields: dict[str, str], said: str) -> None:
    await ask_consent(pages)
    bea = await pages.visit("Bea")
    sent = {name: str(pages.cast.tenant(value).id) if name == "to" else value for name, value in fields.items()}
    assert said in words(await bea.post("/home/consents", at="/home", status=422, **sent))
    assert await windows(pages) == []


async def test_an_old_proof_is_asked_again(pages: House) -> None:
    """T11: whoever finds Bea's browser open lets nobody in."""
    await ask_consent(pages)
    bea = await pages.visit("Bea")
    pages.clock.pass_(minutes=16)
    for path in ("/home/consents", "/home/digits"):
        answer = await bea.post(path, at="/home", to=str(pages.cast.tenant("Oak").id), hours="24")
        assert answer.headers["location"].startswith("/prove")
    assert await windows(pages) == []


async def test_olaf_as_bea_lets_nobody_in_and_takes_nothing_back(pages: House) -> None:
    """T51."""
    bea, olaf = await pages.visit("Bea"), await pages.visit("Olaf")
    await ask_consent(pages)
    await bea.post("/home/consents", at="/home", to=str(pages.cast.tenant("Oak").id), hours="24")
    [row] = await windows(pages)
    membership = str(pages.cast.membership_id("Bea"))
    await olaf.post("/impersonations", at=asked(pages), membership=membership, reason=WHY)
    home = await olaf.get("/home")
    assert 'data-stand-in="impersonation"' in home
    assert "/home/digits" not in home
    assert f"/consents/{row.id}/revoke" not in home
    for path in ("/home/consents", "/home/digits", f"/consents/{row.id}/revoke"):
        await olaf.post(path, at="/home", status=403, to=str(pages.cast.tenant("Oak").id), hours="24")
    assert len(await windows(pages)) == 1


# Spoken digits


async def test_bea_reads_six_digits_out_and_olaf_types_them(pages: House) -> None:
    await ask_consent(pages)
    bea, olaf = await pages.visit("Bea"), await pages.visit("Olaf")
    question = await olaf.read(asked(pages))
    assert "Bakery asks for consent first" in question
    assert "six digits" in question
    spoken = await digits(bea)
    assert "Whoever says the six digits first" in await bea.read("/home")
    membership = str(pages.cast.membership_id("Bea"))
    answer = await olaf.post("/impersonations", at=asked(pages), membership=membership, reason=WHY, digits=spoken)
    assert answer.headers["location"] == "/"
    assert "Olaf Olsen (Oak)" in await bea.read("/home")
    again = await pages.visit("Opal")
    back = await again.post(
        "/impersonations", at=asked(pages), status=422, membership=membership, reason=WHY, digits=spoken
    )
    assert "These digits do not open it" in words(back)


async def test_wrong_digits_are_counted_though_nothing_starts(pages: House) -> None:
    await ask_consent(pages)
    bea, olaf = await pages.visit("Bea"), await pages.visit("Olaf")
    spoken = (await digits(bea)).replace(" ", "")
    wrong, membership = f"{(int(spoken) + 1) % 10**6:06}", str(pages.cast.membership_id("Bea"))
    for _ in range(5):
        back = await olaf.post(
            "/impersonations", at=asked(pages), status=422, membership=membership, reason=WHY, digits=wrong
        )
        assert WHY in back.text
        assert wrong not in back.text
    [row] = await windows(pages)
    assert row.tries == 5
    await olaf.post("/impersonations", at=asked(pages), status=422, membership=membership, reason=WHY, digits=spoken)
    async with house_work(pages.store) as session:
        told = sa.select(Entry).where(Entry.verb == Verb.REFUSED, Entry.record_name == "Bea Bell")
        assert len(list(await session.scalars(told))) == 6
        assert (await session.scalars(sa.select(Impersonation))).first() is None


async def test_with_right_digits_and_no_reason_olaf_need_not_ask_again(pages: House) -> None:
    await ask_consent(pages)
    bea, olaf = await pages.visit("Bea"), await pages.visit("Olaf")
    spoken, membership = await digits(bea), str(pages.cast.membership_id("Bea"))
    await olaf.post("/impersonations", at=asked(pages), status=422, membership=membership, digits=spoken)
    answer = await olaf.post("/impersonations", at=asked(pages), membership=membership, reason=WHY)
    assert answer.headers["location"] == "/"


async def test_without_digits_the_question_says_how_to_go_on(pages: House) -> None:
    await ask_consent(pages)
    olaf, membership = await pages.visit("Olaf"), str(pages.cast.membership_id("Bea"))
    back = await olaf.post("/impersonations", at=asked(pages), status=403, membership=membership, reason=WHY)
    assert "Bakery asks for consent first" in words(back)


async def test_elsa_finds_nobody_to_say_digits_for(pages: House) -> None:
    await ask_consent(pages)
    bea, elsa = await pages.visit("Bea"), await pages.visit("Elsa")
    spoken, membership = await digits(bea), str(pages.cast.membership_id("Bea"))
    await elsa.post("/impersonations", at="/users", status=404, membership=membership, reason=WHY, digits=spoken)
    assert (await windows(pages))[0].tries == 0


# A company's


async def test_boris_lets_oak_in_for_everybody_and_takes_it_back(pages: House) -> None:
    await ask_consent(pages)
    boris, oak = await pages.visit("Boris"), str(pages.cast.tenant("Oak").id)
    page = f"/companies/{pages.cast.tenant('Bakery').id}/consents"
    assert page in await boris.get(f"/companies/{pages.cast.tenant('Bakery').id}/policy")
    await boris.post(page, at=page, to=oak, hours="720")
    assert "Oak Everybody at Bakery Boris Birch" in await boris.read(page)
    bea = await pages.visit("Bea")
    [row] = await windows(pages)
    home = await bea.get("/home")
    assert "Everybody at Bakery" in home
    assert f"/consents/{row.id}/revoke" not in home
    await bea.post(f"/consents/{row.id}/revoke", at="/home", status=403)
    await boris.post(f"/consents/{row.id}/revoke", at=page)
    assert "Taken back" in await boris.read(page)


async def test_c6_olaf_above_reads_it_and_cannot_say_yes(pages: House) -> None:
    await ask_consent(pages)
    olaf, oak = await pages.visit("Olaf"), str(pages.cast.tenant("Oak").id)
    page = f"/companies/{pages.cast.tenant('Bakery').id}/consents"
    shown = await olaf.ask(page)
    assert "own admins say yes for everybody" in words(shown)
    assert choices(shown, "to") == []
    await olaf.post(page, at=page, status=403, to=oak, hours="24")
    assert await windows(pages) == []


async def test_elsa_finds_nothing_of_bakery(pages: House) -> None:
    elsa = await pages.visit("Elsa")
    assert (await elsa.ask(f"/companies/{pages.cast.tenant('Bakery').id}/consents")).status_code == 404
