"""What a suspension shuts, service by service, at every level and scope; and that lifting it brings nothing back."""

from bindings.endings import suspend_tenant
from tenants.tree import Scope, Suspension, Tenant
from tests.cast import work_as
from tests.control.openid.services import may_sign_in, open_all, works
from tests.control.openid.story import Client, Panel

REASON = "unpaid since May"
PEOPLE = {"Nora": "North", "Olaf": "Oak", "Bea": "Bakery"}


async def test_every_service_at_every_level(panel: Panel, softphone: Client) -> None:
    """B24, B29: shut while closed, each of them; open for everybody else; and nothing comes back by lifting."""
    ada = panel.cast.actor("Ada")
    for place, scope, shut in (
        ("North", Scope.STAFF, {"Nora"}),
        ("North", Scope.ALL, {"Nora", "Olaf", "Bea"}),
        ("Oak", Scope.STAFF, {"Olaf"}),
        ("Oak", Scope.ALL, {"Olaf", "Bea"}),
        ("Bakery", Scope.STAFF, {"Bea"}),
        ("Bakery", Scope.ALL, {"Bea"}),
    ):
        before = {name: await open_all(panel, softphone, name) for name in PEOPLE}
        async with work_as(panel.store, ada, panel.clock.now) as session:
            tenant = await session.get_one(Tenant, panel.cast.tenant(place).id)
            row = await suspend_tenant(session, ada, tenant, scope, REASON, panel.clock.now)
        for name, opened in before.items():
            said = await works(panel, softphone, opened)
            assert set(said.values()) == {name not in shut}, f"{place} {scope}: {name} {said}"
        assert not await may_sign_in(panel, min(shut)), f"{place} {scope}"
        async with work_as(panel.store, ada, panel.clock.now) as session:
            await (await session.get_one(Suspension, row.id)).lift(session, ada, panel.clock.now)
        for name, opened in before.items():
            said = await works(panel, softphone, opened)
            assert set(said.values()) == {name not in shut}, f"lifted {place} {scope}: {name} {said}"
        assert await may_sign_in(panel, min(shut)), f"lifted {place} {scope}"
        again = await open_all(panel, softphone, "Bea")
        assert set((await works(panel, softphone, again)).values()) == {True}
