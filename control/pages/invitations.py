"""Invitations in reach: who was offered a place, where and as what; sent again, shown as a link, taken back."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from control.pages.parts.asked import filters_in, matching, one_of, words_in
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.session import Session, acting, changing, house_of
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.invitations import send_invitations
from tenants.invitations import MOST_AN_HOUR, Invitation, allowance, sent_with
from tenants.refusals import OutOfReach
from tenants.roles import Permission, Role, grants

Asked = Request[Visitor, Any, Any]
INVITE = Permission.INVITE_MEMBERS
SORTS = {"id": Invitation.id, "name": Invitation.name, "email": Invitation.email}
STATES = ("prepared", "sent", "expired", "accepted", "revoked")
CHUNK = 50
"""How many letters are written in one transaction."""


@get("/invitations", may=INVITE, outlives=False, include_in_schema=False)
async def every(request: Asked, session: Session) -> Response[Any]:
    """The waiting ones, newest first, unless others are asked for."""
    params = filters_in(request.query_params, "q", "state", "sort")
    sort = params.get("sort", "-id")
    wanted = asked(request, params).options(joinedload(Invitation.tenant))
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
        unsent=await counted(session, unsent(request, params)),
    )


def asked(request: Asked, params: dict[str, str]) -> sa.Select[Invitation]:
    """The invitations that the filters name."""
    now, state = request.user.now, one_of(params, "state", *STATES)
    wanted = {
        "": Invitation.waiting(),
        "prepared": sa.and_(Invitation.waiting(), Invitation.sent_at.is_(None)),
        "sent": sa.and_(Invitation.waiting(), Invitation.expires_at > now),
        "expired": sa.and_(Invitation.waiting(), Invitation.expires_at <= now),
        "accepted": Invitation.accepted_at.is_not(None),
        "revoked": Invitation.revoked_at.is_not(None),
    }
    found = matching(params.get("q", ""), Invitation.name, Invitation.email)
    return sa.select(Invitation).where(wanted[state], found)


def unsent(request: Asked, params: dict[str, str]) -> sa.Select[Invitation]:
    """Those of them that were prepared and never sent, for roles that the reader may give."""
    role = acting(request).standing.role
    mine = [each.value for each in Role if grants(role, each)]
    waiting = asked(request, params).where(Invitation.waiting(), Invitation.sent_at.is_(None))
    return waiting.where(Invitation.role.in_(mine))


async def counted(session: AsyncSession, wanted: sa.Select[Invitation]) -> int:
    """How many there are."""
    return (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()


@get("/invitations/send", may=INVITE, outlives=True, include_in_schema=False)
async def ask_to_send(request: Asked, session: Session) -> Response[Any]:
    """How many letters would go out now?"""
    params = filters_in(request.query_params, "q", "state")
    return page(
        request,
        "invitations/send.html",
        title=speech(request)("Send invitations"),
        count=await counted(session, unsent(request, params)),
        now_most=await allowance(session, acting(request), request.user.now),
        an_hour=MOST_AN_HOUR,
        params=params,
    )


@post("/invitations/send", may=INVITE, outlives=True, include_in_schema=False)
async def send_all(request: Asked) -> Response[Any]:
    """Send those that the filter names, as many as one may send in an hour: chunk by chunk, each in full."""
    fields, sent, last = await read_fields(request), 0, 0
    params = {name: fields.text(name) for name in ("q", "state") if fields.text(name)}
    while chunk := await send_chunk(request, params, last):
        sent, last = sent + len(chunk), chunk[-1]
    async with changing(request) as session:
        left = await counted(session, unsent(request, params))
    _ = speech(request)
    said = _("Sent: %(count)s.") % {"count": sent}
    if left:
        more = _("%(left)s still wait: one person sends at most %(most)s in an hour.")
        said = f"{said} {more % {'left': left, 'most': MOST_AN_HOUR}}"
    return see_other(request, "/invitations", say=said)


async def send_chunk(request: Asked, params: dict[str, str], after: int) -> list[int]:
    """Send the next few beyond that id, in one transaction; which they were. It never comes to the same one twice."""
    house, actor, now = house_of(request), acting(request), request.user.now
    async with changing(request) as session:
        most = min(CHUNK, await allowance(session, actor, now))
        next_few = unsent(request, params).where(Invitation.id > after).order_by(Invitation.id).limit(most)
        waiting = next_few.with_for_update(skip_locked=True)
        found = list(await session.scalars(waiting)) if most else []
        for invitation in found:
            await send_invitations(house, session, actor, [invitation], now)
    return [invitation.id for invitation in found]


@post("/invitations/{invitation_id:int}/resend", may=INVITE, outlives=True, include_in_schema=False)
async def resend(request: Asked, session: Session, invitation_id: Id) -> Response[Any]:
    """A new letter with a new link, good for 7 days; the old link is dead."""
    invitation = await find_invitation(session, invitation_id)
    together = await sent_with(session, invitation)
    await send_invitations(house_of(request), session, acting(request), together, request.user.now)
    said = speech(request)("Sent. The letter to %(email)s holds a new link, good for 7 days.")
    return see_other(request, "/invitations", say=said % {"email": invitation.email})


@post("/invitations/{invitation_id:int}/link", may=INVITE, outlives=True, include_in_schema=False)
async def make_link(request: Asked, session: Session, invitation_id: Id) -> Response[Any]:
    """A link to hand over, shown this once. The one in the letter stays good."""
    invitation = await find_invitation(session, invitation_id)
    secret = await invitation.copy_link(session, acting(request), request.user.now)
    return page(
        request,
        "invitations/link.html",
        title=speech(request)("A link for %(name)s") % {"name": invitation.name},
        invitation=invitation,
        link=house_of(request).link(f"/join/{secret}"),
    )


@post("/invitations/{invitation_id:int}/revoke", may=INVITE, outlives=False, include_in_schema=False)
async def revoke(request: Asked, session: Session, invitation_id: Id) -> Response[Any]:
    """Take it back."""
    invitation = await find_invitation(session, invitation_id)
    await invitation.revoke(session, acting(request), request.user.now)
    said = speech(request)("Revoked. The invitation for %(name)s can no longer be accepted.")
    return see_other(request, "/invitations", say=said % {"name": invitation.name})


async def find_invitation(session: AsyncSession, invitation_id: int) -> Invitation:
    """The invitation, when in reach; otherwise OutOfReach."""
    invitation = await session.get(Invitation, invitation_id)
    if invitation is None:
        raise OutOfReach
    return invitation


ROUTES = [every, ask_to_send, send_all, resend, make_link, revoke]
