"""Broken links as a page: what is broken, the question before mending, and what is left afterwards."""

import pytest

from bindings import endings
from tenants.people import Membership
from tests.cast import NOW, bind, work_as
from tests.control.pages.visit import Panel, words


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does here."""
    return str(request.param)


async def bea_leaves(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201")
    boris = panel.cast.actor("Boris")
    async with work_as(panel.store, boris) as session:
        beas = await session.get_one(Membership, panel.cast.membership_id("Bea"))
        await endings.discard_membership(session, boris, beas, NOW)


async def test_nothing_is_broken(panel: Panel) -> None:
    boris = await panel.visit("Boris", "/phone-systems/orphans")
    assert "Nothing is broken" in words(boris.shown)
    assert (await boris.open("/phone-systems/orphans/mend", kind="licences")).status_code == 409
    assert (await boris.send("/phone-systems/orphans/mend", {"kind": "nonsense"})).status_code == 422


async def test_what_bea_left_behind_is_shown_and_mended_kind_by_kind(panel: Panel) -> None:
    await bea_leaves(panel)
    boris = await panel.visit("Boris", "/phone-systems/orphans")
    told = words(boris.shown)
    assert "Extensions of people who have left 1" in told
    assert "Places in teams of people who have left 1" in told
    assert "Olaf Olsen: Bea Bell, ext 201 at Bakery" in told
    asked = words(await boris.open("/phone-systems/orphans/mend", kind="held-extensions"))
    assert "Release them, so that somebody else can have them: 201 (Bakery)." in asked
    for kind in ("held-extensions", "team-places", "bindings"):
        assert (await boris.send("/phone-systems/orphans/mend", {"kind": kind})).status_code == 303
    assert "Nothing is broken" in words(await boris.open("/phone-systems/orphans"))
    assert (await boris.send("/phone-systems/orphans/mend", {"kind": "bindings"})).status_code == 409
    line = panel.cast.extension("Bakery", "201").id
    assert "changed extension 201" in words(await boris.open(f"/extensions/{line}/history"))


async def test_one_is_mended_and_others_stay(panel: Panel) -> None:
    await bea_leaves(panel)
    boris = await panel.visit("Boris", "/phone-systems/orphans")
    path, line = "/phone-systems/orphans/mend", str(panel.cast.extension("Bakery", "202").id)
    assert (await boris.send(path, {"kind": "held-extensions", "id": line})).status_code == 409
    line = str(panel.cast.extension("Bakery", "201").id)
    assert (await boris.send(path, {"kind": "held-extensions", "id": line})).status_code == 303


async def test_amos_sees_and_mends_nothing_and_pia_sees_nothing(panel: Panel) -> None:
    await bea_leaves(panel)
    amos = await panel.visit("Amos", "/phone-systems/orphans")
    assert "Extensions of people who have left" in words(amos.shown)
    assert "/mend" not in amos.shown.text
    assert (await amos.send("/phone-systems/orphans/mend", {"kind": "bindings"})).status_code == 403
    assert "Nothing is broken" in words((await panel.visit("Pia", "/phone-systems/orphans")).shown)
