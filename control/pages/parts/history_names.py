"""Whom and what the numbers in entries mean: looked up in the reader's own reach, so that none tells too much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from tenants.people import Membership, Team, TeamMember, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.trail import Entry
from tenants.tree import Tenant

REFERENCES = {
    "parent_id": "tenants",
    "membership_id": "memberships",
    "subject_membership_id": "memberships",
    "sponsor_id": "memberships",
    "phone_system_id": "phone_systems",
    "extension_id": "extensions",
    "product_id": "products",
    "fallback_id": "apps",
    "team_id": "teams",
}
"""Which kind of record a field points at."""

NAMELESS = {"licences": "licence", "memberships": "membership", "team_members": "team member"}
"""Records whose entry may have no better name than their kind and number."""

NAMING: dict[str, sa.Select[int, str]] = {
    "tenants": sa.select(Tenant.id, Tenant.name),
    "memberships": sa.select(Membership.id, User.name).join(User, User.id == Membership.user_id),
    "phone_systems": sa.select(PhoneSystem.id, PhoneSystem.name),
    "extensions": sa.select(Extension.id, Extension.number),
    "licences": sa.select(Licence.id, Extension.number).join(Extension, Extension.id == Licence.extension_id),
    "team_members": (
        sa.select(TeamMember.id, User.name)
        .join(Membership, Membership.id == TeamMember.membership_id)
        .join(User, User.id == Membership.user_id)
    ),
    "products": sa.select(Product.id, Product.name),
    "apps": sa.select(App.id, App.name),
    "teams": sa.select(Team.id, Team.name),
}


@dataclass(frozen=True, slots=True)
class Names:
    """Names by kind of record and id. What the reader cannot see keeps its number."""

    known: dict[str, dict[int, str]]

    def of_value(self, key: str, value: Any) -> str | None:
        """The name of what a field points at; None where the field is no reference."""
        kind = REFERENCES.get(key)
        if kind is None or not isinstance(value, int) or isinstance(value, bool):
            return None
        return self.known.get(kind, {}).get(value, f"#{value}")

    def of_record(self, entry: Entry) -> str | None:
        """The record's name as of then, or today's where then had none."""
        if not _is_nameless(entry):
            return entry.record_name
        found = self.known.get(str(entry.record_type), {}).get(int(entry.record_id or 0))
        return found or entry.record_name


async def names_in(session: AsyncSession, entries: Sequence[Entry]) -> Names:
    """The names of all that these entries point at, one statement for each kind."""
    wanted: dict[str, set[int]] = {}
    for entry in entries:
        if _is_nameless(entry):
            wanted.setdefault(str(entry.record_type), set()).add(int(entry.record_id or 0))
        for key, change in entry.changes.items():
            if key in REFERENCES and isinstance(change, list):
                ids = {value for value in change if isinstance(value, int) and not isinstance(value, bool)}
                wanted.setdefault(REFERENCES[key], set()).update(ids)
    known = {}
    for kind, ids in wanted.items():
        identity = NAMING[kind].selected_columns[0]
        rows = await session.execute(NAMING[kind].where(identity.in_(ids)))
        known[kind] = {row[0]: row[1] for row in rows}
    return Names(known)


def _is_nameless(entry: Entry) -> bool:
    noun = NAMELESS.get(str(entry.record_type))
    return noun is not None and entry.record_name == f"{noun} {entry.record_id}"
