"""A branch of any size, grown by the thousand: resellers under resellers, companies under each, with their entries."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from tenants.store import Store
from tenants.trail import Told, made, next_ids, tell_in_bulk
from tenants.tree import Kind, Tenant
from tenants.verbs import Verb
from tests.cast import Place, house_work

AT_ONCE = 2000
FAN = 10
"""Each reseller has so many right below it, two of them resellers."""

RULES: dict[str, Any] = {
    column.key: column.default.arg
    for column in Tenant.__table__.columns
    if isinstance(column.default, sa.ColumnDefault) and column.default.is_scalar
}


@dataclass
class Branch:
    """Where the next tenant hangs: below each reseller, first come first served."""

    open: deque[tuple[str, int]]
    below: int = 0

    def take(self, number: int) -> tuple[Kind, str, int]:
        """Kind, parent's path and depth of the tenant with this number."""
        path, depth = self.open[0]
        kind = Kind.RESELLER if self.below < 2 else Kind.CUSTOMER
        if kind is Kind.RESELLER:
            self.open.append((f"{path}{number}/", depth + 1))
        self.below += 1
        if self.below == FAN:
            self.open.popleft()
            self.below = 0
        return kind, path, depth + 1


async def grow(store: Store, under: Place, count: int, now: datetime) -> None:
    """Add so many tenants below one."""
    branch = Branch(deque([(under.path, under.path.count("/") - 2)]))
    for start in range(0, count, AT_ONCE):
        async with house_work(store, now) as session:
            await session.run_sync(_plant, branch, min(AT_ONCE, count - start), now)


def _plant(session: Session, branch: Branch, count: int, now: datetime) -> None:
    rows, told = [], []
    for number in next_ids(session.connection(), Tenant.__tablename__, count):
        kind, parent, depth = branch.take(number)
        row = RULES | {
            "id": number,
            "parent_id": int(parent.rstrip("/").rpartition("/")[2]),
            "kind": kind.value,
            "name": f"Grown {number}",
            "slug": f"grown-{number}",
            "path": f"{parent}{number}/",
            "depth": depth,
            "created_at": now,
        }
        shown = {key: value for key, value in row.items() if key not in Tenant.derived}
        rows.append(row)
        told.append(Told(Verb.TENANT_CREATED, ("tenants", number, row["name"]), number, row["path"], made(shown)))
    for row, entry_id in zip(rows, tell_in_bulk(session, told), strict=True):
        row["last_entry_id"] = entry_id
    session.connection().execute(sa.insert(Tenant.__table__), rows)
