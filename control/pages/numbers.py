"""Inbound numbers: the list with its search, new ones, and each with where it rings and its history."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from control.numbers_asked import saying
from control.pages.extensions import may_manage_phones
from control.pages.parts.asked import filters_in, id_in, one_of, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.exports import csv_file, record_export
from control.pages.parts.extension_choice import chosen_extension, extensions_to_choose
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import past_of, zone_and_locale
from control.pages.parts.region_choice import regions_to_choose
from control.pages.parts.tenant_choice import tenants_to_choose
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.numbers import InboundNumber, find_number, region_of
from tenants.phones import Extension, PhoneSystem
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant
from tenants.verbs import Verb

SORTS: dict[str, sa.SQLColumnExpression[Any]] = {
    "id": InboundNumber.id,
    "number": InboundNumber.e164,
    "company": Tenant.name,
    "added": InboundNumber.created_at,
}


@get("/numbers", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def list_numbers(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Stream:
    """Every inbound number in reach; `format=csv` exports exactly these."""
    said = request.query_params
    params = filters_in(said, "q", "company", "rings", "state", "sort")
    sort, cursor = params.get("sort", "number"), words_in(said, "cursor") or None
    statement, tenant_id = _asked(params), id_in(params, "company")
    if one_of(said, "format", "csv"):
        return await _export(request, statement, sort, params)
    found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor)
    return page(
        request,
        "numbers/list.html",
        title=speech(request)("Inbound numbers"),
        rows=found.items,
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        company=await find_tenant(session, tenant_id) if tenant_id else None,
        may_add=may_manage_phones(request.user),
    )


def _asked(said: Mapping[str, Any]) -> sa.Select[InboundNumber]:
    wanted = (
        sa.select(InboundNumber)
        .join(Tenant, Tenant.id == InboundNumber.tenant_id)
        .outerjoin(Extension, Extension.id == InboundNumber.extension_id)
        .outerjoin(PhoneSystem, PhoneSystem.id == Extension.phone_system_id)
        .options(
            contains_eager(InboundNumber.tenant),
            contains_eager(InboundNumber.extension).contains_eager(Extension.phone_system),
        )
        .where(saying(words_in(said, "q"), InboundNumber.note, Tenant.name, Extension.number))
    )
    if tenant_id := id_in(said, "company"):
        wanted = wanted.where(InboundNumber.tenant_id == tenant_id)
    if rings := one_of(said, "rings", "yes", "no"):
        nowhere = InboundNumber.extension_id.is_(None)
        wanted = wanted.where(nowhere if rings == "no" else ~nowhere)
    state = one_of(said, "state", "discarded", "all")
    if state != "all":
        gone = InboundNumber.discarded_at
        wanted = wanted.where(gone.is_not(None) if state == "discarded" else gone.is_(None))
    return wanted


async def _export(
    request: Request[Visitor, Any, Any], statement: sa.Select[InboundNumber], sort: str, params: dict[str, str]
) -> Stream:
    await record_export(request, Verb.NUMBERS_EXPORTED, format="csv", filters=params)
    columns = ["number", "e164", "company", "rings at", "phone system", "note", "added", "discarded"]

    async def pages(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        cursor: str | None = None
        while True:
            found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor, limit=200)
            yield [_cells(number) for number in found.items]
            cursor = found.next
            if cursor is None:
                return

    return csv_file(request, "numbers", columns, pages)


def _cells(number: InboundNumber) -> list[object]:
    line = number.extension
    return [
        number.shown,
        number.e164,
        number.tenant.name,
        line.number if line else None,
        line.phone_system.name if line else None,
        number.note,
        number.created_at.isoformat(),
        number.discarded_at.isoformat() if number.discarded_at else None,
    ]


@get("/numbers/new", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def new_number(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The form for a number of `company`; without one, the choice of it."""
    tenant_id = id_in(request.query_params, "company")
    if tenant_id is None:
        title, sought = speech(request)("Add a number"), words_in(request.query_params, "q")
        tenants, more = await tenants_to_choose(session, sought)
        to = "/numbers/new"
        return page(request, "numbers/choose.html", title=title, tenants=tenants, more=more, sought=sought, to=to)
    return await _new(request, session, await find_tenant(session, tenant_id))


@post("/numbers/new", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def add_number(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Redirect:
    """Add it: where calls arrive outlives a stand-in."""
    fields = await read_fields(request)
    tenant = await find_tenant(session, fields.number("company") or 0)
    try:
        made = await InboundNumber.add(
            session,
            tenant,
            fields.text("number"),
            request.user.now,
            region=fields.text("region") or None,
            extension=await chosen_extension(session, tenant.id, fields),
            note=fields.text("note"),
        )
    except Invalid as refusal:
        return await _new(request, session, tenant, fields, refusal)
    say = speech(request)("%(number)s was added.") % {"number": made.shown}
    return see_other(request, f"/numbers/{made.id}", say=say)


async def _new(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    return page(
        request,
        "numbers/new.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Add a number"),
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        regions=regions_to_choose(zone_and_locale(request.user)[1]),
        region=fields.text("region") if fields is not UNTOUCHED else region_of(tenant.zone),
        extensions=await extensions_to_choose(session, tenant.id),
        fields=fields,
        errors=errors_of(refusal),
    )


@get("/numbers/{number_id:int}", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def show_number(request: Request[Visitor, Any, Any], session: AsyncSession, number_id: Id) -> Template:
    """Where it rings, and what is noted of it."""
    return await _show(request, session, await find_number(session, number_id))


@post("/numbers/{number_id:int}", may=Permission.MANAGE_PHONES, outlives=False, include_in_schema=False)
async def change_number(
    request: Request[Visitor, Any, Any], session: AsyncSession, number_id: Id
) -> Template | Redirect:
    """Let it ring elsewhere: where calls go outlives a stand-in."""
    number, fields = await find_number(session, number_id), await read_fields(request)
    try:
        extension, note = await chosen_extension(session, number.tenant_id, fields), fields.text("note")
        wanted = {"extension_id": extension.id if extension else None, "note": note.strip() or None}
        unseen = await unseen_changes(session, request.user, number, fields, wanted)
        if unseen.lines:
            return await _show(request, session, number, fields, unseen=unseen)
        await number.change(session, extension=extension, note=note)
    except (Invalid, Conflict) as refusal:
        return await _show(request, session, number, fields, refusal)
    return see_other(request, f"/numbers/{number.id}", say=speech(request)("Saved."))


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    number: InboundNumber,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Template:
    unseen = unseen or Unseen(number.last_entry_id)
    return await _framed(
        request,
        session,
        number,
        "summary",
        "numbers/show.html",
        status=refusal.status if refusal else unseen.status,
        extensions=await extensions_to_choose(session, number.tenant_id),
        fields=fields,
        typed=fields is not UNTOUCHED,
        errors=errors_of(refusal),
        unseen=unseen,
    )


@get("/numbers/{number_id:int}/history", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def number_history(request: Request[Visitor, Any, Any], session: AsyncSession, number_id: Id) -> Template:
    """When it was added, routed and taken out of use, and by whom."""
    number = await find_number(session, number_id)
    past = await past_of(request, session, "numbers", number.id)
    return await _framed(request, session, number, "history", "numbers/history.html", past=past)


@post("/numbers/{number_id:int}/discard", may=Permission.MANAGE_PHONES, outlives=False, include_in_schema=False)
async def discard_number(request: Request[Visitor, Any, Any], session: AsyncSession, number_id: Id) -> Redirect:
    """Out of use; the record stays."""
    number = await find_number(session, number_id)
    await number.discard(session, request.user.now)
    _ = speech(request)
    say = _("%(number)s was discarded.") % {"number": number.shown}
    return see_other(request, f"/numbers/{number.id}", say=say, undo=(f"/numbers/{number.id}/undiscard", _("Undo")))


@post("/numbers/{number_id:int}/undiscard", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def undiscard_number(request: Request[Visitor, Any, Any], session: AsyncSession, number_id: Id) -> Redirect:
    """Back in use, ringing where it did unless that is gone: where calls go outlives a stand-in."""
    number = await find_number(session, number_id)
    await number.undiscard(session)
    say = speech(request)("%(number)s is back in use.") % {"number": number.shown}
    return see_other(request, f"/numbers/{number.id}", say=say)


async def _framed(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    number: InboundNumber,
    tab: str,
    template: str,
    status: int = 200,
    **context: Any,
) -> Template:
    actor = request.user.actor
    return page(
        request,
        template,
        status=status,
        title=number.shown,
        crumbs=await crumbs_to(session, number.tenant.path, (f"/numbers/{number.id}", number.shown)),
        number=number,
        tab=tab,
        may_change=may_manage_phones(request.user),
        reads_history=actor is not None and actor.may(Permission.READ_HISTORY),
        **context,
    )


ROUTES = [
    list_numbers,
    new_number,
    add_number,
    show_number,
    change_number,
    number_history,
    discard_number,
    undiscard_number,
]
