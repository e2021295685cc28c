"""History: one page over all records in reach, its filters in the address, and its exports."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from litestar import Request, get
from litestar.response import Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.clock_words import local
from control.house import House
from control.pages.parts.asked import filters_in, one_of, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.exports import csv_file, json_lines_file
from control.pages.parts.fields import Id
from control.pages.parts.history import (
    ADDRESSES,
    changes_of,
    sentence_of,
    told,
    way_of,
    who_of,
    whom_of,
    zone_and_locale,
)
from control.pages.parts.history_filters import NAMES, Filters
from control.pages.parts.history_names import NAMING, names_in
from control.pages.parts.history_words import field_labels, kinds_asked, record_kinds, verbs_asked, ways
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from control.words import words
from tenants.history import LOOKED_AT, Search, every, newest_id
from tenants.people import Membership, User
from tenants.refusals import NotPermitted, OutOfReach
from tenants.roles import Permission
from tenants.trail import Entry, record
from tenants.tree import Tenant
from tenants.verbs import Verb

QUICKLY = (7, 30, 90)
"""Days back that one click asks for."""
COMPANIES = 100
"""So many companies can be chosen from a list; where there are more, the way is from the company's page."""
COLUMNS = [
    "id",
    "time (UTC)",
    "who",
    "as",
    "did",
    "event",
    "record type",
    "record id",
    "record",
    "changes",
    "reason",
    "ticket",
    "how",
    "organization of who",
    "request",
    "address",
]


@get("/history", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def list_history(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Stream:
    """Every entry in reach that the filters let through; `format` exports exactly those."""
    said = request.query_params
    filters = Filters.asked(said)
    zone, locale = zone_and_locale(request.user)
    search = await filters.search(session, zone)
    wanted = one_of(said, "format", "csv", "jsonl")
    if wanted:
        return await _export(request, session, search, wanted)
    cursor = words_in(said, "cursor") or None
    return page(
        request,
        "history/list.html",
        title=speech(request)("History"),
        told=await told(session, request.user, search, cursor),
        params=filters_in(said, *NAMES),
        cursor=cursor,
        looked_at=LOOKED_AT,
        kinds=kinds_asked(locale),
        verbs=verbs_asked(locale),
        fields=sorted(field_labels(locale).items(), key=lambda each: each[1]),
        ways=ways(locale),
        quickly=[(days, _days_ago(request.user, zone, days)) for days in QUICKLY],
        companies=await _companies(session),
        may_export=_may_export(request.user),
        **await _linked(request, session, filters),
    )


def _days_ago(visitor: Visitor, zone: str, days: int) -> str:
    """The first of so many days, today included, on the reader's calendar."""
    return (local(visitor.now, zone).date() - timedelta(days=days - 1)).isoformat()


async def _companies(session: AsyncSession) -> list[tuple[int, str]]:
    """The companies to choose from, where they are few."""
    wanted = sa.select(Tenant.id, Tenant.name).limit(COMPANIES + 1)
    rows = [(row.id, row.name) for row in await session.execute(wanted)]
    return sorted(rows, key=lambda row: row[1].casefold()) if 1 < len(rows) <= COMPANIES else []


async def _linked(request: Request[Visitor, Any, Any], session: AsyncSession, filters: Filters) -> dict[str, Any]:
    """The names behind the filters that links bring along, for their chips; and the way to the company."""
    company = await session.get(Tenant, filters.company) if filters.company else None
    person = await session.get(User, filters.person) if filters.person else None
    actor = None
    if filters.actor is not None:
        of = sa.select(User.name).join(Membership, Membership.user_id == User.id)
        actor = (await session.scalars(of.where(Membership.id == filters.actor))).one_or_none()
    crumbs = {"crumbs": await crumbs_to(session, company.path)} if company else {}
    _ = speech(request)
    return crumbs | {
        "company": company,
        "person": person.name if person else _("One person"),
        "actor": actor or _("One person"),
        "record": await _record_words(request, session, filters.record),
    }


async def _record_words(
    request: Request[Visitor, Any, Any], session: AsyncSession, asked: tuple[str, str] | None
) -> str | None:
    """A record as a chip names it: its kind, and its name where it has one in reach."""
    if asked is None:
        return None
    kind, number = asked
    label = record_kinds(zone_and_locale(request.user)[1])[kind]
    naming = NAMING.get(kind)
    if naming is None or not number.isdigit():
        return f"{label}: {number}"
    row = (await session.execute(naming.where(naming.selected_columns[0] == int(number[:18])))).first()
    return f"{label}: {row[1] if row else number}"


@get("/history/{entry_id:int}", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def show_entry(request: Request[Visitor, Any, Any], session: AsyncSession, entry_id: Id) -> Template:
    """One entry with all that was written down."""
    entry = (await session.scalars(sa.select(Entry).where(Entry.id == entry_id))).one_or_none()
    if entry is None:
        raise OutOfReach
    found = await told(session, request.user, sa.select(Entry).where(Entry.id == entry_id))
    place = await session.get(Tenant, entry.tenant_id) if entry.tenant_id else None
    address = ADDRESSES.get(entry.record_type or "")
    locale = zone_and_locale(request.user)[1]
    return page(
        request,
        "history/entry.html",
        title=speech(request)("History"),
        entry=entry,
        told=found,
        place=place,
        record_href=f"{address}{entry.record_id}" if address else None,
        way=ways(locale).get(entry.via, entry.via),
    )


def _may_export(visitor: Visitor) -> bool:
    return visitor.actor is not None and visitor.actor.may(Permission.EXPORT_HISTORY)


async def _export(request: Request[Visitor, Any, Any], session: AsyncSession, search: Search, wanted: str) -> Stream:
    """What is taken away is written down before it goes; that line itself is not part of it."""
    if not _may_export(request.user):
        raise NotPermitted("Your role may read history, but not take it away. Ask an admin or an auditor.")
    visitor = request.user
    shown = replace(search, last_id=await newest_id(session))
    await _record_export(request, wanted)

    async def rows(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        async for entries in every(session, shown):
            yield await _rows_of(session, visitor, entries)

    async def records(session: AsyncSession) -> AsyncIterator[Iterable[dict[str, Any]]]:
        async for entries in every(session, shown):
            yield [_record(entry) for entry in entries]

    if wanted == "csv":
        return csv_file(request, "history", COLUMNS, rows)
    return json_lines_file(request, "history", records)


async def _record_export(request: Request[Visitor, Any, Any], wanted: str) -> None:
    house: House = request.app.state.house
    actor = request.user.actor
    if actor is None:
        raise OutOfReach
    asked = {name: value for name, value in request.query_params.items() if name in NAMES and value}
    async with house.store.work(actor, actor.reach(), request.user.now) as session:
        record(session, Verb.HISTORY_EXPORTED, None, place=actor.standing.tenant_id, format=wanted, filters=asked)


async def _rows_of(session: AsyncSession, visitor: Visitor, entries: list[Entry]) -> list[list[object]]:
    names = await names_in(session, entries)
    zone, locale = zone_and_locale(visitor)
    rows: list[list[object]] = []
    for entry in entries:
        changes = changes_of(entry, names, zone, visitor.now, locale)
        rows.append(
            [
                entry.id,
                entry.occurred_at.isoformat(timespec="seconds"),
                who_of(entry, locale),
                whom_of(entry),
                sentence_of(entry, names, locale),
                entry.verb,
                entry.record_type,
                entry.record_id,
                names.of_record(entry),
                "; ".join(_change_words(change, locale) for change in changes),
                entry.reason,
                entry.ticket,
                way_of(entry, locale)["label"],
                entry.actor_tenant_name,
                entry.request_id,
                entry.address,
            ]
        )
    return rows


def _change_words(change: dict[str, Any], locale: str) -> str:
    _ = words(locale).gettext
    if change["secret"]:
        return f"{change['label']}: {_('changed')}"
    return f"{change['label']}: {change['before'] or _('empty')} → {change['after'] or _('empty')}"


def _record(entry: Entry) -> dict[str, Any]:
    """The entry as it is stored, but for its seal; times in UTC."""
    kept = {column.key: getattr(entry, column.key) for column in Entry.__table__.columns if column.key != "leaf"}
    return kept | {"occurred_at": entry.occurred_at.isoformat()}


ROUTES = [list_history, show_entry]
