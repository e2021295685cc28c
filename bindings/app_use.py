"""Who uses an app: the tenants whose people logged in to it lately, and who speaks for them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.apps import App
from bindings.login import Login
from tenants.people import Membership, User
from tenants.reach import Reach
from tenants.roles import Role
from tenants.tree import Tenant

LATELY = timedelta(days=90)


async def tenants_using(session: AsyncSession, app: App, now: datetime, most: int) -> list[Tenant]:
    """The tenants in reach whose people logged in to it in the last 90 days, at most so many."""
    logged_in = sa.select(Login.tenant_id).where(Login.app_id == app.id, Login.created_at > now - LATELY)
    wanted = sa.select(Tenant).where(Tenant.id.in_(logged_in), Tenant.discarded_at.is_(None))
    wanted = wanted.order_by(Tenant.id).limit(most)
    return list(await session.scalars(wanted))


async def who_speaks_for(session: AsyncSession, tenants: Sequence[Tenant]) -> list[Membership]:
    """The admins of these tenants, each person once; for a tenant without any, those of the nearest above in reach."""
    lines = {tenant.id: Reach.ancestors_of(tenant.path) for tenant in tenants}
    wanted = (
        sa.select(Membership)
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .join(User, User.id == Membership.user_id)
        .where(
            Tenant.path.in_({path for line in lines.values() for path in line}),
            Membership.role == Role.ADMIN.value,
            Membership.discarded_at.is_(None),
            User.discarded_at.is_(None),
            ~User.service,
        )
        .options(joinedload(Membership.user), joinedload(Membership.tenant))
        .order_by(Membership.id)
    )
    admins: dict[str, list[Membership]] = {}
    for membership in await session.scalars(wanted):
        admins.setdefault(membership.tenant.path, []).append(membership)
    found: dict[int, Membership] = {}
    for line in lines.values():
        nearest = next((admins[path] for path in reversed(line) if path in admins), [])
        found |= {each.user_id: each for each in nearest if each.user_id not in found}
    return list(found.values())
