"""Extensions: the list across companies, and new ones."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import filters_in, id_in, matching, one_of, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.exports import csv_file, record_export
from control.pages.parts.extension_rows import FILTERS, SORTS, ExtensionRow, extension_rows, extensions_asked
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.member_choice import chosen_member, members_to_choose
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.phones import Extension, PhoneSystem, Product, find_phone_system
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant
from tenants.verbs import Verb

CHOICES = 50


@get("/extensions", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def list_extensions(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Stream:
    """Every extension in reach, whoever's company it is in; `format=csv` exports exactly these."""
    said = request.query_params
    params = filters_in(said, *FILTERS)
    sort, cursor = params.get("sort", "number"), words_in(said, "cursor") or None
    statement = extensions_asked(params)
    if one_of(said, "format", "csv"):
        return await _export(request, statement, sort, params)
    system_id, tenant_id = id_in(params, "phone_system"), id_in(params, "company")
    found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor)
    return page(
        request,
        "extensions/list.html",
        title=speech(request)("Extensions"),
        rows=await extension_rows(session, request.user, found.items),
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        system=await find_phone_system(session, system_id) if system_id else None,
        company=await find_tenant(session, tenant_id) if tenant_id else None,
        products=list(await session.scalars(sa.select(Product).order_by(Product.name))),
        may_add=may_manage_phones(request.user),
    )


async def _export(
    request: Request[Visitor, Any, Any], statement: sa.Select[Extension], sort: str, params: dict[str, str]
) -> Stream:
    await record_export(request, Verb.EXTENSIONS_EXPORTED, format="csv", filters=params)
    columns = ["number", "name", "user", "e-mail", "company", "phone system", "products", "bound by"]

    async def pages(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        cursor: str | None = None
        while True:
            found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor, limit=200)
            yield [_cells(row) for row in await extension_rows(session, request.user, found.items)]
            cursor = found.next
            if cursor is None:
                return

    return csv_file(request, "extensions", columns, pages)


def _cells(row: ExtensionRow) -> list[object]:
    return [
        row.number,
        row.name,
        row.user.name if row.user else None,
        row.user.email if row.user else None,
        row.tenant.name,
        row.phone_system.name,
        ", ".join(f"{name} (admin)" if admin else name for name, admin in row.products),
        ", ".join(row.bound),
    ]


@get("/extensions/new", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def new_extension(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The form for a new number on `phone_system`; without one, the choice of it."""
    system_id = id_in(request.query_params, "phone_system")
    if system_id is None:
        return await _choose(request, session)
    return await _form(request, session, await find_phone_system(session, system_id))


async def _choose(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    sought = words_in(request.query_params, "q")
    systems = (
        sa.select(PhoneSystem)
        .join(Tenant, Tenant.id == PhoneSystem.tenant_id)
        .options(sa.orm.contains_eager(PhoneSystem.tenant))
        .where(matching(sought, PhoneSystem.name, Tenant.name), PhoneSystem.discarded_at.is_(None))
        .order_by(PhoneSystem.name, PhoneSystem.id)
        .limit(CHOICES + 1)
    )
    found = list(await session.scalars(systems))
    return page(
        request,
        "extensions/choose.html",
        title=speech(request)("Add an extension"),
        systems=found[:CHOICES],
        more=len(found) > CHOICES,
        sought=sought,
    )


@post("/extensions/new", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def create_extension(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Redirect:
    """Add it, with its user where one was chosen: a number that somebody answers outlives a stand-in."""
    fields = await read_fields(request)
    system = await find_phone_system(session, fields.number("phone_system") or 0)
    try:
        membership = await chosen_member(session, system.tenant_id, fields)
        number, name = fields.text("number").strip(), fields.text("name") or None
        made = await Extension.create(session, system, number, request.user.now, name=name, membership=membership)
    except Invalid as refusal:
        return await _form(request, session, system, fields, refusal)
    say = speech(request)("Extension %(number)s was added.") % {"number": made.number}
    return see_other(request, f"/extensions/{made.id}", say=say)


async def _form(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    system: PhoneSystem,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    _ = speech(request)
    return page(
        request,
        "extensions/new.html",
        status=refusal.status if refusal else 200,
        title=_("Add an extension"),
        crumbs=await crumbs_to(
            session,
            system.tenant.path,
            (f"/phone-systems/{system.id}", system.name),
            (f"/extensions/new?phone_system={system.id}", _("Add")),
        ),
        system=system,
        members=await members_to_choose(session, system.tenant_id),
        fields=fields,
        errors=errors_of(refusal),
    )


def may_manage_phones(visitor: Visitor) -> bool:
    """Whether this reader may add and change phone systems and extensions."""
    return visitor.actor is not None and visitor.actor.may(Permission.MANAGE_PHONES)


ROUTES = [list_extensions, new_extension, create_extension]
