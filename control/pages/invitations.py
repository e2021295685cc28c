"""Invitations in reach: who was offered a place, where and as what; and taking one back."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from sqlalchemy.orm import joinedload

from control.pages.parts.asked import filters_in, matching, words_in
from control.pages.parts.fields import Id
from control.pages.parts.session import Session
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.invitations import Invitation
from tenants.refusals import OutOfReach
from tenants.roles import Permission

SORTS = {"id": Invitation.id, "name": Invitation.name, "email": Invitation.email}


@get("/invitations", may=Permission.INVITE_MEMBERS, outlives=False, include_in_schema=False)
async def waiting(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The open ones, newest first."""
    params = filters_in(request.query_params, "q", "sort")
    sort = params.get("sort", "-id")
    wanted = (
        sa.select(Invitation)
        .where(
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
            matching(params.get("q", ""), Invitation.name, Invitation.email),
        )
        .options(joinedload(Invitation.tenant))
    )
    cursor = words_in(request.query_params, "cursor") or None
    found = await page_of(session, wanted, SORTS, sort=sort, cursor=cursor)
    return page(
        request,
        "invitations/list.html",
        title=speech(request)("Invitations"),
        rows=found.items,
        next=found.next,
        sort=sort,
        params=params,
    )


@post("/invitations/{invitation_id:int}/revoke", may=Permission.INVITE_MEMBERS, outlives=False, include_in_schema=False)
async def revoke(request: Request[Visitor, Any, Any], session: Session, invitation_id: Id) -> Response[Any]:
    """Take it back."""
    invitation = await session.get(Invitation, invitation_id)
    if invitation is None or request.user.actor is None:
        raise OutOfReach
    await invitation.revoke(session, request.user.actor, request.user.now)
    said = speech(request)("Revoked. The invitation for %(name)s can no longer be accepted.")
    return see_other(request, "/invitations", say=said % {"name": invitation.name})


ROUTES = [waiting, revoke]
