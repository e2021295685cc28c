"""Who accessed an account: the person's own page of it, and the tab that their admins read."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get

from control.doors import SIGNED_IN
from control.pages.parts.access_stories import stories_of
from control.pages.parts.asked import words_in
from control.pages.parts.fields import Id
from control.pages.parts.session import Session
from control.pages.parts.user_tabs import crumbs, user_tabs
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.people import Membership, find_user
from tenants.refusals import OutOfReach
from tenants.roles import Permission


@get("/home/accesses", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def own_accesses(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Who accessed the reader's account, in the profile that they are in."""
    if request.user.actor is None:
        raise OutOfReach
    who = request.user.actor.standing
    cursor = words_in(request.query_params, "cursor") or None
    return page(
        request,
        "accesses.html",
        title=speech(request)("Who accessed your account"),
        accesses=await stories_of(session, request.user, who.user_id, [who.membership_id], cursor),
        cursor=cursor,
    )


@get("/users/{user_id:int}/accesses", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def user_accesses(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """The same for their admins, over the memberships that these see."""
    user = await find_user(session, user_id)
    members = await session.scalars(sa.select(Membership.id).where(Membership.user_id == user.id))
    cursor = words_in(request.query_params, "cursor") or None
    return page(
        request,
        "users/accesses.html",
        title=user.name,
        crumbs=crumbs(request, user),
        tabs=user_tabs(request, user, "accesses"),
        user=user,
        accesses=await stories_of(session, request.user, user.id, list(members), cursor),
        cursor=cursor,
    )


ROUTES = [own_accesses, user_accesses]
