"""Provisioning keys of a company: by one of these its directory keeps its people and teams over SCIM."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.pages.api_keys import days_in
from control.pages.company import framed
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session, acting, attempted
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import PROVISIONING
from tenants.api_keys import DAYS, ApiKey
from tenants.people import find_membership
from tenants.refusals import Invalid, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.text import named
from tenants.tree import Tenant, find_tenant

MANAGE = Permission.MANAGE_PEOPLE
PLACE = "/companies/{tenant_id:int}/provisioning"
PAGE = "/companies/{tenant_id}/provisioning"
MOST = 50
"""How many of one company the page shows, the newest first."""
Asked = Request[Visitor, Any, Any]


@get(PLACE, may=MANAGE, outlives=True, include_in_schema=False)
async def every(request: Asked, session: Session, tenant_id: Id) -> Template:
    """Those in use, and the form for a new one."""
    return await show(request, session, await find_tenant(session, tenant_id))


@post(PLACE, may=MANAGE, outlives=True, proof=True, proof_at=PAGE, include_in_schema=False)
async def make(request: Asked, tenant_id: Id) -> Template:
    """A new one. The secret stands on the page that answers, and nowhere else ever."""
    fields, actor = await read_fields(request), acting(request)

    async def provided(session: AsyncSession) -> Template:
        tenant = await find_tenant(session, tenant_id)
        mine = await find_membership(session, actor.standing.membership_id)
        label = named(fields.text("label"), "label")
        made = await ApiKey.provision(session, mine, tenant, label, days_in(fields), request.user.now)
        return await show(request, session, tenant, made=made)

    async def refused(session: AsyncSession, refusal: Invalid) -> Template:
        return await show(request, session, await find_tenant(session, tenant_id), fields, refusal)

    return await attempted(request, provided, refused)


@post(PLACE + "/{key_id:int}/revoke", may=MANAGE, outlives=True, include_in_schema=False)
async def revoke(request: Asked, session: Session, tenant_id: Id, key_id: Id) -> Redirect:
    """The directory is out at once; the people stay as they are."""
    key = await session.get(ApiKey, key_id)
    if key is None or key.tenant_id != tenant_id or key.scopes not in PROVISIONING:
        raise OutOfReach
    await key.revoke(session, request.user.now)
    said = speech(request)("The key %(name)s is revoked.") % {"name": key.name}
    return see_other(request, PAGE.format(tenant_id=tenant_id), say=said)


async def show(
    request: Asked,
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    made: tuple[ApiKey, str] | None = None,
) -> Template:
    """The page, with a key that was made just now, or with what is wrong."""
    house: House = request.app.state.house
    return await framed(
        request,
        session,
        tenant,
        "provisioning",
        "companies/provisioning.html",
        status=refusal.status if refusal else 200,
        keys=await _in_use(session, tenant),
        made=made,
        base_url=house.link("/scim/v2"),
        days=fields.text("days") or DAYS,
        fields=fields,
        errors=errors_of(refusal),
    )


async def _in_use(session: AsyncSession, tenant: Tenant) -> list[ApiKey]:
    wanted = sa.select(ApiKey).where(
        ApiKey.tenant_id == tenant.id, ApiKey.scopes.in_(PROVISIONING), ApiKey.revoked_at.is_(None)
    )
    return list(await session.scalars(wanted.order_by(ApiKey.id.desc()).limit(MOST)))


ROUTES = [every, make, revoke]
