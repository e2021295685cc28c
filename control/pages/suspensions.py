"""Suspensions: closing a company or organization after a look at what stops, which reasons hold, and lifting them."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.endings import Stops, suspend_tenant, what_stops
from control.pages.parts.asked import one_of
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.identities import closed_paths
from tenants.refusals import Invalid, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.text import reason_given
from tenants.tree import Scope, Suspension, Tenant, find_tenant

SHOWN = 50
"""How many suspensions of one tenant are listed, newest first."""
COUNTED = ("people", "tenants", "sign_ins", "logins", "api_keys", "impersonations", "bindings")


@dataclass(frozen=True, slots=True)
class Row:
    """A suspension with who set it, where the reader may know, and whether they may lift it."""

    suspension: Suspension
    level: str | None
    liftable: bool


@dataclass(frozen=True, slots=True)
class Line:
    """How many of a kind stop, with its own people and with everything below."""

    kind: str
    staff: int
    everything: int


@get("/companies/{tenant_id:int}/suspend", may=Permission.MANAGE_TENANTS, outlives=True, include_in_schema=False)
async def ask_suspend(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """The question, with what stops."""
    return await _form(request, session, await find_tenant(session, tenant_id))


@post("/companies/{tenant_id:int}/suspend", may=Permission.MANAGE_TENANTS, outlives=True, include_in_schema=False)
async def suspend(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template | Redirect:
    """Close it; what stops has stopped when the answer comes."""
    tenant, fields, visitor = await find_tenant(session, tenant_id), await read_fields(request), request.user
    if visitor.actor is None:
        raise OutOfReach
    try:
        scope = one_of({"scope": fields.text("scope")}, "scope", *Scope)
        if scope is None:
            raise Invalid("Choose how far it goes.", field="scope")
        reason = reason_given(fields.text("reason"), asked=True)
        if reason is None:
            raise Invalid("Say why.", field="reason")
        await suspend_tenant(session, visitor.actor, tenant, Scope(scope), reason, visitor.now)
    except Invalid as refusal:
        return await _form(request, session, tenant, fields, refusal)
    say = speech(request)("%(name)s is suspended.") % {"name": tenant.name}
    return see_other(request, f"/companies/{tenant.id}/suspensions", say=say)


async def _form(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    visitor = request.user
    if visitor.actor is None:
        raise OutOfReach
    staff, everything = [await what_stops(session, visitor.actor, tenant, scope, visitor.now) for scope in Scope]
    return page(
        request,
        "companies/suspend.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Suspend %(name)s") % {"name": tenant.name},
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        lines=_lines(staff, everything),
        fields=fields,
        errors=errors_of(refusal),
    )


def _lines(staff: Stops, everything: Stops) -> list[Line]:
    return [Line(kind, getattr(staff, kind), getattr(everything, kind)) for kind in COUNTED]


@get("/companies/{tenant_id:int}/suspensions", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def list_suspensions(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """What closes it now, and what did before."""
    tenant = await find_tenant(session, tenant_id)
    own = sa.select(Suspension).where(Suspension.tenant_id == tenant.id).order_by(Suspension.id.desc())
    now_live = list(await session.scalars(own.where(Suspension.lifted_at.is_(None))))
    lifted = list(await session.scalars(own.where(Suspension.lifted_at.is_not(None)).limit(SHOWN)))
    actor = request.user.actor
    return page(
        request,
        "companies/suspensions.html",
        title=speech(request)("Suspensions of %(name)s") % {"name": tenant.name},
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        live=await _rows(request, session, now_live),
        lifted=await _rows(request, session, lifted),
        closed=tenant.path in await closed_paths(session, [tenant.path]),
        may_suspend=actor is not None and actor.may(Permission.MANAGE_TENANTS) and tenant.path != actor.standing.path,
    )


async def _rows(request: Request[Visitor, Any, Any], session: AsyncSession, found: list[Suspension]) -> list[Row]:
    """A level that the reader sees is their own or below it: those they may lift."""
    levels = sa.select(Tenant.id, Tenant.name).where(Tenant.id.in_({row.level_id for row in found}))
    names = {row.id: row.name for row in await session.execute(levels)}
    actor = request.user.actor
    may = actor is not None and actor.may(Permission.MANAGE_TENANTS)
    return [Row(row, names.get(row.level_id), may and row.level_id in names) for row in found]


@post("/suspensions/{suspension_id:int}/lift", may=Permission.MANAGE_TENANTS, outlives=True, include_in_schema=False)
async def lift(request: Request[Visitor, Any, Any], session: AsyncSession, suspension_id: Id) -> Redirect:
    """Lift one; what it ended does not come back."""
    row = await session.get(Suspension, suspension_id)
    if row is None or request.user.actor is None:
        raise OutOfReach
    await row.lift(session, request.user.actor, request.user.now)
    say = speech(request)("Lifted. What it ended does not come back: people sign in again.")
    return see_other(request, f"/companies/{row.tenant_id}/suspensions", say=say)


ROUTES = [ask_suspend, suspend, list_suspensions, lift]
