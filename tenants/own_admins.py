"""Own admins: who may give up a protection that a tenant set for itself. From above, rules are only tightened."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.actor import Actor
from tenants.people import Membership
from tenants.refusals import NotPermitted
from tenants.roles import Role
from tenants.tree import Tenant

SETTLED = timedelta(days=30)
"""After so long nobody asks any more who appointed an admin."""


async def require_own_admin(session: AsyncSession, actor: Actor, tenant: Tenant, now: datetime) -> None:
    """The actor is an admin of this very tenant and was not appointed from above lately. NotPermitted (`policy`)."""
    if not await is_own_admin(session, actor, tenant, now):
        raise NotPermitted(
            f"Only {tenant.name}'s own admins can do this, those who were not made admin from above in the last "
            f"{SETTLED.days} days.",
            rule="policy",
        )


async def is_own_admin(session: AsyncSession, actor: Actor, tenant: Tenant, now: datetime) -> bool:
    """Whether `require_own_admin` lets them pass: a page shows no button that is off."""
    who = actor.true
    if who is None or actor.standing_in or who.tenant_id != tenant.id or who.role is not Role.ADMIN:
        return False
    return await _stands_alone(session, who.membership_id, tenant.id, now)


async def _stands_alone(session: AsyncSession, membership_id: int, tenant_id: int, now: datetime) -> bool:
    """Follow who appointed whom: it ends at somebody settled, or at somebody from elsewhere.

    Whoever was appointed from above vouches for nobody yet, nor do two for each other, nor anybody for themselves.
    """
    asked: set[int] = set()
    wanted: int | None = membership_id
    while wanted is not None:
        if wanted in asked:
            return False
        asked.add(wanted)
        row = await _appointment(session, wanted)
        if row is None or row.tenant_id != tenant_id:
            return False
        if row.role_given_at is None or row.role_given_at <= now - SETTLED:
            return True
        wanted = row.role_given_by_id
    # Nobody: the house itself gave the role, when the tenant was set up.
    return True


async def appointed_by(session: AsyncSession, membership_id: int, now: datetime) -> set[int]:
    """Who gave somebody their role within 30 days, who gave those theirs, and so on: memberships."""
    found: set[int] = set()
    row = await _appointment(session, membership_id)
    while row is not None and row.role_given_at is not None and row.role_given_at > now - SETTLED:
        giver = row.role_given_by_id
        if giver is None or giver in found:
            break
        found.add(giver)
        row = await _appointment(session, giver)
    return found


async def _appointment(session: AsyncSession, membership_id: int) -> Any:
    # Whoever appointed them may lie above the reader, and may have left since.
    rows = Membership.__table__
    wanted = sa.select(rows.c.tenant_id, rows.c.role_given_by_id, rows.c.role_given_at)
    return (await session.execute(wanted.where(rows.c.id == membership_id))).one_or_none()
