"""How a command finds the house: settings, a database that is up to date, and one clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.house import Clock, House
from control.settings import Settings, Unusable
from tenants.actor import Actor
from tenants.reach import Reach
from tenants.refusals import Conflict, OutOfReach
from tenants.schema import current, migrate
from tenants.store import Store
from tenants.tree import Tenant

TERMINAL = Actor.house("command line")
EVERYWHERE = Reach.everywhere("command line")


def open_store(url: str) -> Store:
    """The database at `url`. Raises Unusable for an address that is none."""
    try:
        return Store(url)
    except (ValueError, sa.exc.ArgumentError) as error:
        raise Unusable(
            "UNDERSTUDY_DATABASE_URL is an address such as postgresql://user@host/name or sqlite:///file."
        ) from error


@asynccontextmanager
async def opened() -> AsyncIterator[House]:
    """The house that the settings name. Raises Unusable, and Conflict when its tables are out of date."""
    settings = Settings.load()
    store = open_store(settings.database_url)
    try:
        await bring_up_to_date(store)
        clock = Clock()
        await clock.set_by(store)
        yield House(settings, store, clock)
    finally:
        await store.close()


async def bring_up_to_date(store: Store) -> None:
    """Make or upgrade the embedded database; PostgreSQL's tables are made by their owner."""
    if await current(store.writer):
        return
    if not store.embedded:
        raise Conflict("The tables are not up to date. Run `understudy migrate` first.")
    await migrate(store.writer)


async def find_place(session: AsyncSession, where: str) -> Tenant:
    """The tenant called by its slug, or by its path of slugs where several share one: `oak/bakery`."""
    wanted = where.strip("/").lower().split("/")
    called = list(await session.scalars(sa.select(Tenant).where(Tenant.slug == wanted[-1]).limit(100)))
    found = [tenant for tenant in called if (await slugs_to(session, tenant))[-len(wanted) :] == wanted]
    if not found:
        raise OutOfReach(f"There is no tenant “{where}”.")
    if len(found) > 1:
        paths = ["/".join(await slugs_to(session, tenant)) for tenant in found[:5]]
        raise Conflict(f"Several tenants are called “{where}”; choose one: {', '.join(paths)}.")
    return found[0]


async def slugs_to(session: AsyncSession, tenant: Tenant) -> list[str]:
    """The slugs from the platform down to the tenant."""
    above = sa.select(Tenant.slug).where(Tenant.path.in_(Reach.ancestors_of(tenant.path))).order_by(Tenant.depth)
    return list(await session.scalars(above))
