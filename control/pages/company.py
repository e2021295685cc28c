"""Company: one tenant's page with its tabs, and its name, short name and time zone."""

from typing import Any
from zoneinfo import available_timezones

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.companies import may_manage
from control.pages.extensions import may_manage_phones
from control.pages.parts.asked import filters_in, words_in
from control.pages.parts.company_rows import rows_of
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.extension_rows import SORTS, extension_rows, extensions_asked
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import told
from control.pages.parts.phone_system_rows import SORTS as SYSTEM_SORTS
from control.pages.parts.phone_system_rows import phone_system_rows
from control.pages.parts.standings import standings
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import Membership
from tenants.phones import PhoneSystem
from tenants.refusals import Invalid, Refusal
from tenants.roles import ADMIN_ACCESS, Permission
from tenants.trail import Entry
from tenants.tree import Kind, Tenant, effective_policy, find_tenant

BELOW = 10
"""Tenants below that the summary names."""


async def framed(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    tab: str,
    template: str,
    *,
    status: int = 200,
    **context: Any,
) -> Template:
    """A tab of a company's page: its crumbs, how it stands, and which tabs this reader has."""
    actor = request.user.actor
    standing = await standings(session, [tenant])
    return page(
        request,
        template,
        status=status,
        title=tenant.name,
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        standing_now=standing[tenant.id],
        tab=tab,
        may_change=may_manage(request.user) and tenant.discarded_at is None,
        may_add_below=may_manage(request.user) and tenant.kind != Kind.CUSTOMER and tenant.discarded_at is None,
        may_undiscard=may_manage(request.user) and tenant.discarded_at is not None,
        sees_people=actor is not None and actor.may(Permission.SEE_PEOPLE),
        manages_people=actor is not None and actor.may(Permission.MANAGE_PEOPLE),
        reads_history=actor is not None and actor.may(Permission.READ_HISTORY),
        **context,
    )


@get("/companies/{tenant_id:int}", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def show_company(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """What it is, how it stands, and what is right below it."""
    tenant = await find_tenant(session, tenant_id)
    below = sa.select(Tenant).where(Tenant.parent_id == tenant.id, Tenant.discarded_at.is_(None))
    children = list(await session.scalars(below.order_by(Tenant.name, Tenant.id).limit(BELOW + 1)))
    return await framed(
        request,
        session,
        tenant,
        "summary",
        "companies/show.html",
        parent=await session.get(Tenant, tenant.parent_id) if tenant.parent_id else None,
        children=children[:BELOW],
        more_children=len(children) > BELOW,
        policy=await effective_policy(session, tenant.path),
        may_make_profile=await may_make_profile(session, request.user, tenant),
        counts=(await rows_of(session, [tenant]))[0],
    )


async def may_make_profile(session: AsyncSession, visitor: Visitor, tenant: Tenant) -> bool:
    """Whether "Create my profile in Zoo" is offered: to staff above a customer who have no place in it yet."""
    who = visitor.identity
    if who is None or who.role not in ADMIN_ACCESS or who.sponsor is not None or visitor.actor is None:
        return False
    below = tenant.kind == Kind.CUSTOMER and tenant.path != who.path and tenant.discarded_at is None
    mine = sa.select(Membership.id).where(
        Membership.user_id == who.user_id, Membership.tenant_id == tenant.id, Membership.discarded_at.is_(None)
    )
    return below and not visitor.actor.standing_in and (await session.scalars(mine)).first() is None


@get("/companies/{tenant_id:int}/extensions", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def company_extensions(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """The numbers of this company alone."""
    tenant = await find_tenant(session, tenant_id)
    params = filters_in(request.query_params, "q", "sort")
    sort, cursor = params.get("sort", "number"), words_in(request.query_params, "cursor") or None
    statement = extensions_asked({**params, "company": str(tenant.id)})
    found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor)
    rows = await extension_rows(session, request.user, found.items)
    return await framed(
        request,
        session,
        tenant,
        "extensions",
        "companies/extensions.html",
        rows=rows,
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        may_add=may_manage_phones(request.user),
    )


@get("/companies/{tenant_id:int}/phone-systems", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def company_phone_systems(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """The phone systems of this company alone."""
    tenant = await find_tenant(session, tenant_id)
    cursor = words_in(request.query_params, "cursor") or None
    statement = (
        sa.select(PhoneSystem)
        .where(PhoneSystem.tenant_id == tenant.id, PhoneSystem.discarded_at.is_(None))
        .options(sa.orm.joinedload(PhoneSystem.tenant))
    )
    found = await page_of(session, statement, SYSTEM_SORTS, sort="name", cursor=cursor)
    return await framed(
        request,
        session,
        tenant,
        "phone-systems",
        "companies/phone-systems.html",
        rows=await phone_system_rows(session, found.items),
        next=found.next,
        cursor=cursor,
        may_add=may_manage_phones(request.user),
    )


@get("/companies/{tenant_id:int}/history", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def company_history(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """All that happened at this company, to whichever of its records."""
    tenant = await find_tenant(session, tenant_id)
    cursor = words_in(request.query_params, "cursor") or None
    found = await told(session, request.user, sa.select(Entry).where(Entry.tenant_id == tenant.id), cursor)
    return await framed(
        request,
        session,
        tenant,
        "history",
        "companies/history.html",
        told=found,
        cursor=cursor,
        history_href=f"/history?company={tenant.id}",
        here=f"/companies/{tenant.id}/history",
    )


@get("/companies/{tenant_id:int}/edit", may=Permission.MANAGE_TENANTS, outlives=False, include_in_schema=False)
async def edit_company(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """The form for its name, short name and time zone."""
    return await _form(request, session, await find_tenant(session, tenant_id))


@post("/companies/{tenant_id:int}/edit", may=Permission.MANAGE_TENANTS, outlives=False, include_in_schema=False)
async def change_company(
    request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id
) -> Template | Redirect:
    """Rename it, or set its time zone."""
    tenant = await find_tenant(session, tenant_id)
    fields = await read_fields(request)
    try:
        wanted = {name: fields.text(name) for name in ("name", "slug", "zone")}
        if wanted["zone"] not in available_timezones():
            raise Invalid("This is not a time zone.", field="zone")
        unseen = await unseen_changes(session, request.user, tenant, fields, wanted)
        if unseen.lines:
            return await _form(request, session, tenant, fields, unseen=unseen)
        await tenant.change(session, **wanted)
    except Invalid as refusal:
        return await _form(request, session, tenant, fields, refusal)
    return see_other(request, f"/companies/{tenant.id}", say=speech(request)("Saved."))


async def _form(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Template:
    unseen = unseen or Unseen(tenant.last_entry_id)
    return page(
        request,
        "companies/edit.html",
        status=refusal.status if refusal else unseen.status,
        title=speech(request)("Edit %(name)s") % {"name": tenant.name},
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        zones=sorted(available_timezones()),
        fields=fields,
        typed=fields is not UNTOUCHED,
        errors=errors_of(refusal),
        unseen=unseen,
    )


ROUTES = [
    show_company,
    company_extensions,
    company_phone_systems,
    company_history,
    edit_company,
    change_company,
]
