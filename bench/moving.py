"""A move of a large branch: how long its one transaction takes. `python -m bench.moving --tenants 100000`."""

import argparse
import asyncio
import time
from datetime import UTC, datetime

import sqlalchemy as sa

from bench.house import database, opened
from bindings.moving import move_tenant, what_moves
from control.seed import seed_cast
from tenants.schema import migrate
from tenants.store import Store
from tenants.tree import Tenant, find_tenant
from tests.bindings.grown import grow
from tests.cast import Cast, read_cast, work_as


async def measure(url: str, tenants: int) -> None:
    """Oak grows, Ada looks at what its move to Pine would do, moves it, and no row holds the old path."""
    now = datetime.now(UTC)
    async with opened(url) as store:
        await migrate(store.writer)
        cast = await read_cast(store, await seed_cast(store, now))
        await grow(store, cast.tenant("Oak"), tenants, now)
        if not store.embedded:
            async with store.hot.connect() as connection:
                await connection.execute(sa.text("ANALYZE"))
        looked = await _timed(store, cast, now, looking=True)
        moved = await _timed(store, cast, now, looking=False)
        async with store.reader.connect() as connection:
            old = Tenant.__table__.c.path.contains(cast.tenant("Oak").path)
            left = (await connection.execute(sa.select(sa.func.count()).where(old))).scalar_one()
        kind = "sqlite" if store.embedded else "postgresql"
        print(f"{kind}: {tenants} tenants, preview {looked:.2f} s, move {moved:.2f} s, {left} rows with the old path")


async def _timed(store: Store, cast: Cast, now: datetime, *, looking: bool) -> float:
    ada = cast.actor("Ada")
    start = time.perf_counter()
    async with work_as(store, ada, now, writes=not looking) as session:
        oak, pine = [await find_tenant(session, cast.tenant(name).id) for name in ("Oak", "Pine")]
        if looking:
            await what_moves(session, ada, oak, pine, now)
        else:
            await move_tenant(session, ada, oak, pine, now, expected_parent_id=cast.tenant("North").id)
    return time.perf_counter() - start


def main() -> None:
    """Both databases, one after the other."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--tenants", type=int, default=100_000)
    tenants = asked.parse_args().tenants
    for kind in ("sqlite", "postgresql"):
        with database(kind) as at:
            asyncio.run(measure(at.url, tenants))


if __name__ == "__main__":
    main()
