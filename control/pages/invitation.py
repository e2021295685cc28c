"""Invitation: one offer of a place, how it stands, and its history."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get
from sqlalchemy.orm import joinedload

from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Id
from control.pages.parts.history import past_of
from control.pages.parts.session import Session
from control.shell import page
from control.visitor import Visitor
from tenants.invitations import Invitation
from tenants.people import Membership
from tenants.phones import Extension
from tenants.refusals import OutOfReach
from tenants.roles import Permission


@get("/invitations/{invitation_id:int}", may=Permission.SEE_PEOPLE, outlives=False, include_in_schema=False)
async def show_invitation(request: Request[Visitor, Any, Any], session: Session, invitation_id: Id) -> Response[Any]:
    """To whom, where, as what and by whom; when it was sent and what came of it."""
    wanted = sa.select(Invitation).where(Invitation.id == invitation_id).options(joinedload(Invitation.tenant))
    invitation, actor = (await session.scalars(wanted)).one_or_none(), request.user.actor
    if invitation is None or actor is None:
        raise OutOfReach
    asker = sa.select(Membership).where(Membership.id == invitation.invited_by_id).options(joinedload(Membership.user))
    by = (await session.scalars(asker)).one_or_none()
    extension = await session.get(Extension, invitation.extension_id) if invitation.extension_id else None
    reads = actor.may(Permission.READ_HISTORY)
    return page(
        request,
        "invitations/show.html",
        title=invitation.name,
        crumbs=await crumbs_to(session, invitation.tenant.path, (f"/invitations/{invitation.id}", invitation.name)),
        invitation=invitation,
        invited_by=by.user.name if by else None,
        extension=extension,
        may_invite=actor.may(Permission.INVITE_MEMBERS),
        past=await past_of(request, session, "invitations", invitation.id) if reads else None,
    )


ROUTES = [show_invitation]
