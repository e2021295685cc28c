"""Breaking the glass: asking for it, saying yes as the second person, and ending it."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.consenting import end_glass
from control.doors import SIGNED_IN
from control.local_path import path_of
from control.pages.parts.consenting import SHOWN, shown_glasses
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.session import Session, acting, changing, house_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.break_glass import approve_glass
from tenants.break_glasses import BreakGlass, find_glass, require_platform_admin
from tenants.people import find_membership
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Permission

Asked = Request[Visitor, Any, Any]
KEPT = ("membership", "reason")
"""What the form keeps of what was typed, when a proof comes between."""


@get("/break-glass", may=Permission.MANAGE_POLICY, outlives=True, include_in_schema=False)
async def every_glass(request: Asked, session: Session) -> Response[Any]:
    """What is asked for and what is open now, for the admins of the platform."""
    require_platform_admin(acting(request))
    return await _list(request, session)


async def _list(request: Asked, session: AsyncSession, refusal: Refusal | None = None) -> Response[Any]:
    actor, now = acting(request), request.user.now
    found = list(await session.scalars(sa.select(BreakGlass).order_by(BreakGlass.id.desc()).limit(SHOWN)))
    shown = await shown_glasses(session, actor, found, now)
    return page(
        request,
        "break-glass/list.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Breaking the glass"),
        live=[each for each in shown if each.state in {"waits", "open"}],
        past=[each for each in shown if each.state not in {"waits", "open"}],
        mine={row.id for row in found if row.asked_by_id == actor.standing.membership_id},
        errors=errors_of(refusal),
    )


@get("/break-glass/new", may=Permission.MANAGE_POLICY, outlives=True, include_in_schema=False)
async def ask_for_glass(request: Asked, session: Session) -> Response[Any]:
    """The question: for whom, and why."""
    return await _form(request, session, Fields({name: (request.query_params.get(name, ""),) for name in KEPT}))


async def _form(request: Asked, session: AsyncSession, fields: Fields, refusal: Refusal | None = None) -> Response[Any]:
    require_platform_admin(acting(request))
    return page(
        request,
        "break-glass/new.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Break the glass"),
        subject=await find_membership(session, fields.number("membership") or 0),
        fields=fields,
        errors=errors_of(refusal),
    )


@post(
    "/break-glass",
    may=Permission.MANAGE_POLICY,
    outlives=True,
    proof=True,
    proof_at="/break-glass/new",
    proof_keeps=KEPT,
    include_in_schema=False,
)
async def ask_glass(request: Asked) -> Response[Any]:
    """Ask another admin of the platform for a yes."""
    fields, actor, now = await read_fields(request), acting(request), request.user.now
    try:
        async with changing(request) as session:
            require_platform_admin(actor)
            subject = await find_membership(session, fields.number("membership") or 0)
            await BreakGlass.ask(session, actor, subject, fields.text("reason"), now)
    except (Invalid, Conflict) as refusal:
        async with changing(request) as session:
            return await _form(request, session, fields, refusal)
    say = speech(request)("Asked for. Another admin of the platform has to approve it within a day.")
    return see_other(request, "/break-glass", say=say)


@post(
    "/break-glass/{glass_id:int}/approve",
    may=Permission.MANAGE_POLICY,
    outlives=True,
    proof=True,
    proof_at="/break-glass",
    include_in_schema=False,
)
async def approve(request: Asked, glass_id: Id) -> Response[Any]:
    """Say yes as the second person: it is open for an hour, and everybody concerned is told by letter."""
    actor, now = acting(request), request.user.now
    try:
        async with changing(request) as session:
            require_platform_admin(actor)
            glass = await find_glass(session, glass_id)
            await approve_glass(house_of(request), session, actor, glass, now)
    except OutOfReach:
        raise
    except (Conflict, NotPermitted) as refusal:
        if refusal.rule == "permission":
            raise
        async with changing(request) as session:
            return await _list(request, session, refusal)
    say = speech(request)("Approved. It is open for an hour, and they are told by letter.")
    return see_other(request, "/break-glass", say=say)


@post("/break-glass/{glass_id:int}/end", may=SIGNED_IN, outlives=True, include_in_schema=False)
async def end(request: Asked, session: Session, glass_id: Id) -> Redirect:
    """End it, or say no to it. It protects, so nobody has to prove anything first."""
    await end_glass(session, acting(request), await find_glass(session, glass_id), request.user.now)
    back = path_of(request.headers.get("referer"), house_of(request).settings.public_url)
    return see_other(request, back or "/home", say=speech(request)("Ended. Nobody stands in by it any more."))


ROUTES = [every_glass, ask_for_glass, ask_glass, approve, end]
