"""Moving a phone system to another owner: whose it becomes, what that would cut, and moving it."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.moving_phones import move_phone_system, what_moves
from control.pages.parts.asked import id_in, matching, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.session import changing
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.phones import PhoneSystem, find_phone_system
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant

CHOICES = 50


@get("/phone-systems/{system_id:int}/move", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def ask_move(request: Request[Visitor, Any, Any], session: AsyncSession, system_id: Id) -> Template:
    """Whose it becomes; with `owner` chosen, what the move would do."""
    system, owner_id = await find_phone_system(session, system_id), id_in(request.query_params, "owner")
    if owner_id is None:
        return await _choose(request, session, system)
    try:
        found = await what_moves(session, system, await find_tenant(session, owner_id), request.user.now)
    except Conflict as refusal:
        return await _choose(request, session, system, refusal)
    return page(
        request,
        "phone-systems/move.html",
        title=speech(request)("Move %(name)s") % {"name": system.name},
        crumbs=await _crumbs(session, system),
        move=found,
    )


@post(
    "/phone-systems/{system_id:int}/move",
    may=Permission.MANAGE_PHONES,
    outlives=True,
    proof=True,
    proof_at="/phone-systems/{system_id}/move",
    proof_keeps=("owner",),
    include_in_schema=False,
)
async def move(request: Request[Visitor, Any, Any], system_id: Id) -> Template | Redirect:
    """Move it, if it still is whose the reader saw it."""
    fields = await read_fields(request)
    try:
        async with changing(request) as session:
            system = await find_phone_system(session, system_id)
            owner, seen = await find_tenant(session, fields.number("owner") or 0), fields.number("expected_owner")
            if seen is None:
                raise Invalid(speech(request)("Look at what the move does first."), field="owner")
            await move_phone_system(session, system, owner, request.user.now, expected_owner_id=seen)
    except (Conflict, Invalid) as refusal:
        async with changing(request) as session:
            return await _choose(request, session, await find_phone_system(session, system_id), refusal)
    say = speech(request)("%(name)s is %(owner)s's now.") % {"name": system.name, "owner": owner.name}
    return see_other(request, f"/phone-systems/{system_id}", say=say)


async def _choose(
    request: Request[Visitor, Any, Any], session: AsyncSession, system: PhoneSystem, refusal: Refusal | None = None
) -> Template:
    """Everybody in reach who may own it, by name."""
    sought = words_in(request.query_params, "q")
    owners = sa.select(Tenant).where(
        Tenant.id != system.tenant_id, Tenant.discarded_at.is_(None), matching(sought, Tenant.name, Tenant.slug)
    )
    found = list(await session.scalars(owners.order_by(Tenant.name, Tenant.id).limit(CHOICES + 1)))
    return page(
        request,
        "phone-systems/move-where.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Move %(name)s") % {"name": system.name},
        crumbs=await _crumbs(session, system),
        system=system,
        owners=found[:CHOICES],
        more=len(found) > CHOICES,
        sought=sought,
        errors=errors_of(refusal),
    )


async def _crumbs(session: AsyncSession, system: PhoneSystem) -> list[dict[str, Any]]:
    return await crumbs_to(session, system.tenant.path, (f"/phone-systems/{system.id}", system.name))


ROUTES = [ask_move, move]
