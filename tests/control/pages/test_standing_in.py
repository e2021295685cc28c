"""Signing in as somebody in the panel: the same tab, the red bar, Stop, twenty minutes."""

import pytest
import sqlalchemy as sa

from bindings.impersonation import Impersonation
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.cast import house_work
from tests.control.pages.visit import words
from tests.control.visits import House, Reader

WHY = "her calls do not ring"


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


async def test_olaf_is_bea_and_stops(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")
    home = await olaf.get("/home")
    assert 'data-stand-in="impersonation"' in home
    assert "(as Bea" in home
    stopped = await olaf.post("/impersonations/stop", at="/home")
    assert stopped.headers["location"].startswith("/impersonations/")
    assert 'data-stand-in="impersonation"' not in await olaf.get("/users")
    started, over = await told(pages)
    assert (started.actor_name, started.subject_name, started.reason) == ("Olaf Olsen", "Bea Baker", WHY)
    assert (over.verb, over.details["cause"], over.details["seconds"]) == (Verb.IMPERSONATION_STOPPED, "stopped", 0)
    assert over.actor_name == "Olaf Olsen"


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


async def test_opal_meets_the_ended_page_once_she_is_no_operator(pages: House) -> None:
    opal = await pages.visit("Opal")
    await become(opal, pages, "Bea", at="Bakery")
    async with house_work(pages.store, pages.clock.now) as session:
        row = (await session.scalars(sa.select(Impersonation))).one()
        assert row.over(pages.clock.now) is None


@pytest.mark.parametrize("path", ["/users", "/account"])
async def test_what_outlives_is_closed(pages: House, path: str) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    answer = await olaf.ask(path)
    assert 'data-stand-in="impersonation"' in answer.text
    assert words(answer)
