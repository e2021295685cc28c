"""Names of people and places whose deed is told to a reader who does not reach them: who was let in, and by whom."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.people import Membership, User
from tenants.tree import Tenant


@dataclass(frozen=True, slots=True)
class Known:
    """A person at a place, by name alone."""

    name: str
    tenant_name: str


async def names_of_members(session: AsyncSession, ids: Iterable[int | None]) -> dict[int | None, Known]:
    """Who these memberships are, past the fence."""
    people, members, tree = User.__table__, Membership.__table__, Tenant.__table__
    wanted = (
        sa.select(members.c.id, people.c.name, tree.c.name.label("tenant_name"))
        .join(people, people.c.id == members.c.user_id)
        .join(tree, tree.c.id == members.c.tenant_id)
        .where(members.c.id.in_({number for number in ids if number is not None}))
    )
    return {row.id: Known(row.name, row.tenant_name) for row in await session.execute(wanted)}


async def names_of_tenants(session: AsyncSession, ids: Iterable[int | None]) -> dict[int | None, str]:
    """What these tenants are called, past the fence."""
    tree = Tenant.__table__
    wanted = sa.select(tree.c.id, tree.c.name).where(tree.c.id.in_({number for number in ids if number is not None}))
    return {row.id: row.name for row in await session.execute(wanted)}
