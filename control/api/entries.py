"""Entries: the history in reach, to be read and never written; and who accessed one's own account."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar.params import QueryParameter
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Asked, Session, acting, reads
from control.api.lists import Asking
from control.api.shapes import Listed, Named, PathId, tenants_named, utc
from control.doors import SIGNED_IN
from control.pages.parts.accesses import Access, accesses_of
from control.pages.parts.history import NEWEST_FIRST
from control.pages.parts.history_filters import tables_with
from control.paging import LARGEST, cursor_of, read_cursor
from tenants.history import Search, newest
from tenants.refusals import Invalid, OutOfReach
from tenants.roles import Permission
from tenants.text import clean
from tenants.trail import Entry
from tenants.tree import find_tenant

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


class EntriesListed(Listed[EntryShape]):
    """One page of the history, newest first."""

    back_to: datetime | None = None
    """How far back was looked, where that was the limit: then `next` looks further back, also after an empty page."""


@reads("/entries", may=SEE, summary="Read the history in reach")
async def list_entries(
    session: Session,
    listing: Asking,
    verb: Word = None,
    record_type: Word = None,
    record_id: Word = None,
    field: Annotated[str | None, QueryParameter(max_length=60, description="This field was changed.")] = None,
    via: Word = None,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="At this tenant or below.")] = None,
    actor: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="By this membership.")] = None,
    subject: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="As or to this membership.")] = None,
    since: Annotated[datetime | None, QueryParameter(description="From this moment on.")] = None,
    until: Annotated[datetime | None, QueryParameter(description="Before this moment.")] = None,
) -> EntriesListed:
    """Entries in reach, newest first. `q` looks at the names of who and what."""
    if listing.sort not in {None, NEWEST_FIRST}:
        raise Invalid(f"History has one order: {NEWEST_FIRST}.", field="sort")
    record_type, record_id = _word(record_type, "record_type"), _word(record_id, "record_id")
    field = _word(field, "field")
    narrowed = () if not listing.q else (listing.like(Entry.actor_name, Entry.subject_name, Entry.record_name),)
    search = Search(
        record=(record_type, record_id) if record_type and record_id else None,
        kinds=(record_type,) if record_type else tables_with(field) if field else (),
        verb=_word(verb, "verb"),
        field=field,
        via=_word(via, "via"),
        actors=(actor,) if actor else (),
        subjects=(subject,) if subject else (),
        narrowed=narrowed if record_type or not record_id else (*narrowed, Entry.record_id == record_id),
        under=(await find_tenant(session, tenant)).path if tenant else None,
        since=utc(since, "since"),
        until=utc(until, "until"),
    )
    before = read_cursor(listing.cursor, NEWEST_FIRST, datetime) if listing.cursor else None
    found = await newest(session, search, before, listing.limit)
    following = cursor_of(NEWEST_FIRST, *found.next) if found.next else None
    return EntriesListed(await _shapes(session, found.entries), following, found.back_to)


def _word(value: str | None, name: str) -> str | None:
    return clean(value, name) if value is not None else None


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


class Changed(Struct):
    """A field before and after, in words; a secret only has its name."""

    field: str
    before: str | None
    after: str | None


class AccessShape(Struct):
    """What somebody else did as the reader, or to stand in for them: names as of then, and no addresses."""

    occurred_at: datetime
    verb: str
    done: str
    via: str
    actor_name: str
    actor_tenant: str | None
    reason: str | None
    ticket: str | None
    changes: list[Changed]


@reads("/me/accesses", may=SIGNED_IN, summary="Read who accessed one's own account")
async def list_own_accesses(request: Asked, session: Session, listing: Asking) -> Listed[AccessShape]:
    """What others did as this key's membership, newest first."""
    who = acting(request).standing
    found = await accesses_of(session, request.user, who.user_id, [who.membership_id], listing.cursor, listing.limit)
    return Listed([_access(row) for row in found.rows], found.next)


def _access(row: Access) -> AccessShape:
    changes = [Changed(change["key"], change["before"], change["after"]) for change in row.changes]
    return AccessShape(row.at, row.verb, row.did, row.via, row.who, row.organization, row.reason, row.ticket, changes)


ROUTES = [list_entries, show_entry, list_own_accesses]
