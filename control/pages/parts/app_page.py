"""What the pages of one app share: whose it is, the frame with its tabs, and what its forms say."""

from typing import Any

import sqlalchemy as sa
from litestar import Request
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App, find_app
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Fields
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from control.writing.apps import require_sendable
from tenants.phones import Product
from tenants.refusals import NotPermitted
from tenants.roles import Permission
from tenants.tree import Kind, Tenant

OFFERED = 200
"""Apps that a form offers to lead on to."""
COUNTED = 1000
"""Companies that an app is for are counted up to here."""


async def own_app(session: AsyncSession, app_id: int) -> App:
    """The app, when its owner is in reach too: those of the levels above are seen and not touched."""
    app = await find_app(session, app_id)
    if await session.get(Tenant, app.tenant_id) is None:
        raise NotPermitted("This app belongs to a level above yours. Ask them to change it.", rule="owner")
    return app


async def framed(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    app: App,
    tab: str,
    template: str,
    *,
    status: int = 200,
    title: str | None = None,
    **context: Any,
) -> Template:
    """A tab of an app's page: its crumbs, whose it is, and which tabs this reader has."""
    owner = await session.get(Tenant, app.tenant_id)
    return page(
        request,
        template,
        status=status,
        title=title or app.name,
        crumbs=await crumbs_of(request, session, app, owner),
        app=app,
        owner=owner,
        tab=tab,
        may_change=may_manage(request.user) and owner is not None and app.discarded_at is None,
        **context,
    )


async def crumbs_of(
    request: Request[Visitor, Any, Any], session: AsyncSession, app: App, owner: Tenant | None
) -> list[dict[str, Any]]:
    """Whose app it is, above the reader, is not told: the list of apps stands in its place."""
    above: list[tuple[str, str]] = [] if owner else [("/apps", speech(request)("Apps"))]
    return await crumbs_to(session, owner.path if owner else "/0/", *above, (f"/apps/{app.id}", app.name))


def may_manage(visitor: Visitor) -> bool:
    """Whether this reader registers and changes apps."""
    return visitor.actor is not None and visitor.actor.may(Permission.MANAGE_APPS)


def speaks_for_platform(visitor: Visitor) -> bool:
    """Whether this reader, as themselves, says what the platform alone says of an app."""
    actor = visitor.actor
    return (
        actor is not None
        and not actor.standing_in
        and actor.standing.tenant_kind == Kind.PLATFORM
        and may_manage(visitor)
    )


async def choices(session: AsyncSession) -> dict[str, Any]:
    """What the rules of an app are chosen from: products by id, and the apps that others may go on in."""
    products = await session.scalars(sa.select(Product).order_by(Product.name))
    others = sa.select(App).where(App.discarded_at.is_(None)).order_by(App.name).limit(OFFERED)
    return {
        "products": {product.id: product.name for product in products},
        "fallbacks": list(await session.scalars(others)),
    }


def addresses_in(request: Request[Visitor, Any, Any], fields: Fields) -> dict[str, Any]:
    """Where logins end up and where the app is told of logouts, as a form has it. Raises Invalid."""
    return {
        "redirect_uris": lines_in(fields, "redirect_uris"),
        "post_logout_redirect_uris": lines_in(fields, "post_logout_redirect_uris"),
        "login_uri": fields.text("login_uri").strip() or None,
        "handoff_uri": fields.text("handoff_uri").strip() or None,
        "backchannel_logout_uri": _told_at(request, fields),
    }


def lines_in(fields: Fields, name: str) -> list[str]:
    """The addresses of a field of several lines."""
    return [line.strip() for line in fields.text(name).splitlines() if line.strip()]


async def product_in(session: AsyncSession, fields: Fields) -> Product | None:
    """The product that was chosen, if any."""
    return await session.get(Product, fields.number("product") or 0)


async def fallback_in(session: AsyncSession, fields: Fields) -> App | None:
    """The app that others may go on in, if one was chosen."""
    number = fields.number("fallback")
    return await find_app(session, number) if number else None


def _told_at(request: Request[Visitor, Any, Any], fields: Fields) -> str | None:
    """Where it wants to be told of logouts: an address that we would send to."""
    address = fields.text("backchannel_logout_uri").strip()
    if address:
        require_sendable(request.app.state.house.settings, address, "backchannel_logout_uri")
    return address or None
