"""Profiles: a person in several companies chooses as which of their own memberships they use the panel."""

from typing import Any

from litestar import Request, Response, get, post

from bindings.impersonation import end_all
from control.doors import SIGNED_IN
from control.pages.parts.entering import destination
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.leaving import begun_from
from control.pages.parts.session import Session
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import Membership
from tenants.refusals import Invalid, NotPermitted, OutOfReach
from tenants.roles import Permission
from tenants.sign_in import SignIn
from tenants.tree import find_tenant


@get("/account/profiles", may=SIGNED_IN, outlives=False, before_factor=True, include_in_schema=False)
async def choices(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Every live profile of whoever is signed in; only the one that is worn while standing in."""
    return page(
        request,
        "account/profiles.html",
        title=speech(request)("Choose a profile"),
        profiles=request.user.identities,
        wanted=request.query_params.get("next", ""),
    )


@post("/account/profiles", may=SIGNED_IN, outlives=False, before_factor=True, include_in_schema=False)
async def choose(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Go on as the chosen one. While standing in there is one profile, and it cannot be changed."""
    visitor, fields = request.user, await read_fields(request)
    if visitor.actor is None or visitor.sign_in is None:
        raise OutOfReach
    if visitor.actor.standing_in:
        raise NotPermitted("You are standing in for one profile. Stop first.", rule="nested")
    number = fields.number("membership")
    if number is None:
        raise Invalid("Choose a profile.", field="membership")
    chosen = next((each for each in visitor.identities if each.membership_id == number), None)
    if chosen is None:
        raise OutOfReach
    if chosen.membership_id != visitor.sign_in.membership_id:
        # What was started as the other profile was that profile's, wherever it is open.
        await end_all(session, (await session.scalars(begun_from(visitor.sign_in.id))).all(), "profile", visitor.now)
    await (await session.get_one(SignIn, visitor.sign_in.id)).choose(session, chosen)
    said = speech(request)("You are %(name)s at %(tenant)s now.") % {
        "name": chosen.shown_name,
        "tenant": chosen.tenant_name,
    }
    return see_other(request, destination(fields.text("next"), chosen), say=said)


@post("/companies/{tenant_id:int}/profile", may=Permission.STAND_IN, outlives=True, include_in_schema=False)
async def make(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Response[Any]:
    """ "Create my profile in Zoo": a place of one's own in a customer's layer, and on to where it was needed."""
    visitor, fields = request.user, await read_fields(request)
    if visitor.actor is None:
        raise OutOfReach
    company = await find_tenant(session, tenant_id)
    profile = await Membership.sponsor(session, visitor.actor, company, visitor.now)
    _ = speech(request)
    said = _("Your profile in %(company)s is made. You can bind to its extensions now.") % {"company": company.name}
    extension = fields.number("extension")
    onward = f"/users/{profile.user_id}/bindings"
    if extension is not None:
        onward += f"?extension={extension}"
    elif (system := fields.number("phone_system")) is not None:
        onward += f"?phone_system={system}"
    return see_other(request, onward, say=said)


ROUTES = [choices, choose, make]
