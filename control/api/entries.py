"""Entries: the history in reach, to be read and never written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from litestar.params import QueryParameter
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Session, reads
from control.api.lists import Asking, page
from control.api.shapes import Listed, Named, PathId, tenants_named, utc
from control.paging import LARGEST
from tenants.refusals import OutOfReach
from tenants.roles import Permission
from tenants.text import clean
from tenants.trail import Entry

SEE = Permission.READ_HISTORY

Word = Annotated[str | None, QueryParameter(max_length=100)]


class RecordNamed(Struct):
    """What an entry speaks of, named as of then."""

    type: str
    id: str
    name: str


class EntryShape(Struct):
    """One line of the history: who, as whom, what, when, and what changed."""

    id: int
    occurred_at: datetime
    verb: str
    via: str
    actor: Named | None
    """The true person's membership; null for the house itself, whose part is in `actor_name`."""
    actor_name: str
    actor_tenant: str | None
    subject: Named | None
    tenant: Named | None
    record: RecordNamed | None
    changes: dict[str, Any]
    details: dict[str, Any]
    stand_in: int | None
    reason: str | None
    ticket: str | None
    request_id: str | None
    address: str | None


@reads("/entries", may=SEE, summary="Read the history in reach")
async def list_entries(
    session: Session,
    listing: Asking,
    verb: Word = None,
    record_type: Word = None,
    record_id: Word = None,
    via: Word = None,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Of this tenant.")] = None,
    actor: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="By this membership.")] = None,
    subject: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="As or to this membership.")] = None,
    since: Annotated[datetime | None, QueryParameter(description="From this moment on.")] = None,
    until: Annotated[datetime | None, QueryParameter(description="Before this moment.")] = None,
) -> Listed[EntryShape]:
    """Entries in reach, newest first. `q` looks at the names of who and what."""
    words = {Entry.verb: verb, Entry.record_type: record_type, Entry.record_id: record_id, Entry.via: via}
    numbers = {Entry.tenant_id: tenant, Entry.actor_membership_id: actor, Entry.subject_membership_id: subject}
    wanted = sa.select(Entry).where(
        listing.like(Entry.actor_name, Entry.subject_name, Entry.record_name),
        *(column == clean(value, column.key) for column, value in words.items() if value is not None),
        *(column == value for column, value in numbers.items() if value is not None),
    )
    if since is not None:
        wanted = wanted.where(Entry.occurred_at >= utc(since, "since"))
    if until is not None:
        wanted = wanted.where(Entry.occurred_at < utc(until, "until"))

    async def shaped(entries: Sequence[Entry]) -> list[EntryShape]:
        return await _shapes(session, entries)

    return await page(session, wanted, {"id": Entry.id}, listing, shaped, sort="-id")


@reads("/entries/{entry_id:int}", may=SEE, summary="Show an entry")
async def show_entry(session: Session, entry_id: PathId) -> EntryShape:
    """The entry, when in reach."""
    entry = await session.get(Entry, entry_id)
    if entry is None:
        raise OutOfReach
    return (await _shapes(session, [entry]))[0]


async def _shapes(session: AsyncSession, entries: Sequence[Entry]) -> list[EntryShape]:
    tenants = await tenants_named(session, [entry.tenant_id for entry in entries])
    return [
        EntryShape(
            entry.id,
            entry.occurred_at,
            entry.verb,
            entry.via,
            _named(entry.actor_membership_id, entry.actor_name),
            entry.actor_name,
            entry.actor_tenant_name,
            _named(entry.subject_membership_id, entry.subject_name),
            tenants.get(entry.tenant_id),
            _record(entry),
            entry.changes,
            entry.details,
            entry.stand_in_id,
            entry.reason,
            entry.ticket,
            entry.request_id,
            entry.address,
        )
        for entry in entries
    ]


def _named(number: int | None, name: str | None) -> Named | None:
    return Named(number, name or "") if number is not None else None


def _record(entry: Entry) -> RecordNamed | None:
    if entry.record_type is None:
        return None
    return RecordNamed(entry.record_type, entry.record_id or "", entry.record_name or "")


ROUTES = [list_entries, show_entry]
