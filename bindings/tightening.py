"""Tightening: what a tighter policy would break, tried in full and taken back before anybody decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding, staleness
from tenants.protections import Word, tighten
from tenants.reach import below
from tenants.tree import Tenant

MOST = 200
"""Bindings that are looked at: each asks the guard twice."""


@dataclass(frozen=True, slots=True)
class Breaks:
    """How many live bindings would go stale; `more` where there are too many for all to be looked at."""

    bindings: int
    more: bool = False


async def what_breaks(session: AsyncSession, tenant: Tenant, wanted: Mapping[str, Word], now: datetime) -> Breaks:
    """What `tighten` would break now, here and below. Refuses as it does. Nothing is kept."""
    into = (
        sa.select(Binding)
        .join(Tenant, Tenant.id == Binding.tenant_id)
        .where(below(Tenant.path, tenant.path), Binding.ended_at.is_(None))
    )
    found = list(await session.scalars(into.order_by(Binding.id).limit(MOST + 1)))
    live = [each for each in found[:MOST] if await staleness(session, each, now) is None]
    trial = await session.begin_nested()
    try:
        await tighten(session, tenant, wanted)
        broken = [each for each in live if await staleness(session, each, now) is not None]
    finally:
        await trial.rollback()
        await session.refresh(tenant)
    return Breaks(len(broken), len(found) > MOST)
