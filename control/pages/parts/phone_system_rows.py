"""Phone system rows: PBXs as lists show them, with how many extensions are on each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.phones import Extension, PhoneSystem
from tenants.tree import Tenant

SORTS: dict[str, sa.SQLColumnExpression[Any]] = {
    "id": PhoneSystem.id,
    "name": PhoneSystem.name,
    "host": PhoneSystem.host,
}


@dataclass(frozen=True, slots=True)
class PhoneSystemRow:
    """A line of a list of phone systems."""

    id: int
    name: str
    host: str
    slug: str
    tenant: Tenant
    extensions: int


async def phone_system_rows(session: AsyncSession, systems: Sequence[PhoneSystem]) -> list[PhoneSystemRow]:
    """These phone systems (with their tenants loaded), each with the count of its extensions in use."""
    counted = (
        sa.select(Extension.phone_system_id, sa.func.count())
        .where(Extension.phone_system_id.in_([system.id for system in systems]), Extension.discarded_at.is_(None))
        .group_by(Extension.phone_system_id)
    )
    counts = {row[0]: row[1] for row in await session.execute(counted)}
    return [
        PhoneSystemRow(system.id, system.name, system.host, system.slug, system.tenant, counts.get(system.id, 0))
        for system in systems
    ]
