"""Consent: one's own windows and spoken digits, from home; a company's windows, from its policy; taking them back."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.consenting import revoke_consent
from control.doors import SIGNED_IN
from control.local_path import path_of
from control.pages.company import framed
from control.pages.home import show_home
from control.pages.parts.consenting import (
    HOURS,
    KEPT,
    SHOWN,
    chosen_end,
    chosen_organization,
    shown_glasses,
    shown_windows,
)
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session, acting, changing, house_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.break_glasses import BreakGlass
from tenants.consents import SPOKEN, Consent, find_consent, may_be_let_in
from tenants.own_admins import SETTLED, is_own_admin
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, effective_policy, find_tenant

Asked = Request[Visitor, Any, Any]


@post(
    "/home/consents",
    may=SIGNED_IN,
    outlives=True,
    proof=True,
    proof_at="/home",
    proof_keeps=KEPT,
    include_in_schema=False,
)
async def let_in(request: Asked) -> Response[Any]:
    """Let an organization stand in for oneself, for a while."""
    fields, actor, now = await read_fields(request), acting(request), request.user.now
    try:
        async with changing(request) as session:
            tenant = await find_tenant(session, actor.standing.tenant_id)
            to, ends_at = chosen_organization(fields), chosen_end(fields, now)
            await Consent.grant(session, actor, tenant, actor.standing.membership_id, to, ends_at, now)
    except Invalid as refusal:
        async with changing(request) as session:
            return await show_home(request, session, fields, refusal)
    return see_other(request, "/home", say=speech(request)("They are let in. You can take it back at any time."))


@post("/home/digits", may=SIGNED_IN, outlives=True, proof=True, proof_at="/home", include_in_schema=False)
async def make_digits(request: Asked, session: Session) -> Response[Any]:
    """Six digits to read out to one person, shown this once."""
    actor, now = acting(request), request.user.now
    digits = await Consent.offer(session, house_of(request).settings.secret_key, actor, now)
    title = speech(request)("Six digits to read out")
    return page(request, "consents/digits.html", title=title, digits=digits, until=now + SPOKEN)


@post("/consents/{consent_id:int}/revoke", may=SIGNED_IN, outlives=True, include_in_schema=False)
async def take_back(request: Asked, session: Session, consent_id: Id) -> Redirect:
    """Nobody stands in by it any more, from this moment. It protects, so nobody has to prove anything first."""
    consent = await find_consent(session, consent_id)
    await revoke_consent(session, acting(request), consent, request.user.now)
    back = path_of(request.headers.get("referer"), house_of(request).settings.public_url)
    return see_other(request, back or "/home", say=speech(request)("Taken back."))


@get("/companies/{tenant_id:int}/consents", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def company_consents(request: Asked, session: Session, tenant_id: Id) -> Response[Any]:
    """Who was let in here, by whom and until when; and the form for its own admins."""
    said = Fields({name: (request.query_params.get(name, ""),) for name in KEPT})
    return await _show(request, session, await find_tenant(session, tenant_id), said)


@post(
    "/companies/{tenant_id:int}/consents",
    may=Permission.MANAGE_POLICY,
    outlives=True,
    proof=True,
    proof_at="/companies/{tenant_id}/consents",
    proof_keeps=KEPT,
    include_in_schema=False,
)
async def let_into_company(request: Asked, tenant_id: Id) -> Response[Any]:
    """Let an organization stand in for everybody here, for a while."""
    fields, now = await read_fields(request), request.user.now
    try:
        async with changing(request) as session:
            tenant = await find_tenant(session, tenant_id)
            to, ends_at = chosen_organization(fields), chosen_end(fields, now)
            await Consent.grant(session, acting(request), tenant, None, to, ends_at, now)
    except Invalid as refusal:
        async with changing(request) as session:
            return await _show(request, session, await find_tenant(session, tenant_id), fields, refusal)
    say = speech(request)("They are let in. Any admin here can take it back at any time.")
    return see_other(request, f"/companies/{tenant_id}/consents", say=say)


async def _show(
    request: Asked,
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Response[Any]:
    actor, now = acting(request), request.user.now
    rows = sa.select(Consent).where(Consent.tenant_id == tenant.id).order_by(Consent.id.desc()).limit(SHOWN)
    broken = sa.select(BreakGlass).where(BreakGlass.tenant_id == tenant.id).order_by(BreakGlass.id.desc()).limit(SHOWN)
    windows = await shown_windows(session, actor, list(await session.scalars(rows)), now)
    may_give = tenant.discarded_at is None and await is_own_admin(session, actor, tenant, now)
    return await framed(
        request,
        session,
        tenant,
        "policy",
        "consents/company.html",
        status=refusal.status if refusal else 200,
        rule=(await effective_policy(session, tenant.path)).stand_ins.name.lower(),
        live=[each for each in windows if each.open],
        past=[each for each in windows if not each.open],
        glasses=await shown_glasses(session, actor, list(await session.scalars(broken)), now),
        may_give=may_give,
        settled=SETTLED.days,
        offered=[(each.id, each.name) for each in await may_be_let_in(session, tenant)] if may_give else [],
        hours=HOURS,
        fields=fields,
        errors=errors_of(refusal),
    )


ROUTES = [let_in, make_digits, take_back, company_consents, let_into_company]
