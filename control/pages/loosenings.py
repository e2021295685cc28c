"""Loosening the rules of a company, by its own admins, from its policy page; and cancelling what waits."""

from typing import Any

from litestar import Request, Response, post
from litestar.response import Redirect

from control.pages.parts.fields import Id, read_fields
from control.pages.parts.session import Session, acting, changing, house_of
from control.pages.policies import LOOSE, LOOSENED, show, wanted_in
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.loosenings import ask_loosening
from tenants.loosenings import waiting_in
from tenants.refusals import Conflict, Invalid
from tenants.roles import Permission
from tenants.tree import find_tenant


@post(
    "/companies/{tenant_id:int}/policy/loosening",
    may=Permission.MANAGE_POLICY,
    outlives=True,
    proof=True,
    proof_at="/companies/{tenant_id}/policy",
    proof_keeps=LOOSENED,
    include_in_schema=False,
)
async def ask_for_looser(request: Request[Visitor, Any, Any], tenant_id: Id) -> Response[Any]:
    """Ask for looser rules: all admins of the company are told, and have a day to cancel it."""
    fields, now = await read_fields(request), request.user.now
    try:
        async with changing(request) as session:
            tenant = await find_tenant(session, tenant_id)
            wanted = wanted_in(fields, LOOSE)
            await ask_loosening(house_of(request), session, acting(request), tenant, wanted, now)
    except Invalid as refusal:
        async with changing(request) as session:
            tenant = await find_tenant(session, tenant_id)
            return await show(request, session, tenant, fields, refusal, loosening=True)
    said = speech(request)("Asked for. All admins of %(tenant)s are told by letter, and it is in force in 24 hours.")
    return see_other(request, f"/companies/{tenant_id}/policy", say=said % {"tenant": tenant.name})


@post(
    "/companies/{tenant_id:int}/policy/loosening/cancel",
    may=Permission.MANAGE_POLICY,
    outlives=True,
    include_in_schema=False,
)
async def cancel_looser(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Redirect:
    """The rules stay as they are. It protects, so nobody has to prove anything first."""
    tenant = await find_tenant(session, tenant_id)
    waiting = await waiting_in(session, tenant.id)
    if waiting is None:
        raise Conflict("No looser rules wait here.", rule="loosening")
    await waiting.cancel(session, request.user.now)
    said = speech(request)("Cancelled. The rules stay as they are.")
    return see_other(request, f"/companies/{tenant.id}/policy", say=said)


ROUTES = [ask_for_looser, cancel_looser]
