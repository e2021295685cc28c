"""New company: founding an organization or a company under a parent in reach, of a kind that may sit there."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import id_in, one_of, words_in
from control.pages.parts.company_rows import KINDS
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session
from control.pages.parts.tenant_choice import tenants_to_choose
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Conflict, Invalid, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.tree import PARENTS, Kind, Tenant, find_tenant

ABOVE = tuple(kind for kind in Kind if any(kind in parents for parents in PARENTS.values()))
"""The kinds of tenant that something may sit under."""


@get("/companies/new", may=Permission.MANAGE_TENANTS, outlives=True, include_in_schema=False)
async def new_company(request: Request[Visitor, Any, Any], session: Session) -> Template:
    """The form for a new one under `parent`; without one, with a choice of all that can have something under them."""
    parent_id = id_in(request.query_params, "parent")
    return await _form(request, session, await find_tenant(session, parent_id) if parent_id else None)


@post("/companies/new", may=Permission.MANAGE_TENANTS, outlives=True, include_in_schema=False)
async def create_company(request: Request[Visitor, Any, Any], session: Session) -> Template | Redirect:
    """Found it: a place in the tree outlives a stand-in."""
    fields = await read_fields(request)
    parent = await find_tenant(session, fields.number("parent") or 0)
    try:
        kind = Kind(one_of({"kind": fields.text("kind")}, "kind", *KINDS) or Kind.CUSTOMER)
        slug = fields.text("slug") or None
        made = await Tenant.found(session, parent, kind, fields.text("name"), slug, request.user.now)
    except Invalid as refusal:
        return await _form(request, session, None if fields.text("chosen") else parent, fields, refusal)
    say = speech(request)("%(name)s was added.") % {"name": made.name}
    return see_other(request, f"/companies/{made.id}", say=say)


async def _form(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    parent: Tenant | None,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    sought = words_in(request.query_params, "q")
    choices, more = ([], False) if parent else await tenants_to_choose(session, sought, *ABOVE)
    if parent is None and not sought and len(choices) < 2:
        parent = next(iter(choices), None) or await _own(request, session)
    if parent is not None and not _kinds([parent]):
        raise Conflict(f"Nothing can sit under {parent.name}: it is a company.", rule="kind")
    return page(
        request,
        "companies/new.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Add a company"),
        crumbs=await crumbs_to(session, parent.path, ("/companies/new", speech(request)("Add"))) if parent else [],
        parent=parent,
        choices=choices,
        own_id=request.user.identity.tenant_id if request.user.identity else None,
        more=more,
        sought=sought,
        kinds=_kinds([parent] if parent else choices),
        fields=fields,
        errors=errors_of(refusal),
    )


async def _own(request: Request[Visitor, Any, Any], session: AsyncSession) -> Tenant:
    if request.user.actor is None:
        raise OutOfReach
    return await find_tenant(session, request.user.actor.standing.tenant_id)


def _kinds(parents: Sequence[Tenant]) -> list[str]:
    """What may sit under one or another of these, companies first."""
    return [kind.value for kind in reversed(Kind) if any(Kind(parent.kind) in PARENTS[kind] for parent in parents)]


ROUTES = [new_company, create_company]
