"""History on pages: entries of the trail in the words that people read, on the page of a record and across records.

To give a record its History, with its address `/things/{id}/history` or as a part of its page:

    past = await past_of(request, session, "things", thing.id)

and in the template, from `macros/history.html`:

    {{ history_card(past) }}

`also=[("parts", number), ...]` brings in the records that belong to its story. The kind is the record's table; a kind
that is new here needs its words in history_words.py (`record_kinds`, and `field_labels` for its columns), its page
in ADDRESSES below, and, where its columns point at other records, a line in history_names.py.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.impersonation import Impersonation
from control.pages.parts.asked import words_in
from control.pages.parts.history_names import Names, names_in
from control.pages.parts.history_words import detail_words, field_labels, value_words, ways
from control.paging import cursor_of, page_of, read_cursor
from control.visitor import Visitor
from control.words import words
from tenants.actor import Via
from tenants.history import Search, newest
from tenants.roles import Permission
from tenants.trail import CHANGED, Entry
from tenants.verbs import Verb

ADDRESSES = {
    "tenants": "/companies/",
    "users": "/users/",
    "phone_systems": "/phone-systems/",
    "extensions": "/extensions/",
    "numbers": "/numbers/",
    "recordings": "/recordings/",
    "apps": "/apps/",
    "bindings": "/bindings/",
    "impersonations": "/impersonations/",
    "invitations": "/invitations/",
    "teams": "/teams/",
    "playbooks": "/playbooks/",
    "webhooks": "/webhooks/",
}
"""Where the page of a record is, by the kind of record."""
THROUGH_ONE = frozenset({Via.IMPERSONATION.value, Via.TOKEN.value})
"""What was done through an impersonation or an exchanged token; bindings have numbers of their own."""
VERBS = {verb.value: verb for verb in Verb}
NEWEST_FIRST = "-at"
"""The one order of history, as cursors name it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as people read it; the attributes are what macros/history.html asks for."""

    at: datetime
    who: str
    whom: str | None
    sentence: str
    detail: str | None
    via: dict[str, str | None]
    """How it was done: a label, and an address where there is more to see."""
    reason: str | None
    changes: list[dict[str, Any]]
    href: str


@dataclass(frozen=True, slots=True)
class Told:
    """A page of history: its lines, newest first, and the cursor of the next one."""

    lines: list[Line] = field(default_factory=list)
    next: str | None = None
    back_to: datetime | None = None
    """How far back was looked, when there may be more before that."""


@dataclass(frozen=True, slots=True)
class Past:
    """The history of one record, for `history_card`."""

    told: Told
    cursor: str | None
    here: str
    history_href: str | None
    """The same in the search over all records; None for who has no such page."""


def zone_and_locale(visitor: Visitor) -> tuple[str, str]:
    """Where and in which language somebody reads."""
    user = visitor.reader
    return (user.zone, user.locale) if user else ("Etc/UTC", "en")


async def told(
    session: AsyncSession,
    visitor: Visitor,
    asked: Search | sa.Select[Entry],
    cursor: str | None = None,
    limit: int = 50,
) -> Told:
    """One page of these entries in the reader's words, newest first."""
    if isinstance(asked, Search):
        before = read_cursor(cursor, NEWEST_FIRST, datetime) if cursor else None
        found = await newest(session, asked, before, limit)
        following = cursor_of(NEWEST_FIRST, *found.next) if found.next else None
        return Told(await lines_of(session, visitor, found.entries), following, found.back_to)
    columns = {"id": Entry.id, "at": Entry.occurred_at}
    page = await page_of(session, asked, columns, sort=NEWEST_FIRST, cursor=cursor, limit=limit)
    return Told(await lines_of(session, visitor, page.items), page.next)


async def entries_of(
    session: AsyncSession,
    visitor: Visitor,
    record_type: str,
    record_id: int,
    *,
    also: Sequence[tuple[str, int]] = (),
    cursor: str | None = None,
) -> Told:
    """The history of one record; `also` are the (type, id) of others that belong to its story."""
    kinds: dict[str, list[str]] = {record_type: [str(record_id)]}
    for kind, number in also:
        kinds.setdefault(kind, []).append(str(number))
    theirs = [sa.and_(Entry.record_type == kind, Entry.record_id.in_(ids)) for kind, ids in kinds.items()]
    return await told(session, visitor, sa.select(Entry).where(sa.or_(*theirs)), cursor)


async def past_of(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    record_type: str,
    record_id: int,
    *,
    also: Sequence[tuple[str, int]] = (),
) -> Past:
    """The history of one record, for `history_card`, on the page that is asked for."""
    cursor = words_in(request.query_params, "cursor") or None
    found = await entries_of(session, request.user, record_type, record_id, also=also, cursor=cursor)
    return Past(found, cursor, request.url.path, f"/history?record={record_type}:{record_id}")


async def lines_of(session: AsyncSession, visitor: Visitor, entries: Sequence[Entry]) -> list[Line]:
    """Entries in the reader's words."""
    reads = visitor.actor is not None and visitor.actor.may(Permission.READ_HISTORY)
    names = await names_in(session, entries, numbers=reads)
    zone, locale = zone_and_locale(visitor)
    seen = await _impersonations_seen(session, entries)
    lines = [_line(entry, names, zone, visitor.now, locale, seen) for entry in entries]
    # An entry's own page is for who reads history; a member is told what concerns them, and no more.
    return lines if reads else [replace(line, href="") for line in lines]


async def _impersonations_seen(session: AsyncSession, entries: Sequence[Entry]) -> set[int]:
    """Those behind these entries that the reader sees: after a move an entry may be all that is left to see."""
    behind = {entry.stand_in_id for entry in entries if entry.via in THROUGH_ONE}
    wanted = sa.select(Impersonation.id).where(Impersonation.id.in_(behind))
    return set(await session.scalars(wanted)) if behind else set()


def _line(entry: Entry, names: Names, zone: str, now: datetime, locale: str, seen: Collection[int]) -> Line:
    details = detail_words(entry, locale)
    return Line(
        entry.occurred_at,
        who_of(entry, locale),
        whom_of(entry),
        sentence_of(entry, names, locale),
        " · ".join(details) or None,
        way_of(entry, locale, seen),
        entry.reason,
        changes_of(entry, names, zone, now, locale),
        f"/history/{entry.id}",
    )


def who_of(entry: Entry, locale: str) -> str:
    """The real person; the house itself is called by the product's name."""
    if entry.via == Via.SYSTEM:
        return words(locale).gettext("Understudy, %(what)s") % {"what": entry.actor_name.removeprefix("system: ")}
    return entry.actor_name


def whom_of(entry: Entry) -> str | None:
    """As whom it was done: only where somebody really appeared as another, not where they were merely meant."""
    appeared = entry.via not in {Via.DIRECT, Via.SYSTEM} or entry.verb == Verb.LOGGED_IN
    return entry.subject_name if appeared else None


def sentence_of(entry: Entry, names: Names, locale: str) -> str:
    """What was done, with the name of then; a record that has none of its own by what it belongs to."""
    verb = VERBS.get(entry.verb)
    spoken = words(locale).gettext(verb.sentence) if verb else entry.verb
    return spoken.replace("{record}", names.of_record(entry) or "")


def way_of(entry: Entry, locale: str, seen: Collection[int] = ()) -> dict[str, str | None]:
    """How it was done: directly, or through which stand-in, which leads on to all that was done that way.

    `seen` are the impersonations that have a page for the reader.
    """
    _ = words(locale).gettext
    if entry.via == Via.DIRECT:
        return {"href": None, "label": _("directly")}
    if entry.via == Via.SYSTEM:
        return {"href": None, "label": _("by the system itself")}
    label = _("via %(way)s") % {"way": ways(locale).get(entry.via, entry.via)}
    if entry.via == Via.BINDING and entry.stand_in_id is not None:
        return {"href": f"/bindings/{entry.stand_in_id}", "label": label}
    if entry.via in THROUGH_ONE and entry.stand_in_id in seen:
        return {"href": f"/impersonations/{entry.stand_in_id}", "label": label}
    return {"href": f"/history?how={entry.via}", "label": label}


def changes_of(entry: Entry, names: Names, zone: str, now: datetime, locale: str) -> list[dict[str, Any]]:
    """The fields before and after, with readable names and values; a secret only as changed."""
    labels = field_labels(locale)
    shown = []
    for key, change in entry.changes.items():
        if key not in labels or change in ([None, False], [None, 0]):
            continue  # machinery, or a new record's "no"
        if change == CHANGED:
            shown.append({"key": key, "label": labels[key], "secret": True, "before": None, "after": None})
            continue
        before, after = (
            names.of_value(entry, key, value) or value_words(key, value, zone, now, locale) for value in change
        )
        shown.append({"key": key, "label": labels[key], "secret": False, "before": before, "after": after})
    return shown
