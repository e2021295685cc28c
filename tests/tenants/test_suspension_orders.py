"""Suspending and lifting child, parent and grandparent in every order there is, against a model of ten lines."""

import itertools

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.identities import closed_paths
from tenants.store import Store
from tenants.tree import Scope, Suspension, Tenant, closed
from tests.cast import NOW, Cast, work_as

LINE = ("North", "Oak", "Bakery")
ORDERS = sorted(set(itertools.permutations([*LINE, *LINE])))
"""Every way in which three suspensions and their liftings can follow each other: a name's second time lifts it."""
SCOPES = list(itertools.product(Scope, repeat=3))


class Model:
    """Which suspensions hold, and what they close by the words of the documents; nothing of the product's code."""

    def __init__(self, cast: Cast) -> None:
        self.parents = {place.name: place.parent_id for place in cast.places.values()}
        self.names = {place.id: place.name for place in cast.places.values()}
        self.holding: dict[str, Scope] = {}

    def closed(self, name: str) -> bool:
        """It has one, or somebody above has one that reaches all."""
        if name in self.holding:
            return True
        above = self.parents[name]
        while above is not None:
            if self.holding.get(self.names[above]) is Scope.ALL:
                return True
            above = self.parents[self.names[above]]
        return False


async def test_three_levels_in_every_order_of_suspending_and_lifting(store: Store, cast: Cast) -> None:
    """B25, B26: after each step every tenant of the house is closed exactly when the model says so."""
    assert len(ORDERS) == 90
    ada = cast.actor("Ada")
    async with work_as(store, ada) as session:
        tenants = {tenant.name: tenant for tenant in await session.scalars(sa.select(Tenant))}
        for number, order in enumerate(ORDERS):
            model, rows = Model(cast), {}
            for name in order:
                if name not in rows:
                    scope = SCOPES[number % len(SCOPES)][LINE.index(name)]
                    rows[name] = await tenants[name].suspend(session, ada, scope, "unpaid since May", NOW)
                    model.holding[name] = scope
                else:
                    await rows[name].lift(session, ada, NOW)
                    del model.holding[name]
                assert await shut(session, tenants) == {each for each in tenants if model.closed(each)}, order
            assert await shut(session, tenants) == set()


async def shut(session: AsyncSession, tenants: dict[str, Tenant]) -> set[str]:
    """Which are closed, by the question about many; the question about one agrees at the bottom of the line."""
    paths = await closed_paths(session, [tenant.path for tenant in tenants.values()])
    assert await closed(session, tenants["Bakery"].path) is (tenants["Bakery"].path in paths)
    return {name for name, tenant in tenants.items() if tenant.path in paths}


async def test_the_same_is_stored_and_told_for_each_step(store: Store, cast: Cast) -> None:
    """Nothing is copied down: three suspensions are three rows, whatever lies below."""
    ada = cast.actor("Ada")
    async with work_as(store, ada) as session:
        for name in LINE:
            tenant = await session.get_one(Tenant, cast.tenant(name).id)
            await tenant.suspend(session, ada, Scope.ALL, "unpaid since May", NOW)
        assert await session.scalar(sa.select(sa.func.count(Suspension.id))) == 3
