"""Bindings in reach: who becomes whom, why and until when; and their end."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post

from bindings.binding import Binding, find_binding
from control.doors import SIGNED_IN
from control.local_path import path_of
from control.pages.parts.asked import filters_in, matching, one_of, words_in
from control.pages.parts.fields import Id
from control.pages.parts.session import Session
from control.pages.parts.shown_bindings import apps_of, may_bind, shown
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import find_user
from tenants.phones import find_extension
from tenants.refusals import OutOfReach
from tenants.roles import Permission

ENDED = "ended"
SORTS = {"id": Binding.id, "made": Binding.id, "who": Binding.actor_name, "becomes": Binding.subject_name}


@get("/bindings", may=Permission.SEE_STAND_INS, outlives=False, include_in_schema=False)
async def every(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The list, newest first; open ones unless the ended ones are asked for."""
    visitor, said = request.user, request.query_params
    if visitor.actor is None:
        raise OutOfReach
    params = filters_in(said, "q", "state", "sort")
    state, sort = one_of(params, "state", ENDED), params.get("sort", "-made")
    wanted = asked(params.get("q", ""), state)
    found = await page_of(session, wanted, SORTS, sort=sort, cursor=words_in(said, "cursor") or None)
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    return page(
        request,
        "bindings/list.html",
        title=speech(request)("Bindings"),
        rows=await shown(session, found.items, visitor.actor, visitor.now),
        next=found.next,
        total=total,
        sort=sort,
        state=state,
        params=params,
        own_tab=f"/users/{visitor.actor.standing.user_id}/bindings",
        binds=may_bind(visitor.actor),
    )


def asked(q: str, state: str) -> sa.Select[Binding]:
    """Open or ended bindings whose names, number or reason hold every word of `q`."""
    over = Binding.ended_at.is_not(None) if state == ENDED else Binding.ended_at.is_(None)
    columns = (
        Binding.actor_name,
        Binding.subject_name,
        Binding.tenant_name,
        Binding.number,
        sa.func.coalesce(Binding.reason, ""),
        sa.func.coalesce(Binding.ticket, ""),
    )
    return sa.select(Binding).where(over, matching(q, *columns))


@post("/bindings/{binding_id:int}/release", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def release(request: Request[Visitor, Any, Any], session: Session, binding_id: Id) -> Response[Any]:
    """End it, and every login made through it at once; then back to where the button was."""
    visitor = request.user
    if visitor.actor is None:
        raise OutOfReach
    binding = await find_binding(session, binding_id)
    await binding.release(session, visitor.actor, visitor.now)
    _ = speech(request)
    own = visitor.actor.true is not None and visitor.actor.true.user_id == binding.user_id
    names = {"who": binding.actor_name, "name": binding.subject_name, "number": binding.number}
    said = (
        _("Released. Your apps no longer open as %(name)s, ext %(number)s.")
        if own
        else _("Released. The apps of %(who)s no longer open as %(name)s, ext %(number)s.")
    ) % names
    back = path_of(request.headers.get("referer"), request.app.state.house.settings.public_url)
    undo = (f"/bindings/{binding.id}/again", _("Undo")) if own else None
    return see_other(request, back or landing(visitor), say=said, undo=undo)


@post("/bindings/{binding_id:int}/again", may=Permission.STAND_IN, outlives=True, include_in_schema=False)
async def again(request: Request[Visitor, Any, Any], session: Session, binding_id: Id) -> Response[Any]:
    """Undo of one's own release: a new binding like the one that ended, if every rule still allows it."""
    visitor = request.user
    old = await find_binding(session, binding_id)
    if visitor.actor is None or old.user_id != visitor.actor.standing.user_id or old.ended_cause != "released":
        raise OutOfReach
    binding = await Binding.make(
        session,
        visitor.actor,
        await find_user(session, old.user_id),
        await find_extension(session, old.extension_id),
        visitor.now,
        apps=await apps_of(session, old),
        reason=old.reason,
        ticket=old.ticket,
        ends_at=old.ends_at,
    )
    _ = speech(request)
    said = _("Your apps open as %(name)s, ext %(number)s, again.")
    back = path_of(request.headers.get("referer"), request.app.state.house.settings.public_url)
    names = {"name": binding.subject_name, "number": binding.number}
    return see_other(request, back or landing(visitor), say=said % names)


def landing(visitor: Visitor) -> str:
    """Where the reader sees bindings."""
    return "/bindings" if visitor.actor is not None and visitor.actor.may(Permission.SEE_STAND_INS) else "/home"


ROUTES = [every, release, again]
