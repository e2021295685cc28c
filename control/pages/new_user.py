"""A new user: always an invitation, in the same words whether the address is known elsewhere or not.

One letter may offer several places at once. Without script, "Add another" comes back with one more place to fill in.
"""

from collections.abc import Iterator
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
from control.writing.invitations import send_invitations
from tenants.actor import Actor
from tenants.invitations import Invitation
from tenants.people import Membership, User
from tenants.phones import Extension
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Permission, Role, grants
from tenants.text import email_address, named
from tenants.tree import Tenant, find_tenant

MOST = 500
MOST_PLACES = 10
TYPED = ("name", "email")
OF_PLACE = ("tenant", "role", "extension")


@get("/users/new", may=Permission.INVITE_MEMBERS, outlives=True, include_in_schema=False)
async def ask(request: Request[Visitor, Any, Any], session: Session, tenant: FromQuery[str] = "") -> Response[Any]:
    """The form; the tenant one comes from is chosen already."""
    return await form(request, session, Fields({"tenant": (tenant,)}))


@post("/users/new", may=Permission.INVITE_MEMBERS, outlives=True, include_in_schema=False)
async def create(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Send the invitation; the person joins when they accept it."""
    fields, visitor = await read_fields(request), request.user
    if visitor.actor is None:
        raise OutOfReach
    if fields.text("more"):
        async with changing(request) as session:
            return await form(request, session, fields, more=1)
    try:
        async with changing(request) as session:
            made = await make(session, visitor, visitor.actor, fields)
            await send_invitations(request.app.state.house, session, visitor.actor, made, visitor.now)
            places = ", ".join([(await find_tenant(session, each.tenant_id)).name for each in made])
    except OutOfReach:
        raise
    except Refusal as refusal:
        async with changing(request) as session:
            return await form(request, session, fields, refusal)
    said = speech(request)("Saved. An invitation to %(tenant)s is on its way to %(name)s.")
    return see_other(request, "/invitations", say=said % {"name": fields.text("name"), "tenant": places})


async def make(session: AsyncSession, visitor: Visitor, actor: Actor, fields: Fields) -> list[Invitation]:
    """An invitation for each place. Invalid for who is there already, which the asker can see anyway."""
    name, address = named(fields.text("name")), email_address(fields.text("email"))
    made: list[Invitation] = []
    for suffix in suffixes(fields):
        role = role_in(fields, suffix)
        if not grants(actor.standing.role, role):
            raise NotPermitted(f"Your role may not grant {role}.", rule="rank")
        tenant = await chosen_tenant(session, fields, suffix)
        if any(each.tenant_id == tenant.id for each in made):
            raise Invalid(f"{tenant.name} is chosen twice.", field=f"tenant{suffix}")
        await require_newcomer(session, tenant, address)
        extension = await free_extension(session, tenant, fields.text(f"extension{suffix}"), f"extension{suffix}")
        invitation = await Invitation.prepare(
            session, actor, tenant.id, address, name, role, visitor.now, extension_id=extension
        )
        made.append(invitation)
    return made


def suffixes(fields: Fields) -> Iterator[str]:
    """The endings of the fields of each place that was filled in: none for the first."""
    yield ""
    for number in range(2, places_in(fields) + 1):
        if fields.text(f"tenant-{number}"):
            yield f"-{number}"


def places_in(fields: Fields) -> int:
    """How many places the form has."""
    return min(fields.number("places") or 1, MOST_PLACES)


async def chosen_tenant(session: AsyncSession, fields: Fields, suffix: str) -> Tenant:
    """The tenant named in the form. Invalid without one, OutOfReach for another's."""
    number = fields.number(f"tenant{suffix}")
    if number is None:
        raise Invalid("Choose an organization or company.", field=f"tenant{suffix}")
    tenant = await find_tenant(session, number)
    if tenant.discarded_at is not None:
        raise Conflict(f"{tenant.name} is discarded.")
    return tenant


async def require_newcomer(session: AsyncSession, tenant: Tenant, address: str) -> None:
    """Invalid for who is in the tenant now. Who has been there before may be invited back."""
    here = sa.select(User.name).join(Membership, Membership.user_id == User.id)
    known = await session.scalars(
        here.where(User.email == address, Membership.tenant_id == tenant.id, Membership.discarded_at.is_(None))
    )
    if (name := known.first()) is not None:
        raise Invalid(f"{name} is in {tenant.name} already.", field="email")


async def free_extension(session: AsyncSession, tenant: Tenant, number: str, field: str) -> int | None:
    """The extension of the tenant with this number that nobody has; None when none was asked for."""
    if not number.strip():
        return None
    wanted = sa.select(Extension).where(
        Extension.tenant_id == tenant.id, Extension.number == number.strip(), Extension.discarded_at.is_(None)
    )
    found = list(await session.scalars(wanted.limit(2)))
    if not found:
        raise Invalid(f"{tenant.name} has no extension {number.strip()[:20]}.", field=field)
    free = [each for each in found if each.membership_id is None]
    if not free:
        raise Invalid(f"Extension {number.strip()} belongs to somebody already.", field=field)
    if len(free) > 1:
        raise Invalid("Two phone systems have this number. Give it to them on the extension's page.", field=field)
    return free[0].id


def role_in(fields: Fields, suffix: str = "") -> Role:
    """The role that was chosen. Invalid for none."""
    try:
        return Role(fields.text(f"role{suffix}"))
    except ValueError:
        raise Invalid("Choose a role.", field=f"role{suffix}") from None


async def form(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    fields: Fields,
    refusal: Refusal | None = None,
    *,
    more: int = 0,
) -> Response[Any]:
    """The form with what was typed, and with room for `more` places."""
    actor = request.user.actor
    if actor is None:
        raise OutOfReach
    wanted = sa.select(Tenant).where(Tenant.discarded_at.is_(None)).order_by(Tenant.name, Tenant.id).limit(MOST)
    tenants = [(tenant.id, tenant.name) for tenant in await session.scalars(wanted)]
    endings = ["", *(f"-{number}" for number in range(2, min(places_in(fields) + more, MOST_PLACES) + 1))]
    for ending in endings:
        chosen = number_in(fields.text(f"tenant{ending}"))
        if chosen is not None and all(number != chosen for number, _name in tenants):
            tenants.append((chosen, (await find_tenant(session, chosen)).name))
    _ = speech(request)
    return page(
        request,
        "users/new.html",
        status=refusal.status if refusal else 200,
        title=_("New user"),
        crumbs=[*crumbs(request), {"href": "/users/new", "label": _("New user"), "current": True, "switch": None}],
        tenants=tenants,
        places=endings,
        full=len(endings) >= MOST_PLACES,
        roles=[role.value for role in reversed(Role) if grants(actor.standing.role, role)],
        typed={name: fields.text(name) for name in (*TYPED, *(f"{each}{end}" for end in endings for each in OF_PLACE))},
        errors=errors_of(refusal),
    )


ROUTES = [ask, create]
