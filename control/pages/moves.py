"""Moves: choosing where a company or organization goes, what that would cut and take along, and moving it."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.moving import move_tenant, what_moves
from control.pages.parts.asked import id_in, matching, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.session import changing
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.reach import below
from tenants.refusals import Conflict, Invalid, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.tree import PARENTS, Kind, Tenant, find_tenant

CHOICES = 50


@get("/companies/{tenant_id:int}/move", may=Permission.MANAGE_TENANTS, outlives=True, include_in_schema=False)
async def ask_move(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """Where to; with `parent` chosen, what the move would do."""
    tenant, parent_id = await find_tenant(session, tenant_id), id_in(request.query_params, "parent")
    if request.user.actor is None:
        raise OutOfReach
    if parent_id is None:
        return await _choose(request, session, tenant)
    parent = await find_tenant(session, parent_id)
    try:
        found = await what_moves(session, request.user.actor, tenant, parent, request.user.now)
    except (Conflict, Invalid) as refusal:
        return await _choose(request, session, tenant, refusal)
    return page(
        request,
        "companies/move.html",
        title=speech(request)("Move %(name)s") % {"name": tenant.name},
        crumbs=await crumbs_to(session, tenant.path),
        move=found,
    )


@post(
    "/companies/{tenant_id:int}/move",
    may=Permission.MANAGE_TENANTS,
    outlives=True,
    proof=True,
    proof_at="/companies/{tenant_id}/move",
    proof_keeps=("parent",),
    include_in_schema=False,
)
async def move(request: Request[Visitor, Any, Any], tenant_id: Id) -> Template | Redirect:
    """Move it, if it still is where the reader saw it."""
    fields, visitor = await read_fields(request), request.user
    if visitor.actor is None:
        raise OutOfReach
    try:
        async with changing(request) as session:
            tenant = await find_tenant(session, tenant_id)
            parent, seen = await find_tenant(session, fields.number("parent") or 0), fields.number("expected_parent")
            if seen is None:
                raise Invalid(speech(request)("Look at what the move does first."), field="parent")
            await move_tenant(session, visitor.actor, tenant, parent, visitor.now, expected_parent_id=seen)
    except (Conflict, Invalid) as refusal:
        async with changing(request) as session:
            return await _choose(request, session, await find_tenant(session, tenant_id), refusal)
    say = speech(request)("%(name)s is under %(parent)s now.") % {"name": tenant.name, "parent": parent.name}
    return see_other(request, f"/companies/{tenant_id}", say=say)


async def _choose(
    request: Request[Visitor, Any, Any], session: AsyncSession, tenant: Tenant, refusal: Refusal | None = None
) -> Template:
    """Everything in reach that it may hang under, by name."""
    sought = words_in(request.query_params, "q")
    places = sa.select(Tenant).where(
        Tenant.kind.in_([kind.value for kind in PARENTS[Kind(tenant.kind)]]),
        sa.not_(below(Tenant.path, tenant.path)),
        Tenant.id != tenant.parent_id,
        Tenant.discarded_at.is_(None),
        matching(sought, Tenant.name, Tenant.slug),
    )
    found = list(await session.scalars(places.order_by(Tenant.name, Tenant.id).limit(CHOICES + 1)))
    above = await session.get(Tenant, tenant.parent_id) if tenant.parent_id else None
    if above is None:
        raise Conflict("An organization cannot move itself.", rule="own_hand")
    return page(
        request,
        "companies/move-where.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Move %(name)s") % {"name": tenant.name},
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        parent=above,
        places=found[:CHOICES],
        more=len(found) > CHOICES,
        sought=sought,
        errors=errors_of(refusal),
    )


ROUTES = [ask_move, move]
