"""Tree rows: the part of the tree that somebody has opened, as the rows of a table."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.company_rows import MOST_COUNTED
from tenants.tree import Tenant

AT_ONCE = 10
"""Children shown under one tenant; the rest are a link to the table."""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A tenant in the tree, or (`more`) the link to the rest of what is under it."""

    tenant: Tenant
    deep: int
    openable: bool = False
    is_open: bool = False
    more: bool = False
    count: int = 0
    """With `more`: how many there are under it, as far as they were counted."""


async def tree_rows(session: AsyncSession, root: Tenant, opened: set[int]) -> list[TreeRow]:
    """The root, what is under it, and what is under each tenant in `opened`, in order of name."""
    rows: list[TreeRow] = []
    await _grow(session, root, 0, opened | {root.id}, rows)
    parents = await _parents(session, [row.tenant.id for row in rows])
    return [
        row if row.more else TreeRow(row.tenant, row.deep, row.tenant.id in parents, row.tenant.id in opened)
        for row in rows
    ]


async def _grow(session: AsyncSession, tenant: Tenant, deep: int, opened: set[int], rows: list[TreeRow]) -> None:
    rows.append(TreeRow(tenant, deep))
    if tenant.id not in opened:
        return
    below = sa.select(Tenant).where(Tenant.parent_id == tenant.id, Tenant.discarded_at.is_(None))
    children = list(await session.scalars(below.order_by(Tenant.name, Tenant.id).limit(AT_ONCE + 1)))
    for child in children[:AT_ONCE]:
        await _grow(session, child, deep + 1, opened, rows)
    if len(children) > AT_ONCE:
        rows.append(TreeRow(tenant, deep + 1, more=True, count=await count_below(session, tenant)))


async def count_below(session: AsyncSession, tenant: Tenant) -> int:
    """How many live tenants are right under it, counted to MOST_COUNTED and no further."""
    some = sa.select(Tenant.id).where(Tenant.parent_id == tenant.id, Tenant.discarded_at.is_(None)).limit(MOST_COUNTED)
    return await session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0


async def _parents(session: AsyncSession, ids: list[int]) -> set[int]:
    """Which of these have something live under them."""
    child = sa.orm.aliased(Tenant)
    some = sa.exists().where(child.parent_id == Tenant.id, child.discarded_at.is_(None))
    return set(await session.scalars(sa.select(Tenant.id).where(Tenant.id.in_(ids), some)))
