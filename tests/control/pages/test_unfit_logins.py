"""What lets people in is taken away on a page: the logins by it are over, and their app is told."""

import pytest

from bindings.login import Login
from bindings.unfit_logins import NO_LICENCE, OUT_OF_USE, REASSIGNED
from control.reaping import look
from tests.bindings.test_logout_tokens import asks_to_be_told, due, logged_in, row_of
from tests.bindings.test_unfit_logins import licence
from tests.cast import house_work
from tests.control.visits import House


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("licence", NO_LICENCE),
        ("nobody", REASSIGNED),
        ("extension", OUT_OF_USE),
        ("phone system", OUT_OF_USE),
    ],
)
async def test_boris_takes_away_what_let_bea_in(pages: House, what: str, cause: str) -> None:
    cast, boris = pages.cast, await pages.visit("Boris")
    here, system = f"/extensions/{cast.extension('Bakery', '201').id}", cast.phone_system_id("Bakery")
    await asks_to_be_told(pages.store, cast)
    sid = await logged_in(pages.store, cast, now=pages.clock.now)
    if what == "licence":
        async with house_work(pages.store) as session:
            held = await licence(session, cast, "Softphone")
        await boris.post(f"{here}/licences/{held.id}/withdraw", at=here)
    elif what == "nobody":
        await boris.post(here, at=here, name="", membership="")
    elif what == "extension":
        await boris.post(f"{here}/discard", at=f"{here}/discard")
    else:
        there = f"/phone-systems/{system}/discard"
        await boris.post(there, at=there, with_extensions="1")
    row = await row_of(pages.store, sid)
    assert (row.ended_at, row.ended_cause) == (pages.clock.now, cause)
    assert await due(pages.store, pages.clock.now) == [sid]


async def test_ada_discards_the_softphone_and_the_reaper_ends_its_logins(pages: House) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}/discard"
    await asks_to_be_told(pages.store, pages.cast)
    sid = await logged_in(pages.store, pages.cast, now=pages.clock.now)
    await ada.post(here, at=here, client_id="softphone")
    await look(pages.panel.app.state.house)
    async with house_work(pages.store) as session:
        row = await session.get_one(Login, sid)
    assert (row.ended_at, row.ended_cause) == (pages.clock.now, "app_discarded")
    assert await due(pages.store, pages.clock.now) == [sid]
