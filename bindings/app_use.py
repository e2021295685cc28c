"""Who uses an app: the tenants whose people logged in to it lately, and who speaks for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.apps import App
from bindings.login import Login
from tenants.people import Membership, User
from tenants.reach import Reach, below
from tenants.roles import Role
from tenants.tree import Tenant

LATELY = timedelta(days=90)


async def tenants_using(session: AsyncSession, app: App, now: datetime, most: int) -> list[Tenant]:
    """The tenants in reach whose people logged in to it in the last 90 days, at most so many."""
    logged_in = sa.select(Login.tenant_id).where(Login.app_id == app.id, Login.created_at > now - LATELY)
    wanted = sa.select(Tenant).where(Tenant.id.in_(logged_in), Tenant.discarded_at.is_(None))
    wanted = wanted.order_by(Tenant.id).limit(most)
    return list(await session.scalars(wanted))


async def last_logins(session: AsyncSession, app_ids: Collection[int]) -> dict[int, datetime]:
    """The newest login in reach of each of these apps that has any."""
    newest = sa.select(Login.app_id, sa.func.max(Login.created_at)).where(Login.app_id.in_(app_ids))
    return {row[0]: row[1] for row in await session.execute(newest.group_by(Login.app_id))}


@dataclass(frozen=True, slots=True)
class Use:
    """How a tenant's people use an app: how many of them did, and when one did last."""

    people: int
    last_at: datetime


async def use_by_tenant(session: AsyncSession, app_id: int, tenant_ids: Collection[int]) -> dict[int, Use]:
    """By tenant, for those in reach whose people were seen at the app. Who only stood in there is not counted."""
    wanted = (
        sa.select(Login.tenant_id, sa.func.count(Login.subject_membership_id.distinct()), sa.func.max(Login.created_at))
        .where(Login.app_id == app_id, Login.tenant_id.in_(tenant_ids))
        .where(Login.actor_membership_id == Login.subject_membership_id)
        .group_by(Login.tenant_id)
    )
    return {tenant: Use(people, at) for tenant, people, at in await session.execute(wanted)}


def below_owner(owner_path: str | None) -> sa.Select[Tenant]:
    """The live tenants in reach whose people an app may sign in: at its owner and below it, wherever that is."""
    wanted = sa.select(Tenant).where(Tenant.discarded_at.is_(None))
    # An owner above the reader: everybody in reach is below it.
    return wanted if owner_path is None else wanted.where(below(Tenant.path, owner_path))


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
