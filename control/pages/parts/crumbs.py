"""Crumbs: the trail above a page, from the reader's own root down to what they look at."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.reach import Reach
from tenants.tree import Tenant


async def crumbs_to(session: AsyncSession, path: str, *records: tuple[str, str]) -> list[dict[str, Any]]:
    """The tenants from the reader's root to `path`, each with its switch, then records as (address, name).

    The fence starts the trail: nobody learns from it what stands above them.
    """
    line = sa.select(Tenant).where(Tenant.path.in_(Reach.ancestors_of(path))).order_by(Tenant.depth)
    tenants = list(await session.scalars(line))
    crumbs = [
        {
            "href": f"/companies/{tenant.id}",
            "label": tenant.name,
            "current": False,
            # The reader's own root has no siblings that they may know of.
            "switch": f"/companies/{tenant.id}/siblings" if tenant is not tenants[0] else None,
        }
        for tenant in tenants
    ]
    crumbs += [{"href": href, "label": label, "current": False, "switch": None} for href, label in records]
    if crumbs:
        crumbs[-1]["current"] = True
    return crumbs
