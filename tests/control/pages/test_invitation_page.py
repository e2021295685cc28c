"""An invitation has a page of its own: how it stands, and its history for who reads that."""

import pytest

from tenants.invitations import Invitation
from tenants.roles import Role
from tests.cast import work_as
from tests.control.pages.visit import Panel, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def offered(panel: Panel) -> int:
    """Boris prepares an invitation for Bo."""
    boris, now = panel.cast.actor("Boris"), panel.clock.now
    async with work_as(panel.store, boris, now) as session:
        here = panel.cast.tenant("Bakery").id
        return (await Invitation.prepare(session, boris, here, "bo@new.example", "Bo", Role.MEMBER, now)).id


async def test_it_tells_who_was_invited_by_whom_and_what_became_of_it(panel: Panel) -> None:
    number = await offered(panel)
    boris = await panel.visit("Boris", f"/invitations/{number}")
    said = words(boris.shown)
    for part in (
        "bo@new.example",
        "Prepared",
        "Invited by Boris Birch",
        "Boris Birch prepared an invitation for bo@new.example",
    ):
        assert part in said
    await boris.send(f"/invitations/{number}/revoke")
    said = words(await boris.open(f"/invitations/{number}"))
    assert "State Revoked" in said
    assert "Boris Birch revoked the invitation of bo@new.example" in said


async def test_a_supervisor_sees_it_without_history_and_neighbours_see_nothing(panel: Panel) -> None:
    number = await offered(panel)
    said = words((await panel.visit("Bruno", f"/invitations/{number}")).shown)
    assert "bo@new.example" in said
    assert "prepared an invitation" not in said
    assert (await panel.visit("Clara", f"/invitations/{number}")).shown.status_code == 404
    assert (await panel.visit("Bea", f"/invitations/{number}")).shown.status_code == 403
