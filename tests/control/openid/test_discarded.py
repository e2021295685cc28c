"""A user discarded in one tab: the next request is refused everywhere, and undiscarding brings none of it back."""

from bindings.endings import discard_user, undiscard_user
from tenants.people import User
from tests.cast import work_as
from tests.control.openid.services import may_sign_in, open_all, works
from tests.control.openid.story import Client, Panel


async def test_bea_is_discarded_in_one_tab_and_refused_at_every_next_request(panel: Panel, softphone: Client) -> None:
    """B24: page, API, introspection and userinfo refuse, refresh is refused, and so is her password."""
    bea, olaf = await open_all(panel, softphone, "Bea"), panel.cast.actor("Olaf")
    assert set((await works(panel, softphone, bea)).values()) == {True}
    async with work_as(panel.store, olaf, panel.clock.now) as session:
        await discard_user(session, olaf, await session.get_one(User, panel.cast.user("Bea").id), panel.clock.now)
    assert set((await works(panel, softphone, bea)).values()) == {False}
    assert not await may_sign_in(panel, "Bea")
    async with work_as(panel.store, olaf, panel.clock.now) as session:
        await undiscard_user(session, olaf, await session.get_one(User, panel.cast.user("Bea").id), panel.clock.now)
    assert set((await works(panel, softphone, bea)).values()) == {False}
    assert await may_sign_in(panel, "Bea")
