"""Apps: the end-user apps that log in here, as a list, and the form for one more."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_use import last_logins
from bindings.apps import TYPES, App
from bindings.public_keys import read_keys
from control.pages.app_credentials import shown_once
from control.pages.parts.app_page import addresses_in, choices, fallback_in, may_manage, product_in
from control.pages.parts.asked import words_in
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import acting
from control.paging import page_of
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant

SORTS: dict[str, sa.SQLColumnExpression[Any]] = {"id": App.id, "name": App.name}


@get("/apps", may=Permission.SEE_APPS, outlives=False, include_in_schema=False)
async def list_apps(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The apps of those in reach, and those of the levels above, which one's own people use too."""
    cursor = words_in(request.query_params, "cursor") or None
    statement = sa.select(App).where(App.discarded_at.is_(None))
    found = await page_of(session, statement, SORTS, sort="name", cursor=cursor)
    owners = sa.select(Tenant).where(Tenant.id.in_([app.tenant_id for app in found.items]))
    return page(
        request,
        "apps/list.html",
        title=speech(request)("Apps"),
        apps=found.items,
        owners={owner.id: owner for owner in await session.scalars(owners)},
        used=await last_logins(session, [app.id for app in found.items]),
        products=(await choices(session))["products"],
        next=found.next,
        cursor=cursor,
        may_change=may_manage(request.user),
    )


@get("/apps/new", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def new_app(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The form for a new one of the reader's own organization."""
    return await _new(request, session)


@post(
    "/apps/new",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/new",
    include_in_schema=False,
)
async def register_app(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """Register it; its secret is on the page that answers, and nowhere after."""
    fields, actor = await read_fields(request), acting(request)
    owner = await find_tenant(session, actor.standing.tenant_id)
    pasted = fields.text("jwks").strip()
    try:
        app, secret = await App.register(
            session,
            actor,
            owner,
            name=fields.text("name"),
            now=request.user.now,
            client_id=fields.text("client_id").strip() or None,
            kind=fields.text("type") or "web",
            product=await product_in(session, fields),
            needs_extension=bool(fields.text("needs_extension")),
            admin_only=bool(fields.text("admin_only")),
            fallback=await fallback_in(session, fields),
            jwks=read_keys(pasted) if pasted else None,
            **addresses_in(request, fields),
        )
    except (Invalid, Conflict) as refusal:
        return await _new(request, session, fields, refusal)
    return await shown_once(request, session, app, secret)


async def _new(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    return page(
        request,
        "apps/new.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Register an app"),
        types=TYPES,
        **await choices(session),
        fields=fields,
        errors=errors_of(refusal),
    )


ROUTES = [list_apps, new_app, register_app]
