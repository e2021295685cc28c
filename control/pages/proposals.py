"""The answer to a proposed binding: accepted, the apps open as that person from now on; declined, as oneself."""

from typing import Any

from litestar import Request, Response, post

from bindings import proposal
from bindings.binding import Binding, find_binding
from control.doors import SIGNED_IN
from control.local_path import local_path
from control.pages.bindings import landing
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.session import Session
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import OutOfReach


@post("/bindings/{binding_id:int}/accept", may=SIGNED_IN, outlives=True, include_in_schema=False)
async def accept(request: Request[Visitor, Any, Any], session: Session, binding_id: Id) -> Response[Any]:
    """Yes: the guard is asked once more, then it is in force; on to the app that asked."""
    visitor, binding = request.user, await own(request, session, binding_id)
    if visitor.actor is None:
        raise OutOfReach
    await proposal.accept(session, visitor.actor, binding, visitor.now)
    _ = speech(request)
    names = {"name": binding.subject_name, "number": binding.number}
    return await onward(request, _("Accepted. Your apps open as %(name)s, ext %(number)s.") % names)


@post("/bindings/{binding_id:int}/decline", may=SIGNED_IN, outlives=True, include_in_schema=False)
async def decline(request: Request[Visitor, Any, Any], session: Session, binding_id: Id) -> Response[Any]:
    """No: it is over, and whoever proposed it sees that."""
    visitor, binding = request.user, await own(request, session, binding_id)
    if visitor.actor is None:
        raise OutOfReach
    await proposal.decline(session, visitor.actor, binding, visitor.now)
    return await onward(request, speech(request)("Declined. Your apps open as yourself."))


async def own(request: Request[Visitor, Any, Any], session: Session, binding_id: int) -> Binding:
    """The binding, when it was proposed to whoever asks: for everybody else it is not here."""
    binding = await find_binding(session, binding_id)
    actor = request.user.actor
    if actor is None or actor.true is None or actor.true.user_id != binding.user_id:
        raise OutOfReach
    return binding


async def onward(request: Request[Visitor, Any, Any], say: str) -> Response[Any]:
    """Back to the login that met the proposal, or to the reader's bindings."""
    fields = await read_fields(request)
    return see_other(request, local_path(fields.text("next"), landing(request.user)), say=say)


ROUTES = [accept, decline]
