"""Which companies may use an app: how many of their people did, and when one did last, within the reader's reach."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_use import below_owner, use_by_tenant
from bindings.apps import find_app
from control.pages.parts.app_page import COUNTED, framed
from control.pages.parts.asked import filters_in, matching, words_in
from control.pages.parts.fields import Id
from control.paging import counted, page_of
from control.visitor import Visitor
from tenants.roles import Permission
from tenants.tree import Tenant

SORTS: dict[str, sa.SQLColumnExpression[Any]] = {"id": Tenant.id, "name": Tenant.name}


@get("/apps/{app_id:int}/companies", may=Permission.SEE_APPS, outlives=False, include_in_schema=False)
async def list_companies(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template:
    """Those at its owner and below it; what lies out of the reader's reach is neither listed nor counted."""
    app = await find_app(session, app_id)
    owner = await session.get(Tenant, app.tenant_id)
    params, cursor = filters_in(request.query_params, "q"), words_in(request.query_params, "cursor") or None
    wanted = below_owner(owner.path if owner else None)
    if params.get("q"):
        wanted = wanted.where(matching(params["q"], Tenant.name))
    found = await page_of(session, wanted, SORTS, sort="name", cursor=cursor)
    total = await counted(session, wanted, Tenant.id, COUNTED)
    return await framed(
        request,
        session,
        app,
        "companies",
        "apps/companies.html",
        rows=found.items,
        used=await use_by_tenant(session, app.id, [tenant.id for tenant in found.items]),
        total=min(total, COUNTED),
        uncounted=total > COUNTED,
        params=params,
        next=found.next,
        cursor=cursor,
    )


ROUTES = [list_companies]
