"""Tenant choice: picking the tenant that something new belongs to, by a search among those in reach."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import matching
from tenants.tree import Tenant

MOST = 50


async def tenants_to_choose(session: AsyncSession, sought: str) -> tuple[list[Tenant], bool]:
    """Those in use that the words fit, by name, and whether there are more of them."""
    tenants = sa.select(Tenant).where(matching(sought, Tenant.name), Tenant.discarded_at.is_(None))
    found = list(await session.scalars(tenants.order_by(Tenant.name, Tenant.id).limit(MOST + 1)))
    return found[:MOST], len(found) > MOST
