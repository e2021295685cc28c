"""Phone systems: the list, new ones, each with its name, host, extensions and history, and taking one out of use."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from bindings import unfit_logins
from control.pages.extensions import may_manage_phones
from control.pages.parts.asked import filters_in, id_in, matching, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.extension_rows import SORTS as EXTENSION_SORTS
from control.pages.parts.extension_rows import extension_rows, extensions_asked
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import entries_of
from control.pages.parts.phone_system_rows import SORTS, phone_system_rows
from control.pages.parts.tenant_choice import tenants_to_choose
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants import phone_endings
from tenants.phones import PhoneSystem, find_phone_system
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant


@get("/phone-systems", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def list_phone_systems(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """Every phone system in reach."""
    said = request.query_params
    params = filters_in(said, "q", "company", "sort")
    sort, cursor = params.get("sort", "name"), words_in(said, "cursor") or None
    tenant_id = id_in(params, "company")
    statement = (
        sa.select(PhoneSystem)
        .join(Tenant, Tenant.id == PhoneSystem.tenant_id)
        .options(contains_eager(PhoneSystem.tenant))
        .where(PhoneSystem.discarded_at.is_(None))
        .where(matching(params.get("q", ""), PhoneSystem.name, PhoneSystem.host, Tenant.name))
    )
    if tenant_id:
        statement = statement.where(PhoneSystem.tenant_id == tenant_id)
    found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor)
    return page(
        request,
        "phone-systems/list.html",
        title=speech(request)("Phone systems"),
        rows=await phone_system_rows(session, found.items),
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        company=await find_tenant(session, tenant_id) if tenant_id else None,
        may_add=may_manage_phones(request.user),
    )


@get("/phone-systems/new", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def new_phone_system(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The form for a new one of `company`; without one, the choice of it."""
    tenant_id = id_in(request.query_params, "company")
    if tenant_id is None:
        return await _choose(request, session)
    return await _new(request, session, await find_tenant(session, tenant_id))


async def _choose(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    title, sought = speech(request)("Add a phone system"), words_in(request.query_params, "q")
    tenants, more = await tenants_to_choose(session, sought)
    return page(request, "phone-systems/choose.html", title=title, tenants=tenants, more=more, sought=sought)


@post("/phone-systems/new", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def create_phone_system(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Redirect:
    """Add it: a destination for calls outlives a stand-in."""
    fields = await read_fields(request)
    tenant = await find_tenant(session, fields.number("company") or 0)
    try:
        name, host, slug = fields.text("name"), fields.text("host"), fields.text("slug") or None
        made = await PhoneSystem.create(session, tenant, name, host, request.user.now, slug)
    except Invalid as refusal:
        return await _new(request, session, tenant, fields, refusal)
    say = speech(request)("%(name)s was added.") % {"name": made.name}
    return see_other(request, f"/phone-systems/{made.id}", say=say)


async def _new(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    return page(
        request,
        "phone-systems/new.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Add a phone system"),
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        fields=fields,
        errors=errors_of(refusal),
    )


@get("/phone-systems/{system_id:int}", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def show_phone_system(request: Request[Visitor, Any, Any], session: AsyncSession, system_id: Id) -> Template:
    """Name, host and company."""
    return await _show(request, session, await find_phone_system(session, system_id))


@post("/phone-systems/{system_id:int}", may=Permission.MANAGE_PHONES, outlives=False, include_in_schema=False)
async def change_phone_system(
    request: Request[Visitor, Any, Any], session: AsyncSession, system_id: Id
) -> Template | Redirect:
    """Rename it or give it another host: where calls go outlives a stand-in."""
    system, fields = await find_phone_system(session, system_id), await read_fields(request)
    try:
        wanted = {name: fields.text(name) for name in ("name", "host")}
        unseen = await unseen_changes(session, request.user, system, fields, wanted)
        if unseen.lines:
            return await _show(request, session, system, fields, unseen=unseen)
        await system.change(session, **wanted)
    except Invalid as refusal:
        return await _show(request, session, system, fields, refusal)
    return see_other(request, f"/phone-systems/{system.id}", say=speech(request)("Saved."))


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    system: PhoneSystem,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Template:
    unseen = unseen or Unseen(system.last_entry_id)
    return await _framed(
        request,
        session,
        system,
        "summary",
        "phone-systems/show.html",
        status=refusal.status if refusal else unseen.status,
        counted=(await phone_system_rows(session, [system]))[0].extensions,
        fields=fields,
        typed=fields is not UNTOUCHED,
        errors=errors_of(refusal),
        unseen=unseen,
    )


@get("/phone-systems/{system_id:int}/extensions", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def system_extensions(request: Request[Visitor, Any, Any], session: AsyncSession, system_id: Id) -> Template:
    """The numbers on this phone system alone."""
    system = await find_phone_system(session, system_id)
    params = filters_in(request.query_params, "q", "sort")
    sort, cursor = params.get("sort", "number"), words_in(request.query_params, "cursor") or None
    statement = extensions_asked({**params, "phone_system": str(system.id)})
    found = await page_of(session, statement, EXTENSION_SORTS, sort=sort, cursor=cursor)
    return await _framed(
        request,
        session,
        system,
        "extensions",
        "phone-systems/extensions.html",
        rows=await extension_rows(session, request.user, found.items),
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
    )


@get("/phone-systems/{system_id:int}/history", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def system_history(request: Request[Visitor, Any, Any], session: AsyncSession, system_id: Id) -> Template:
    """What was done to it."""
    system = await find_phone_system(session, system_id)
    cursor = words_in(request.query_params, "cursor") or None
    return await _framed(
        request,
        session,
        system,
        "history",
        "phone-systems/history.html",
        told=await entries_of(session, request.user, "phone_systems", system.id, cursor=cursor),
        cursor=cursor,
        history_href=f"/history?record=phone_systems:{system.id}",
        here=f"/phone-systems/{system.id}/history",
    )


@get("/phone-systems/{system_id:int}/discard", may=Permission.MANAGE_PHONES, outlives=False, include_in_schema=False)
async def ask_discard(request: Request[Visitor, Any, Any], session: AsyncSession, system_id: Id) -> Template:
    """The question before it: what goes with it."""
    return await _ask_discard(request, session, await find_phone_system(session, system_id))


@post("/phone-systems/{system_id:int}/discard", may=Permission.MANAGE_PHONES, outlives=False, include_in_schema=False)
async def discard_phone_system(
    request: Request[Visitor, Any, Any], session: AsyncSession, system_id: Id
) -> Template | Redirect:
    """Take it out of use; with the extensions on it only where that was ticked."""
    system, fields = await find_phone_system(session, system_id), await read_fields(request)
    goes = await phone_endings.what_goes(session, system)
    if goes.extensions and fields.text("with_extensions") != "1":
        refusal = Conflict(f"{system.name} still has extensions.", rule="in_use")
        return await _ask_discard(request, session, system, refusal)
    await unfit_logins.discard_phone_system(session, system, request.user.now, with_extensions=goes.extensions > 0)
    say = speech(request)("%(name)s was discarded.") % {"name": system.name}
    return see_other(request, f"/phone-systems?company={system.tenant_id}", say=say)


async def _ask_discard(
    request: Request[Visitor, Any, Any], session: AsyncSession, system: PhoneSystem, refusal: Refusal | None = None
) -> Template:
    return page(
        request,
        "phone-systems/discard.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Discard %(name)s?") % {"name": system.name},
        crumbs=await crumbs_to(session, system.tenant.path, (f"/phone-systems/{system.id}", system.name)),
        system=system,
        goes=await phone_endings.what_goes(session, system),
        refused=refusal is not None,
    )


async def _framed(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    system: PhoneSystem,
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
        title=system.name,
        crumbs=await crumbs_to(session, system.tenant.path, (f"/phone-systems/{system.id}", system.name)),
        system=system,
        tab=tab,
        may_change=may_manage_phones(request.user) and system.discarded_at is None,
        reads_history=actor is not None and actor.may(Permission.READ_HISTORY),
        **context,
    )


ROUTES = [
    list_phone_systems,
    new_phone_system,
    create_phone_system,
    show_phone_system,
    change_phone_system,
    system_extensions,
    system_history,
    ask_discard,
    discard_phone_system,
]
