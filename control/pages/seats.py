"""Seats: how many licences of each product a company uses and may use, on its Licences tab, with the form for it."""

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.company import framed
from control.pages.extensions import may_manage_phones
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.products import Product
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission
from tenants.seats import MOST, SeatLimit, seats_of
from tenants.tree import Kind, Tenant, find_tenant


@get("/companies/{tenant_id:int}/licences", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def company_seats(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """Seats by product: used here, used with all below, the limit and where it comes from, and what is left."""
    return await _show(request, session, await find_tenant(session, tenant_id))


@post("/companies/{tenant_id:int}/licences", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def limit_seats(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template | Redirect:
    """Set the limit of `product` to `seats`, or lift it when that is empty: what is given by it outlives a stand-in."""
    tenant, fields = await find_tenant(session, tenant_id), await read_fields(request)
    actor, _ = request.user.actor, speech(request)
    product = await session.get(Product, fields.number("product") or 0)
    try:
        if product is None or actor is None:
            raise Invalid("Choose a product.", field="product")
        seats = _number(fields.text("seats"))
        await SeatLimit.set(session, actor, tenant, product, seats, request.user.now)
    except Invalid as refusal:
        return await _show(request, session, tenant, fields, refusal)
    said = _("%(product)s is limited to %(seats)s.") if seats is not None else _("%(product)s has no limit here now.")
    say = said % {"product": product.name, "seats": seats}
    return see_other(request, f"/companies/{tenant.id}/licences", say=say)


def _number(typed: str) -> int | None:
    typed = typed.strip()
    if not typed:
        return None
    if not typed.isascii() or not typed.isdigit() or len(typed) > len(str(MOST)):
        raise Invalid(f"A limit is a number from 0 to {MOST}.", field="seats")
    return int(typed)


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    actor = request.user.actor
    above = actor is not None and (actor.standing.tenant_id != tenant.id or tenant.kind == Kind.PLATFORM)
    return await framed(
        request,
        session,
        tenant,
        "licences",
        "companies/licences.html",
        status=refusal.status if refusal else 200,
        rows=await seats_of(session, tenant),
        may_set=may_manage_phones(request.user) and tenant.discarded_at is None,
        may_widen=above,
        most=MOST,
        typed=(fields.text("product"), fields.text("seats")) if refusal else None,
        errors=errors_of(refusal),
    )


ROUTES = [company_seats, limit_seats]
