"""Standings: how a tenant stands now, computed and never copied down: open, suspended, closed from above, discarded."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.identities import closed_paths
from tenants.tree import Suspension, Tenant


@dataclass(frozen=True, slots=True)
class Standing:
    """`state` is open, staff (its own people only), suspended, above or discarded."""

    state: str
    suspensions: tuple[Suspension, ...] = ()


async def standings(session: AsyncSession, tenants: Sequence[Tenant]) -> dict[int, Standing]:
    """How each of these tenants stands, by id."""
    wanted = sa.select(Suspension).where(
        Suspension.tenant_id.in_([tenant.id for tenant in tenants]), Suspension.lifted_at.is_(None)
    )
    own: dict[int, list[Suspension]] = {}
    for suspension in await session.scalars(wanted.order_by(Suspension.id)):
        own.setdefault(suspension.tenant_id, []).append(suspension)
    shut = await closed_paths(session, [tenant.path for tenant in tenants])
    return {tenant.id: _standing(tenant, own.get(tenant.id, []), tenant.path in shut) for tenant in tenants}


def _standing(tenant: Tenant, own: list[Suspension], shut: bool) -> Standing:
    if tenant.discarded_at is not None:
        return Standing("discarded", tuple(own))
    if own:
        return Standing("suspended" if any(each.scope == "all" for each in own) else "staff", tuple(own))
    return Standing("above" if shut else "open")
