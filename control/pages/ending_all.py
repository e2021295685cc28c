"""Ending many stand-ins at once: who they are is shown first, and for all the world's the platform's name is typed."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.ending_all import end_by_hand, live_into, live_of, stop_the_world, what_the_world_holds
from bindings.impersonation import Impersonation
from control.pages.impersonations import locale_of
from control.pages.parts.fields import Fields, number_in, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.session import Session, acting
from control.pages.parts.shown_impersonations import shown_impersonations
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.words import words
from tenants.people import User
from tenants.refusals import Invalid, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.text import REASON_LEAST, reason_given
from tenants.tree import find_tenant

ENDS = Permission.END_STAND_INS
WORLD = "/impersonations/stop-the-world"
MEANT = ("user", "tenant")


@get("/impersonations/end-all", may=ENDS, outlives=False, include_in_schema=False)
async def ask_end_all(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The question: which of one person's, or into one company, would end."""
    said = request.query_params
    fields = Fields({name: (said.get(name, ""),) for name in MEANT})
    found, whose = await _meant(session, fields, request.user)
    shown = await shown_impersonations(session, found, acting(request), request.user.now, locale_of(request))
    return page(
        request,
        "impersonations/end_all.html",
        title=speech(request)("End several"),
        rows=[row for row in shown if row.endable],
        left=sum(not row.endable for row in shown),
        whose=whose,
        typed={name: fields.text(name) for name in MEANT},
    )


@post("/impersonations/end-all", may=ENDS, outlives=False, include_in_schema=False)
async def end_all(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """End what of it the reader may end, and say how many that were."""
    found, _ = await _meant(session, await read_fields(request), request.user)
    ended = await end_by_hand(session, acting(request), found, request.user.now)
    say = words(locale_of(request)).ngettext
    said = say("One impersonation ended.", "%(num)d impersonations ended.", ended.done) % {"num": ended.done}
    if ended.left:
        left = say("One goes on: only an admin may end it.", "%(num)d go on: only an admin may end them.", ended.left)
        said = f"{said} {left % {'num': ended.left}}"
    return see_other(request, "/impersonations", say=said)


async def _meant(session: AsyncSession, fields: Fields, visitor: Visitor) -> tuple[Sequence[Impersonation], str]:
    """The impersonations that a form means, and whose or where they are; OutOfReach where there is nobody."""
    user, tenant = (number_in(fields.text(name)) for name in MEANT)
    if (user is None) == (tenant is None):
        raise Invalid("Say whose: one user, or one company.", field="user")
    if tenant is not None:
        place = await find_tenant(session, tenant)
        return await live_into(session, place, visitor.now), place.name
    found = await live_of(session, user or 0, visitor.now)
    person = await session.get(User, user)
    if not found and person is None:
        raise OutOfReach
    return found, found[0].actor_name if found else person.name if person else ""


@get(WORLD, may=ENDS, outlives=True, include_in_schema=False)
async def ask_stop(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The question before everything stops, with how much that is."""
    return await _question(request, session, Fields({"reason": (request.query_params.get("reason", ""),)}))


@post(
    WORLD, may=ENDS, outlives=True, proof=True, proof_at=WORLD, proof_keeps=("reason",), include_in_schema=False
)  # fmt: skip
async def stop(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Everything that anybody stands in by ends now. Bindings stay, and hold again at the next login."""
    fields, actor, now = await read_fields(request), acting(request), request.user.now
    await what_the_world_holds(session, actor, now)
    platform = await find_tenant(session, actor.standing.tenant_id)
    try:
        if fields.text("slug").strip() != platform.slug:
            raise Invalid(f"Type “{platform.slug}” to stop everything.", field="slug")
        reason = reason_given(fields.text("reason"), asked=True)
        if reason is None:
            raise Invalid(f"Say why in at least {REASON_LEAST} characters.", field="reason")
    except Invalid as refusal:
        return await _question(request, session, fields, refusal)
    stopped = await stop_the_world(session, actor, reason, now)
    say = words(locale_of(request)).ngettext
    said = (
        say("One impersonation ended.", "%(num)d impersonations ended.", stopped.impersonations)
        % {"num": stopped.impersonations},
        say("One login through a binding ended.", "%(num)d logins through bindings ended.", stopped.logins)
        % {"num": stopped.logins},
    )
    return see_other(request, "/impersonations", say=" ".join(said))


async def _question(
    request: Request[Visitor, Any, Any], session: AsyncSession, fields: Fields, refusal: Refusal | None = None
) -> Response[Any]:
    actor = acting(request)
    return page(
        request,
        "impersonations/stop_the_world.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Stop the world"),
        world=await what_the_world_holds(session, actor, request.user.now),
        platform=await find_tenant(session, actor.standing.tenant_id),
        reason=fields.text("reason"),
        errors=errors_of(refusal),
    )


ROUTES = [ask_end_all, end_all, ask_stop, stop]
