"""Own admins: whoever was appointed from above lately gives up nothing that the company protects itself by."""

from datetime import timedelta

import pytest

from tenants.actor import Actor
from tenants.identities import live_identities
from tenants.own_admins import SETTLED, is_own_admin, require_own_admin
from tenants.people import Membership
from tenants.refusals import NotPermitted
from tenants.roles import Role
from tenants.store import Store
from tenants.tree import Tenant
from tests.cast import NOW, Cast, house_work, work_as


class Bakery:
    """Who makes whom admin at Bakery, and who then is one of its own."""

    def __init__(self, store: Store, cast: Cast) -> None:
        self.store, self.cast = store, cast

    async def actor(self, name: str) -> Actor:
        async with house_work(self.store) as session:
            [identity] = await live_identities(session, membership_id=self.cast.membership_id(name))
        return Actor.of(identity)

    async def appoint(self, by: str, name: str, role: Role = Role.ADMIN) -> None:
        actor = await self.actor(by)
        async with work_as(self.store, actor) as session:
            row = await session.get_one(Membership, self.cast.membership_id(name))
            await row.change_role(session, actor, role, NOW)

    async def owns(self, name: str, *, days: int = 0) -> bool:
        actor = await self.actor(name)
        async with work_as(self.store, actor) as session:
            tenant = await session.get_one(Tenant, self.cast.tenant("Bakery").id)
            return await is_own_admin(session, actor, tenant, NOW + timedelta(days=days))


@pytest.fixture
def bakery(store: Store, cast: Cast) -> Bakery:
    return Bakery(store, cast)


async def test_boris_is_bakerys_own_and_olaf_above_is_not(bakery: Bakery) -> None:
    assert await bakery.owns("Boris")
    assert not await bakery.owns("Olaf")
    assert not await bakery.owns("Bruno")


async def test_whom_olaf_makes_admin_is_one_of_their_own_after_thirty_days(bakery: Bakery) -> None:
    await bakery.appoint("Olaf", "Bruno")
    assert not await bakery.owns("Bruno", days=29)
    assert await bakery.owns("Bruno", days=SETTLED.days)


async def test_whom_boris_makes_admin_is_one_of_their_own_at_once(bakery: Bakery) -> None:
    await bakery.appoint("Boris", "Bruno")
    assert await bakery.owns("Bruno")


async def test_an_appointee_from_above_vouches_for_nobody(bakery: Bakery) -> None:
    """Otherwise Olaf would need one more step, and no more days."""
    await bakery.appoint("Olaf", "Bruno")
    await bakery.appoint("Bruno", "Amos")
    assert not await bakery.owns("Amos")


async def test_nobody_vouches_for_themselves_nor_two_for_each_other(bakery: Bakery) -> None:
    await bakery.appoint("Olaf", "Bruno")
    await bakery.appoint("Bruno", "Bruno")
    assert not await bakery.owns("Bruno")
    await bakery.appoint("Bruno", "Amos")
    await bakery.appoint("Amos", "Bruno")
    assert not await bakery.owns("Bruno")


async def test_who_is_refused_is_told_the_rule(store: Store, cast: Cast) -> None:
    olaf = cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        tenant = await session.get_one(Tenant, cast.tenant("Bakery").id)
        with pytest.raises(NotPermitted, match="Bakery's own admins") as refused:
            await require_own_admin(session, olaf, tenant, NOW)
    assert (refused.value.status, refused.value.rule) == (403, "policy")
