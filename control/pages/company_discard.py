"""Discarding a company or organization: who and what goes with it, its short name typed, a fresh proof; and back."""

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.endings import discard_tenant, undiscard_tenant, what_stops
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.session import Session
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.refusals import Conflict, Invalid, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.tree import Scope, Tenant, find_tenant

MANAGE = Permission.MANAGE_TENANTS


@get("/companies/{tenant_id:int}/discard", may=MANAGE, outlives=True, include_in_schema=False)
async def ask_discard(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Template:
    """The question, with what ends."""
    return await _form(request, session, await find_tenant(session, tenant_id))


@post(
    "/companies/{tenant_id:int}/discard",
    may=MANAGE,
    outlives=True,
    proof=True,
    proof_at="/companies/{tenant_id}/discard",
    include_in_schema=False,
)
async def discard(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Template | Redirect:
    """Access goes at once, the record stays. Its short name is typed, so that it is surely the one that is meant."""
    tenant, fields = await find_tenant(session, tenant_id), await read_fields(request)
    if fields.text("slug").strip() != tenant.slug:
        wrong = Invalid(f"Type “{tenant.slug}” to discard {tenant.name}.", field="slug")
        return await _form(request, session, tenant, wrong)
    await discard_tenant(session, _acting(request), tenant, request.user.now)
    say = speech(request)("%(name)s is discarded. Nobody signs in there any more.") % {"name": tenant.name}
    return see_other(request, f"/companies/{tenant.id}", say=say)


@post("/companies/{tenant_id:int}/undiscard", may=MANAGE, outlives=True, include_in_schema=False)
async def undiscard(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Redirect:
    """The record comes back, without keys or bindings; at the discarder's level or above."""
    tenant = await find_tenant(session, tenant_id)
    await undiscard_tenant(session, _acting(request), tenant, request.user.now)
    say = speech(request)("%(name)s is back. Its people sign in again; keys and bindings stay ended.")
    return see_other(request, f"/companies/{tenant.id}", say=say % {"name": tenant.name})


async def _form(
    request: Request[Visitor, Any, Any], session: AsyncSession, tenant: Tenant, refusal: Refusal | None = None
) -> Template:
    _, actor = speech(request), _acting(request)
    if tenant.id == actor.standing.tenant_id:
        raise Conflict("An organization cannot discard itself.", rule="own_hand")
    return page(
        request,
        "companies/discard.html",
        status=refusal.status if refusal else 200,
        title=_("Discard %(name)s") % {"name": tenant.name},
        crumbs=await crumbs_to(session, tenant.path, (f"/companies/{tenant.id}/discard", _("Discard"))),
        tenant=tenant,
        stops=await what_stops(session, actor, tenant, Scope.ALL, request.user.now),
        errors=errors_of(refusal),
    )


def _acting(request: Request[Visitor, Any, Any]) -> Actor:
    if request.user.actor is None:
        raise OutOfReach
    return request.user.actor


ROUTES = [ask_discard, discard, undiscard]
