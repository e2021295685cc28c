"""Another address: one's own on the account, somebody else's on their page. Letters ask both addresses."""

from typing import Any

from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.account_page import myself
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session, acting, changing, house_of
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.pages.parts.user_tabs import crumbs
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.addresses import ask_change
from control.writing.resets import send_reset
from tenants.email_changes import pending_change
from tenants.password_resets import require_resettable
from tenants.people import User, find_user, require_rank_everywhere
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission

Asked = Request[Visitor, Any, Any]
OWN, MANAGE = Permission.OWN_ACCOUNT, Permission.MANAGE_PEOPLE


@get("/account/email", may=OWN, outlives=True, include_in_schema=False)
async def own_address(request: Asked, session: Session) -> Response[Any]:
    """One's address, and the change of it under way."""
    return await own_page(request, session)


@post("/account/email", may=OWN, outlives=True, proof=True, include_in_schema=False)
async def change_own(request: Asked) -> Response[Any]:
    """By who has just proved who they are: in effect as soon as the new address confirms it."""
    fields = await read_fields(request)
    try:
        async with changing(request) as session:
            user = await myself(request, session)
            change = await ask_change(
                house_of(request), session, acting(request), user, fields.text("email"), request.user.now
            )
    except (Invalid, Conflict) as refusal:
        async with changing(request) as session:
            return await own_page(request, session, fields, refusal)
    said = speech(request)("A letter to %(email)s is on its way. Your address changes when its link is opened.")
    return see_other(request, "/account/email", say=said % {"email": change.email})


@post("/account/email/cancel", may=OWN, outlives=True, include_in_schema=False)
async def cancel_own(request: Asked, session: Session) -> Response[Any]:
    """Keep the address, whoever asked for another."""
    await cancel(session, await myself(request, session), request)
    return see_other(request, "/account/email", say=speech(request)("Cancelled. Your address stays as it is."))


@get("/users/{user_id:int}/email", may=MANAGE, outlives=True, include_in_schema=False)
async def their_address(request: Asked, session: Session, user_id: Id) -> Response[Any]:
    """The form, for who outranks the person everywhere they are."""
    user = await find_user(session, user_id)
    await require_rank_everywhere(session, acting(request), user)
    return their_page(request, user, Unseen(user.last_entry_id))


@post("/users/{user_id:int}/email", may=MANAGE, outlives=True, proof=True, include_in_schema=False)
async def change_theirs(request: Asked, user_id: Id) -> Response[Any]:
    """Ask for it; it takes effect when the old address agrees, or 72 hours after the new one confirmed."""
    fields = await read_fields(request)
    async with changing(request) as session:
        user = await find_user(session, user_id)
        unseen = await unseen_changes(session, request.user, user, fields, {"email": fields.text("email")})
        if unseen.lines:
            return their_page(request, user, unseen, fields)
        try:
            change = await ask_change(
                house_of(request), session, acting(request), user, fields.text("email"), request.user.now
            )
        except Invalid as refusal:
            return their_page(request, user, unseen, fields, refusal)
    said = speech(request)("Asked for. %(email)s confirms first, then the old address is asked.")
    return see_other(request, f"/users/{user_id}", say=said % {"email": change.email})


@post("/users/{user_id:int}/email/cancel", may=MANAGE, outlives=True, include_in_schema=False)
async def cancel_theirs(request: Asked, session: Session, user_id: Id) -> Response[Any]:
    """Take the wish back."""
    user = await find_user(session, user_id)
    await require_rank_everywhere(session, acting(request), user)
    await cancel(session, user, request)
    return see_other(request, f"/users/{user_id}", say=speech(request)("Cancelled. The address stays as it is."))


@post("/users/{user_id:int}/password-reset", may=MANAGE, outlives=True, include_in_schema=False)
async def have_reset_sent(request: Asked, session: Session, user_id: Id) -> Response[Any]:
    """A reset letter to their verified address. Whoever has it sent never sees its link."""
    user, actor, now = await find_user(session, user_id), acting(request), request.user.now
    await require_resettable(session, actor, user, now)
    await send_reset(house_of(request), session, user, now, who=actor.standing.shown_name)
    said = speech(request)("A letter to %(email)s is on its way. Its link is good for an hour.")
    return see_other(request, f"/users/{user_id}", say=said % {"email": user.email})


async def cancel(session: AsyncSession, user: User, request: Asked) -> None:
    """Conflict when no change is under way."""
    change = await pending_change(session, user.id, request.user.now)
    if change is None:
        raise Conflict("No change of the address is under way.")
    await change.cancel(session, request.user.now)


async def own_page(
    request: Asked, session: AsyncSession, fields: Fields = UNTOUCHED, refusal: Refusal | None = None
) -> Response[Any]:
    """The page, with what was typed."""
    user = await myself(request, session)
    return page(
        request,
        "account/email.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Your address"),
        user=user,
        change=await pending_change(session, user.id, request.user.now),
        email=fields.text("email"),
        errors=errors_of(refusal),
    )


def their_page(
    request: Asked, user: User, unseen: Unseen, fields: Fields = UNTOUCHED, refusal: Refusal | None = None
) -> Response[Any]:
    """The form about somebody else, with what was typed."""
    title = speech(request)("Another address")
    here = {"href": f"/users/{user.id}/email", "label": title, "current": True, "switch": None}
    return page(
        request,
        "users/email.html",
        status=refusal.status if refusal else unseen.status,
        title=title,
        crumbs=[*({**crumb, "current": False} for crumb in crumbs(request, user)), here],
        user=user,
        unseen=unseen,
        email=fields.text("email"),
        errors=errors_of(refusal),
    )


ROUTES = [own_address, change_own, cancel_own, their_address, change_theirs, cancel_theirs, have_reset_sent]
