"""History: one page over all records in reach, its filters in the address, and its exports."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import sqlalchemy as sa
from litestar import Request, get
from litestar.response import Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.pages.parts.asked import filters_in, one_of, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.exports import csv_file, json_lines_file
from control.pages.parts.fields import Id
from control.pages.parts.history import (
    ADDRESSES,
    Filters,
    all_entries,
    changes_of,
    sentence_of,
    told,
    who_of,
    whom_of,
    zone_and_locale,
)
from control.pages.parts.history import entries_of as entries_of
from control.pages.parts.history_names import names_in
from control.pages.parts.history_words import field_labels, record_kinds, ways
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import NotPermitted, OutOfReach
from tenants.roles import Permission
from tenants.trail import Entry, record
from tenants.tree import Tenant
from tenants.verbs import Verb

NAMES = ("who", "actor", "what", "record", "field", "how", "company", "from", "to")
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
    statement = filters.statement(zone)
    wanted = one_of(said, "format", "csv", "jsonl")
    if wanted:
        return await _export(request, statement, wanted)
    params = filters_in(said, *NAMES)
    company = await session.get(Tenant, filters.tenant) if filters.tenant else None
    if filters.tenant and company is None:
        raise OutOfReach
    cursor = words_in(said, "cursor") or None
    context: dict[str, Any] = {"crumbs": await crumbs_to(session, company.path)} if company else {}
    return page(
        request,
        "history/list.html",
        title=speech(request)("History"),
        told=await told(session, request.user, statement, cursor),
        params=params,
        cursor=cursor,
        company=company,
        kinds=record_kinds(locale),
        fields=sorted(field_labels(locale).items(), key=lambda each: each[1]),
        ways=ways(locale),
        may_export=_may_export(request.user),
        **context,
    )


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


async def _export(request: Request[Visitor, Any, Any], statement: sa.Select[Entry], wanted: str) -> Stream:
    """What is taken away is written down before it goes."""
    if not _may_export(request.user):
        raise NotPermitted("Your role may read history, but not take it away. Ask an admin or an auditor.")
    visitor = request.user
    await _record_export(request, wanted)

    async def rows(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        async for entries in all_entries(session, statement):
            yield await _rows_of(session, visitor, entries)

    async def records(session: AsyncSession) -> AsyncIterator[Iterable[dict[str, Any]]]:
        async for entries in all_entries(session, statement):
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
        changes = [
            change["label"] if change["secret"] else f"{change['label']}: {change['before']} → {change['after']}"
            for change in changes_of(entry, names, zone, visitor.now, locale)
        ]
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
                "; ".join(changes),
                entry.reason,
                entry.ticket,
                entry.via,
                entry.actor_tenant_name,
                entry.request_id,
                entry.address,
            ]
        )
    return rows


def _record(entry: Entry) -> dict[str, Any]:
    """The entry as it is stored, but for its seal; times in UTC."""
    kept = {column.key: getattr(entry, column.key) for column in Entry.__table__.columns if column.key != "leaf"}
    return kept | {"occurred_at": entry.occurred_at.isoformat()}


ROUTES = [list_history, show_entry]
