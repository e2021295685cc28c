"""Companies: the tree of organizations and companies as a table and as a tree, and the switcher between siblings."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import sqlalchemy as sa
from litestar import Request, get
from litestar.response import Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import filters_in, id_in, one_of, words_in
from control.pages.parts.company_rows import FILTERS, MOST_COUNTED, SORTS, Row, companies_asked, rows_of
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.exports import csv_file, record_export
from control.pages.parts.fields import Id, number_in
from control.pages.parts.standings import standings
from control.pages.parts.tree_rows import count_below, tree_rows
from control.paging import page_of
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Invalid
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant
from tenants.verbs import Verb

OPENED = 40
"""Tenants that can stand open in the tree at once."""
SIBLINGS = 50


@get("/companies", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def list_companies(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Stream:
    """What lies in reach: a table with search and filters, the tree with `view=tree`, or the table as CSV."""
    said = request.query_params
    if one_of(said, "view", "tree"):
        return await _tree(request, session)
    params = filters_in(said, *FILTERS)
    statement = companies_asked(params)
    sort = params.get("sort", "name")
    if one_of(said, "format", "csv"):
        return await _export(request, statement, sort, params)
    cursor = words_in(said, "cursor") or None
    found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor)
    parent_id = id_in(params, "parent")
    return page(
        request,
        "companies/list.html",
        title=speech(request)("Companies"),
        rows=await rows_of(session, found.items),
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        parent=await find_tenant(session, parent_id) if parent_id else None,
        may_add=may_manage(request.user),
    )


async def _export(
    request: Request[Visitor, Any, Any], statement: sa.Select[Tenant], sort: str, params: dict[str, str]
) -> Stream:
    """All of the list as CSV, read a page at a time; written down before it goes."""
    if sort.removeprefix("-") not in SORTS:
        raise Invalid(f"Sort by one of {', '.join(SORTS)}.", field="sort")
    await record_export(request, Verb.TENANTS_EXPORTED, format="csv", filters=params)
    columns = ["id", "name", "short name", "kind", "under", "state", "by", "right below", "people", "extensions"]

    async def pages(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        cursor: str | None = None
        while True:
            found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor, limit=200)
            yield [_cells(row) for row in await rows_of(session, found.items)]
            cursor = found.next
            if cursor is None:
                return

    return csv_file(request, "companies", [*columns, "created"], pages)


def _cells(row: Row) -> list[object]:
    tenant = row.tenant
    return [
        tenant.id,
        tenant.name,
        tenant.slug,
        tenant.kind,
        row.parent.name if row.parent else None,
        row.standing.state,
        row.closed_by,
        counted(row.below),
        counted(row.people),
        counted(row.extensions),
        tenant.created_at.isoformat(timespec="seconds"),
    ]


def counted(number: int) -> str | int:
    """A count that may have stopped, for a spreadsheet."""
    return number if number < MOST_COUNTED else f"{MOST_COUNTED} or more"


async def _tree(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    asked = words_in(request.query_params, "open").split(".")[:OPENED]
    opened = {number for each in asked if (number := number_in(each)) is not None}
    root = await find_tenant(session, request.user.actor.standing.tenant_id) if request.user.actor else None
    rows = await tree_rows(session, root, opened) if root else []
    return page(
        request,
        "companies/tree.html",
        title=speech(request)("Companies"),
        rows=rows,
        toggles={row.tenant.id: ".".join(map(str, sorted(opened ^ {row.tenant.id}))) for row in rows},
        standings=await standings(session, [row.tenant for row in rows]),
        may_add=may_manage(request.user),
    )


@get("/companies/{tenant_id:int}/siblings", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def siblings(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """What sits beside a tenant, for the switcher; on a page of its own without script."""
    tenant = await find_tenant(session, tenant_id)
    parent = await session.get(Tenant, tenant.parent_id) if tenant.parent_id else None
    beside = sa.select(Tenant).where(Tenant.parent_id == tenant.parent_id, Tenant.discarded_at.is_(None))
    found = list(await session.scalars(beside.order_by(Tenant.name, Tenant.id).limit(SIBLINGS))) if parent else []
    if tenant not in found:
        found = [tenant, *found][:SIBLINGS]
    return page(
        request,
        "companies/siblings.html",
        title=tenant.name,
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        parent=parent,
        siblings=found,
        count=await count_below(session, parent) if parent else None,
    )


def may_manage(visitor: Visitor) -> bool:
    """Whether this reader may add and change companies."""
    return visitor.actor is not None and visitor.actor.may(Permission.MANAGE_TENANTS)


ROUTES = [list_companies, siblings]
