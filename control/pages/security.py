"""Security: somebody's second factors, seen; and, for who is locked out, disabled."""

from typing import Any

from litestar import Request, Response, get, post

from bindings.factor_resets import disable_factors, require_resettable
from control.house import House
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session, changing
from control.pages.parts.user_tabs import crumbs, user_tabs
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.factors import tell_reset
from tenants.factors import factors_of
from tenants.people import User, find_user
from tenants.reach import Reach
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.text import email_address

EVERYWHERE = Reach.everywhere("disable second factors")


@get("/users/{user_id:int}/security", may=Permission.SEE_PEOPLE, outlives=False, include_in_schema=False)
async def tab(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """Which kinds, since when, last used when; never a secret."""
    user, actor = await find_user(session, user_id), request.user.actor
    manages = actor is not None and actor.may(Permission.MANAGE_PEOPLE)
    barred: str | None = None
    if actor is not None and manages and user.second_factor:
        try:
            await require_resettable(session, actor, user, request.user.now)
        except (NotPermitted, Conflict) as refusal:
            barred = refusal.sentence
    return page(
        request,
        "users/security.html",
        title=user.name,
        crumbs=crumbs(request, user),
        tabs=user_tabs(request, user, "security"),
        user=user,
        factors=await factors_of(session, user.id),
        manages=manages,
        barred=barred,
        own=request.user.user is not None and request.user.user.id == user.id,
    )


@get(
    "/users/{user_id:int}/security/disable",
    may=Permission.MANAGE_PEOPLE,
    outlives=True,
    proof=True,
    include_in_schema=False,
)
async def ask_disable(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """The question: who is asking, how that was checked, and the address typed."""
    user = await find_user(session, user_id)
    if request.user.actor is None:
        raise OutOfReach
    await require_resettable(session, request.user.actor, user, request.user.now)
    return _question(request, user)


@post(
    "/users/{user_id:int}/security/disable",
    may=Permission.MANAGE_PEOPLE,
    outlives=True,
    proof=True,
    proof_at="/users/{user_id}/security/disable",
    include_in_schema=False,
)
async def disable(request: Request[Visitor, Any, Any], user_id: Id) -> Response[Any]:
    """Take all of them away, end all access, and write to the person."""
    house: House = request.app.state.house
    fields, visitor = await read_fields(request), request.user
    if visitor.actor is None:
        raise OutOfReach
    async with changing(request) as session:
        user = await find_user(session, user_id)
        await require_resettable(session, visitor.actor, user, visitor.now)
    try:
        _require_checked(fields, user)
        # Their sign-ins, and whoever stands in for them, are at places that the admin's reach need not hold.
        async with house.store.work(visitor.actor, EVERYWHERE, visitor.now) as session:
            locked_out = await session.get_one(User, user_id)
            await disable_factors(session, visitor.actor, locked_out, fields.text("reason"), visitor.now)
            await tell_reset(house, session, locked_out, visitor.actor.standing, visitor.now)
    except Invalid as refusal:
        return _question(request, user, fields, refusal)
    said = speech(request)("The second factors of %(name)s are disabled. They were told by a letter.")
    return see_other(request, f"/users/{user.id}/security", say=said % {"name": user.name})


def _require_checked(fields: Fields, user: User) -> None:
    if not fields.text("checked"):
        raise Invalid("Check first who is asking, by another way than e-mail.", field="checked")
    if email_address(fields.text("address"), "address") != user.email:
        raise Invalid("Type the address as it is shown.", field="address")


def _question(
    request: Request[Visitor, Any, Any], user: User, fields: Fields = UNTOUCHED, refusal: Refusal | None = None
) -> Response[Any]:
    return page(
        request,
        "users/disable_factors.html",
        status=refusal.status if refusal else 200,
        title=user.name,
        crumbs=crumbs(request, user),
        user=user,
        fields=fields,
        errors=errors_of(refusal),
    )


ROUTES = [tab, ask_disable, disable]
