"""Tenant choice: picking the tenant that something new belongs to, by a search among those in reach."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import matching
from tenants.tree import Kind, Tenant

MOST = 50


async def tenants_to_choose(session: AsyncSession, sought: str, *kinds: Kind) -> tuple[list[Tenant], bool]:
    """Those in use that the words fit (only of these kinds, if any), by name, and whether there are more of them."""
    tenants = sa.select(Tenant).where(matching(sought, Tenant.name), Tenant.discarded_at.is_(None))
    # Kind by kind, which one index knows in order of name: a million companies lie between a few organizations.
    wanted = [tenants.where(Tenant.kind == kind.value) for kind in kinds] or [tenants]
    found: list[Tenant] = []
    for each in wanted:
        found += await session.scalars(each.order_by(Tenant.name, Tenant.id).limit(MOST + 1))
    found.sort(key=lambda tenant: tenant.name)
    return found[:MOST], len(found) > MOST
