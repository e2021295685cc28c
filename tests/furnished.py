"""A house in which every kind of audited record has a row, and the check that every row folds from its entries."""

import json
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.impersonation import Impersonation
from tenants.api_keys import ApiKey
from tenants.invitations import Invitation
from tenants.people import Membership
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import CHANGED, Entry, plain, record
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, Cast, bind, house_work, work_as
from tests.kinds import AUDITED


async def furnish(store: Store, cast: Cast) -> None:
    """Add what the cast has none of: a suspension, an invitation, a key, a binding, an impersonation."""
    ada, boris = cast.actor("Ada"), cast.actor("Boris")
    async with work_as(store, ada) as session:
        zoo = await session.get_one(Tenant, cast.tenant("Zoo").id)
        await zoo.suspend(session, ada, Scope.STAFF, "unpaid since May", NOW)
    async with work_as(store, boris) as session:
        here = cast.tenant("Bakery").id
        invitation = await Invitation.prepare(session, boris, here, "bo@new.example", "Bo", Role.MEMBER, NOW)
        invitation.token_hash = "0" * 64
        record(session, Verb.INVITATION_PREPARED, invitation)
        await session.flush()
        mine = await session.get_one(Membership, cast.membership_id("Boris"))
        await ApiKey.make(session, mine, "nightly export", ["read"], 90, NOW)
    await bind(store, cast, "Olaf", "Bakery", "201", reason="Bea's headset does not ring")
    async with house_work(store) as session:
        session.add(
            row := Impersonation(
                kind="impersonation",
                actor_membership_id=cast.membership_id("Olaf"),
                subject_membership_id=cast.membership_id("Bea"),
                tenant_id=cast.tenant("Bakery").id,
                mode="full",
                created_at=NOW,
                ends_at=NOW + timedelta(minutes=20),
            )
        )
        record(session, Verb.REFUSED, row)


def fold(entries: list[Entry]) -> dict[str, Any]:
    """What a row must be after its entries, oldest first; each must begin where the one before it ended."""
    row: dict[str, Any] = {}
    for entry in entries:
        for field, change in entry.changes.items():
            if change == CHANGED:
                row[field] = CHANGED
                continue
            before, after = change
            assert row.get(field) == before, f"entry {entry.id}: {field} was {row.get(field)!r}, not {before!r}"
            row[field] = after
    return row


async def unfolded(session: AsyncSession) -> list[str]:
    """Every difference between the audited rows and what their entries tell. Empty in a house whose trail is true.

    The session must reach everywhere.
    """
    found = []
    for kind in AUDITED:
        table = kind.__tablename__
        told: dict[str, list[Entry]] = {}
        for entry in await session.scalars(sa.select(Entry).where(Entry.record_type == table).order_by(Entry.id)):
            told.setdefault(str(entry.record_id), []).append(entry)
        for row in await session.scalars(sa.select(kind)):
            found += [f"{table} {row.id}: {problem}" for problem in differences(row, told.get(str(row.id), []))]
    return found


def differences(row: Any, entries: list[Entry]) -> list[str]:
    """Where one row is not what its entries say."""
    if not entries:
        return ["no entry at all"]
    folded = fold(entries)
    found = []
    for column in sa.inspect(type(row)).column_attrs:
        key = column.key
        if key in {"id", "last_entry_id"} or key in row.derived:
            continue
        stored, told = as_json(getattr(row, key)), folded.get(key)
        if key in row.secret:
            if (stored is not None) != (told == CHANGED):
                found.append(f"{key} is a secret that its entries do not speak of")
        elif stored != told:
            found.append(f"{key} is {stored!r}, its entries say {told!r}")
    if row.last_entry_id != entries[-1].id:
        found.append(f"its last entry is {entries[-1].id}, not {row.last_entry_id}")
    return found


def as_json(value: Any) -> Any:
    """A value as an entry has it."""
    if isinstance(value, datetime):
        return plain(value)
    return json.loads(json.dumps(plain(value)))
