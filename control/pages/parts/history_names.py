"""Whom and what the numbers in entries mean, as of then: looked up in the reader's reach, so none tells too much."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.teams import Team, TeamMember
from tenants.trail import Entry
from tenants.tree import Tenant

REFERENCES = {
    "parent_id": "tenants",
    "membership_id": "memberships",
    "subject_membership_id": "memberships",
    "sponsor_id": "memberships",
    "to_tenant_id": "tenants",
    "operator_id": "memberships",
    "asked_by_id": "memberships",
    "approved_by_id": "memberships",
    "phone_system_id": "phone_systems",
    "extension_id": "extensions",
    "product_id": "products",
    "fallback_id": "apps",
    "team_id": "teams",
}
"""Which kind of record a field points at."""

NAMELESS = {"licences": "licence", "memberships": "membership", "team_members": "membership"}
"""Records whose entry may have no better name than their kind and number."""

_Naming = sa.Select[int, str, int]
NAMING: dict[str, _Naming] = {
    "tenants": sa.select(Tenant.id, Tenant.name, Tenant.id),
    "memberships": sa.select(Membership.id, User.name, User.id).join(User, User.id == Membership.user_id),
    "phone_systems": sa.select(PhoneSystem.id, PhoneSystem.name, PhoneSystem.id),
    "extensions": sa.select(Extension.id, Extension.number, Extension.id),
    "licences": (
        sa.select(Licence.id, Product.name + " for " + Extension.number, Licence.id)
        .join(Extension, Extension.id == Licence.extension_id)
        .join(Product, Product.id == Licence.product_id)
    ),
    "team_members": (
        sa.select(TeamMember.id, User.name, User.id)
        .join(Membership, Membership.id == TeamMember.membership_id)
        .join(User, User.id == Membership.user_id)
    ),
    "products": sa.select(Product.id, Product.name, Product.id),
    "apps": sa.select(App.id, App.name, App.id),
    "teams": sa.select(Team.id, Team.name, Team.id),
}
"""The id, today's name, and the id of the record that bears the name."""

RENAMED = {
    "tenants": "tenants",
    "memberships": "users",
    "team_members": "users",
    "phone_systems": "phone_systems",
    "teams": "teams",
}
"""Whose change of `name` renames a record of this kind. Numbers never change, and an app's history is its logins."""

Bearer = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Names:
    """Names by kind of record and id."""

    known: dict[str, dict[int, tuple[str, int]]]
    renames: dict[Bearer, list[Entry]] = field(default_factory=dict)
    """The changes of a name since the oldest of the entries, oldest first."""
    numbers: bool = True
    """Whether what the reader cannot see is told by its number; a member is not told even that."""

    def of_value(self, entry: Entry, key: str, value: Any) -> str | None:
        """The name, as of the entry, of what a field points at; None where the field is no reference."""
        kind = REFERENCES.get(key)
        if kind is None or not isinstance(value, int) or isinstance(value, bool):
            return None
        return self._then(entry, kind, value) or (f"#{value}" if self.numbers else "…")

    def of_record(self, entry: Entry) -> str | None:
        """The record's name as of then, or that of what it belongs to."""
        if not _is_nameless(entry):
            return entry.record_name
        return self._then(entry, str(entry.record_type), int(entry.record_id or 0)) or entry.record_name

    def _then(self, entry: Entry, kind: str, number: int) -> str | None:
        name, bearer = self.known.get(kind, {}).get(number, (None, 0))
        for renamed in self.renames.get((RENAMED.get(kind, ""), bearer), []):
            if (renamed.occurred_at, renamed.id) > (entry.occurred_at, entry.id):
                return str(renamed.changes["name"][0])
        return name


async def names_in(session: AsyncSession, entries: Sequence[Entry], *, numbers: bool = True) -> Names:
    """The names of all that these entries point at, a statement or two for each kind."""
    known, bearers = {}, set()
    for kind, ids in _pointed_at(entries).items():
        identity = NAMING[kind].selected_columns[0]
        rows = (await session.execute(NAMING[kind].where(identity.in_(ids)))).all()
        known[kind] = {row[0]: (row[1], row[2]) for row in rows}
        bearers |= {(RENAMED[kind], row[2]) for row in rows if kind in RENAMED}
    return Names(known, await _renames(session, bearers, entries) if bearers else {}, numbers)


def _pointed_at(entries: Sequence[Entry]) -> dict[str, set[int]]:
    wanted: dict[str, set[int]] = {}
    for entry in entries:
        if _is_nameless(entry):
            wanted.setdefault(str(entry.record_type), set()).add(int(entry.record_id or 0))
        for key, change in entry.changes.items():
            if key in REFERENCES and isinstance(change, list):
                ids = {value for value in change if isinstance(value, int) and not isinstance(value, bool)}
                wanted.setdefault(REFERENCES[key], set()).update(ids)
    return wanted


async def _renames(session: AsyncSession, bearers: set[Bearer], entries: Sequence[Entry]) -> dict[Bearer, list[Entry]]:
    oldest = min(entry.occurred_at for entry in entries)
    found: dict[Bearer, list[Entry]] = {}
    for table in sorted({table for table, _ in bearers}):
        ids = [str(number) for kind, number in bearers if kind == table]
        since = sa.select(Entry).where(
            Entry.record_type == table,
            Entry.record_id.in_(ids),
            Entry.occurred_at >= oldest,
            Entry.changes["name"].as_string().is_not(None),
        )
        for entry in await session.scalars(since.order_by(Entry.occurred_at, Entry.id)):
            if entry.changes["name"][0] is not None:
                found.setdefault((table, int(entry.record_id or 0)), []).append(entry)
    return found


def _is_nameless(entry: Entry) -> bool:
    noun = NAMELESS.get(str(entry.record_type))
    kind, _, number = (entry.record_name or "").partition(" ")
    return kind == noun and number.isdigit()
