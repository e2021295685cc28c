"""Companies: the tree of organizations and companies as a table and as a tree, new ones, and the switcher."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import filters_in, id_in, matching, one_of, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.exports import csv_file
from control.pages.parts.fields import Fields, Id, number_in, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.standings import Standing, standings
from control.pages.parts.tree_rows import tree_rows
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import Membership
from tenants.phones import Extension
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import PARENTS, Kind, Suspension, Tenant, find_tenant

KINDS = [kind.value for kind in Kind]
FILTERS = ("q", "kind", "state", "parent", "sort")
SORTS = {"id": Tenant.id, "name": Tenant.name, "created": Tenant.created_at}
OPENED = 40
"""Tenants that can stand open in the tree at once."""
SIBLINGS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    tenant: Tenant
    parent: Tenant | None
    standing: Standing
    people: int
    extensions: int


@get("/companies", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def list_companies(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Stream:
    """What lies in reach: a table with search and filters, the tree with `view=tree`, or the table as CSV."""
    said = request.query_params
    if one_of(said, "view", "tree"):
        return await _tree(request, session)
    params = filters_in(said, *FILTERS)
    statement = _asked(params)
    sort = params.get("sort", "name")
    if one_of(said, "format", "csv"):
        return _export(request, statement, sort)
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


def _asked(params: dict[str, str]) -> sa.Select[Tenant]:
    wanted = sa.select(Tenant)
    if params.get("q"):
        wanted = wanted.where(matching(params["q"], Tenant.name, Tenant.slug))
    if kind := one_of(params, "kind", *KINDS):
        wanted = wanted.where(Tenant.kind == kind)
    if parent_id := id_in(params, "parent"):
        wanted = wanted.where(Tenant.parent_id == parent_id)
    state = one_of(params, "state", "discarded", "suspended")
    if state == "suspended":
        live = sa.select(Suspension.tenant_id).where(Suspension.lifted_at.is_(None))
        wanted = wanted.where(Tenant.id.in_(live))
    return wanted.where(Tenant.discarded_at.is_not(None) if state == "discarded" else Tenant.discarded_at.is_(None))


async def rows_of(session: AsyncSession, tenants: Sequence[Tenant]) -> list[Row]:
    """Each tenant with its parent where in reach, how it stands, and how many people and extensions it has."""
    ids = [tenant.id for tenant in tenants]
    parents = sa.select(Tenant).where(Tenant.id.in_({tenant.parent_id for tenant in tenants} - {None}))
    above = {parent.id: parent for parent in await session.scalars(parents)}
    people = await _counts(session, Membership, ids)
    extensions = await _counts(session, Extension, ids)
    standing = await standings(session, tenants)
    return [
        Row(
            tenant,
            above.get(tenant.parent_id or 0),
            standing[tenant.id],
            people.get(tenant.id, 0),
            extensions.get(tenant.id, 0),
        )
        for tenant in tenants
    ]


async def _counts(session: AsyncSession, kind: type[Membership] | type[Extension], ids: list[int]) -> dict[int, int]:
    counted = (
        sa.select(kind.tenant_id, sa.func.count())
        .where(kind.tenant_id.in_(ids), kind.discarded_at.is_(None))
        .group_by(kind.tenant_id)
    )
    return {row[0]: row[1] for row in await session.execute(counted)}


def _export(request: Request[Visitor, Any, Any], statement: sa.Select[Tenant], sort: str) -> Stream:
    columns = ["id", "name", "short name", "kind", "under", "state", "people", "extensions", "created"]

    async def pages(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        cursor: str | None = None
        while True:
            found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor, limit=200)
            yield [_cells(row) for row in await rows_of(session, found.items)]
            cursor = found.next
            if cursor is None:
                return

    return csv_file(request, "companies", columns, pages)


def _cells(row: Row) -> list[object]:
    tenant = row.tenant
    return [
        tenant.id,
        tenant.name,
        tenant.slug,
        tenant.kind,
        row.parent.name if row.parent else None,
        row.standing.state,
        row.people,
        row.extensions,
        tenant.created_at.isoformat(timespec="seconds"),
    ]


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


@get("/companies/new", may=Permission.MANAGE_TENANTS, outlives=False, include_in_schema=False)
async def new_company(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The form for a new one under `parent`, which is the reader's own tenant unless said otherwise."""
    standing = request.user.actor.standing if request.user.actor else None
    parent_id = id_in(request.query_params, "parent") or (standing.tenant_id if standing else 0)
    return await _form(request, session, await find_tenant(session, parent_id))


@post("/companies/new", may=Permission.MANAGE_TENANTS, outlives=True, include_in_schema=False)
async def create_company(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template | Redirect:
    """Found it: a place in the tree outlives a stand-in."""
    fields = await read_fields(request)
    parent = await find_tenant(session, fields.number("parent") or 0)
    try:
        kind = Kind(one_of({"kind": fields.text("kind")}, "kind", *KINDS) or Kind.CUSTOMER)
        slug = fields.text("slug") or None
        made = await Tenant.found(session, parent, kind, fields.text("name"), slug, request.user.now)
    except Invalid as refusal:
        return await _form(request, session, parent, fields, refusal)
    say = speech(request)("%(name)s was added.") % {"name": made.name}
    return see_other(request, f"/companies/{made.id}", say=say)


async def _form(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    parent: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    kinds = [kind.value for kind in reversed(Kind) if Kind(parent.kind) in PARENTS[kind]]
    if not kinds:
        raise Conflict(f"Nothing can sit under {parent.name}: it is a company.", rule="kind")
    _ = speech(request)
    return page(
        request,
        "companies/new.html",
        status=refusal.status if refusal else 200,
        title=_("Add a company"),
        crumbs=await crumbs_to(session, parent.path, ("/companies/new", _("Add"))),
        parent=parent,
        kinds=kinds,
        fields=fields,
        errors=errors_of(refusal),
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
    )


def may_manage(visitor: Visitor) -> bool:
    """Whether this reader may add and change companies."""
    return visitor.actor is not None and visitor.actor.may(Permission.MANAGE_TENANTS)


ROUTES = [list_companies, new_company, create_company, siblings]
