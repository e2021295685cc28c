"""History: entries of the trail, found by filters and put into the words that people read."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.clock_words import zone_of
from control.pages.parts.asked import day_in, id_in, matching, one_of, words_in
from control.pages.parts.history_names import Names, names_in
from control.pages.parts.history_words import detail_words, field_labels, record_kinds, value_words, ways
from control.paging import page_of
from control.visitor import Visitor
from control.words import words
from tenants.actor import Via
from tenants.refusals import Invalid
from tenants.trail import CHANGED, Entry
from tenants.verbs import Verb

ADDRESSES = {
    "tenants": "/companies/",
    "users": "/users/",
    "phone_systems": "/phone-systems/",
    "extensions": "/extensions/",
    "apps": "/apps/",
}
"""Where the page of a record is, by the kind of record."""
VERBS = {verb.value: verb for verb in Verb}
AT_ONCE = 1000
"""Entries of an export that are read at a time."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What an address asks of the history. Every filter narrows; the reach is the session's."""

    who: str = ""
    actor: int | None = None
    what: str = ""
    record: tuple[str, str] | None = None
    changed: str = ""
    how: str = ""
    tenant: int | None = None
    since: date | None = None
    until: date | None = None

    @classmethod
    def asked(cls, said: Mapping[str, Any]) -> "Filters":
        """The filters of an address. Raises Invalid for what cannot be one."""
        kind, _, number = words_in(said, "record").partition(":")
        if kind and (kind not in record_kinds("en") or not number):
            raise Invalid("This is not a record.", field="record")
        return cls(
            words_in(said, "who"),
            id_in(said, "actor"),
            one_of(said, "what", *record_kinds("en")),
            (kind, number) if kind else None,
            one_of(said, "field", *field_labels("en")),
            one_of(said, "how", *ways("en")),
            id_in(said, "company"),
            day_in(said, "from"),
            day_in(said, "to"),
        )

    def statement(self, zone: str) -> sa.Select[Entry]:
        """The entries asked for; days begin and end where the reader is."""
        wanted = sa.select(Entry)
        if self.who:
            wanted = wanted.where(matching(self.who, Entry.actor_name, sa.func.coalesce(Entry.subject_name, "")))
        if self.actor is not None:
            wanted = wanted.where(
                sa.or_(Entry.actor_membership_id == self.actor, Entry.subject_membership_id == self.actor)
            )
        if self.what:
            wanted = wanted.where(Entry.record_type == self.what)
        if self.record is not None:
            wanted = wanted.where(Entry.record_type == self.record[0], Entry.record_id == self.record[1])
        if self.changed:
            wanted = wanted.where(Entry.changes[self.changed].as_string().is_not(None))
        if self.how:
            wanted = wanted.where(Entry.via == self.how)
        if self.tenant is not None:
            wanted = wanted.where(Entry.tenant_id == self.tenant)
        if self.since is not None:
            wanted = wanted.where(Entry.occurred_at >= _midnight(self.since, zone))
        if self.until is not None:
            wanted = wanted.where(Entry.occurred_at < _midnight(self.until + timedelta(days=1), zone))
        return wanted


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as people read it; the attributes are what macros/history.html asks for."""

    at: datetime
    who: str
    whom: str | None
    sentence: str
    detail: str | None
    via: dict[str, str] | None
    reason: str | None
    changes: list[dict[str, Any]]
    href: str


@dataclass(frozen=True, slots=True)
class Told:
    """A page of history: its lines, newest first, and the cursor of the next one."""

    lines: list[Line] = field(default_factory=list)
    next: str | None = None


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), zone_of(zone))


def zone_and_locale(visitor: Visitor) -> tuple[str, str]:
    """Where and in which language somebody reads."""
    user = visitor.user
    return (user.zone, user.locale) if user else ("Etc/UTC", "en")


async def told(
    session: AsyncSession,
    visitor: Visitor,
    statement: sa.Select[Entry],
    cursor: str | None = None,
    limit: int = 50,
) -> Told:
    """One page of these entries in the reader's words, newest first."""
    page = await page_of(session, statement, {"id": Entry.id}, sort="-id", cursor=cursor, limit=limit)
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


async def all_entries(session: AsyncSession, statement: sa.Select[Entry]) -> AsyncIterator[list[Entry]]:
    """Every entry of a statement, newest first, some at a time."""
    last: int | None = None
    while True:
        following = statement if last is None else statement.where(Entry.id < last)
        found = list(await session.scalars(following.order_by(Entry.id.desc()).limit(AT_ONCE)))
        session.expunge_all()
        if found:
            yield found
        if len(found) < AT_ONCE:
            return
        last = found[-1].id


async def lines_of(session: AsyncSession, visitor: Visitor, entries: Sequence[Entry]) -> list[Line]:
    """Entries in the reader's words."""
    names = await names_in(session, entries)
    zone, locale = zone_and_locale(visitor)
    return [_line(entry, names, zone, visitor.now, locale) for entry in entries]


def _line(entry: Entry, names: Names, zone: str, now: datetime, locale: str) -> Line:
    details = detail_words(entry, locale)
    return Line(
        entry.occurred_at,
        who_of(entry, locale),
        whom_of(entry),
        sentence_of(entry, names, locale),
        " · ".join(details) or None,
        _way(entry, locale),
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


def _way(entry: Entry, locale: str) -> dict[str, str] | None:
    if entry.via in {Via.DIRECT, Via.SYSTEM}:
        return None
    label = words(locale).gettext("via %(way)s") % {"way": ways(locale).get(entry.via, entry.via)}
    if entry.via == Via.BINDING and entry.stand_in_id is not None:
        return {"href": f"/history?record=bindings:{entry.stand_in_id}", "label": label}
    return {"href": f"/history?how={entry.via}", "label": label}


def changes_of(entry: Entry, names: Names, zone: str, now: datetime, locale: str) -> list[dict[str, Any]]:
    """The fields before and after, with readable names and values; a secret only as changed."""
    labels = field_labels(locale)
    shown = []
    for key, change in entry.changes.items():
        if key not in labels or change in ([None, False], [None, 0]):
            continue  # machinery, or a new record's "no"
        if change == CHANGED:
            shown.append({"label": labels[key], "secret": True, "before": None, "after": None})
            continue
        before, after = (names.of_value(key, value) or value_words(key, value, zone, now, locale) for value in change)
        shown.append({"label": labels[key], "secret": False, "before": before, "after": after})
    return shown
