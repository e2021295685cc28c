"""A new user: always an invitation, in the same words whether the address is known elsewhere or not."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.fields import Fields, number_in, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.session import Session, changing
from control.pages.parts.user_tabs import crumbs
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.invitations import Invitation
from tenants.people import Membership, User
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Permission, Role, grants
from tenants.text import email_address
from tenants.tree import Tenant, find_tenant

MOST = 500
TYPED = ("name", "email", "role", "tenant")


@get("/users/new", may=Permission.INVITE_MEMBERS, outlives=True, include_in_schema=False)
async def ask(request: Request[Visitor, Any, Any], session: Session, tenant: FromQuery[str] = "") -> Response[Any]:
    """The form; the tenant one comes from is chosen already."""
    return await form(request, session, Fields({"tenant": (tenant,)}))


@post("/users/new", may=Permission.INVITE_MEMBERS, outlives=True, include_in_schema=False)
async def create(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Prepare the invitation; the person joins when they accept it."""
    fields, visitor = await read_fields(request), request.user
    if visitor.actor is None:
        raise OutOfReach
    try:
        async with changing(request) as session:
            tenant = await chosen_tenant(session, fields)
            await make(session, visitor, visitor.actor, tenant, fields)
    except OutOfReach:
        raise
    except Refusal as refusal:
        async with changing(request) as session:
            return await form(request, session, fields, refusal)
    said = speech(request)("Saved. An invitation for %(name)s at %(tenant)s is prepared.")
    return see_other(request, "/invitations", say=said % {"name": fields.text("name"), "tenant": tenant.name})


async def chosen_tenant(session: AsyncSession, fields: Fields) -> Tenant:
    """The tenant named in the form. Invalid without one, OutOfReach for another's."""
    number = fields.number("tenant")
    if number is None:
        raise Invalid("Choose an organization or company.", field="tenant")
    tenant = await find_tenant(session, number)
    if tenant.discarded_at is not None:
        raise Conflict(f"{tenant.name} is discarded.")
    return tenant


async def make(session: AsyncSession, visitor: Visitor, actor: Actor, tenant: Tenant, fields: Fields) -> None:
    """An invitation, unless the address is of somebody who is there already, which the asker can see anyway."""
    role, address = role_in(fields), email_address(fields.text("email"))
    if not grants(actor.standing.role, role):
        raise NotPermitted(f"Your role may not grant {role}.", rule="rank")
    here = sa.select(User.name).join(Membership, Membership.user_id == User.id)
    known = await session.scalars(here.where(User.email == address, Membership.tenant_id == tenant.id))
    if (name := known.first()) is not None:
        raise Invalid(f"{name} is in {tenant.name} already.", field="email")
    await Invitation.prepare(session, actor, tenant.id, address, fields.text("name"), role, visitor.now)


def role_in(fields: Fields) -> Role:
    """The role that was chosen. Invalid for none."""
    try:
        return Role(fields.text("role"))
    except ValueError:
        raise Invalid("Choose a role.", field="role") from None


async def form(
    request: Request[Visitor, Any, Any], session: AsyncSession, fields: Fields, refusal: Refusal | None = None
) -> Response[Any]:
    """The form with what was typed."""
    actor = request.user.actor
    if actor is None:
        raise OutOfReach
    wanted = sa.select(Tenant).where(Tenant.discarded_at.is_(None)).order_by(Tenant.name, Tenant.id).limit(MOST)
    places = [(tenant.id, tenant.name) for tenant in await session.scalars(wanted)]
    chosen = number_in(fields.text("tenant"))
    if chosen is not None and all(number != chosen for number, _name in places):
        places.append((chosen, (await find_tenant(session, chosen)).name))
    _ = speech(request)
    return page(
        request,
        "users/new.html",
        status=refusal.status if refusal else 200,
        title=_("New user"),
        crumbs=[*crumbs(request), {"href": "/users/new", "label": _("New user"), "current": True, "switch": None}],
        places=places,
        roles=[role.value for role in reversed(Role) if grants(actor.standing.role, role)],
        typed={name: fields.text(name) for name in TYPED},
        errors=errors_of(refusal),
    )


ROUTES = [ask, create]
