"""The stop link of an app's banner: a page that asks, and the button that ends one impersonation.

Programs that follow links in what people are sent end nothing by it. No sign-in is asked for: the mark in the address
is the right, and whoever can only read the banner may still stop what they see.
"""

from datetime import datetime
from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from bindings.impersonation import Impersonation
from bindings.stopping import stop_for_its_actor
from control.doors import ANYONE
from control.local_path import local_path
from control.pages.parts.session import house_of
from control.shell import page
from control.speech import speech
from control.stop_links import meant_by
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.reach import Reach
from tenants.refusals import OutOfReach

Asked = Request[Visitor, Any, Any]


@get("/stop/{ticket:str}", may=ANYONE, outlives=False, when_over=True, include_in_schema=False)
async def ask(request: Asked, ticket: str) -> Response[Any]:
    """Who is signed in as whom, and the button. Looking ends nothing."""
    number, house, now = _meant(request, ticket), house_of(request), request.user.now
    everywhere = Reach.everywhere("stop link")
    async with house.store.work(Actor.house("stop link"), everywhere, now, writes=False) as session:
        stand = await session.get_one(Impersonation, number)
    return _shown(request, ticket, stand, stand.over(now))


@post(
    "/stop/{ticket:str}", may=ANYONE, outlives=False, csrf=False, leaves=True, when_over=True, include_in_schema=False
)
async def stop(request: Asked, ticket: str) -> Response[Any]:
    """End it. Its actor is led back to where it began, anybody else told that it is over."""
    visitor, number = request.user, _meant(request, ticket)
    stand = await stop_for_its_actor(house_of(request).store, number, visitor.now, visitor.origin)
    if visitor.sign_in is not None and visitor.sign_in.user_id == stand.user_id:
        return Redirect(local_path(stand.back, "/"), status_code=303)
    return _shown(request, ticket, stand, (stand.ended_cause or "", stand.ended_at or visitor.now))


def _meant(request: Asked, ticket: str) -> int:
    """Which one the address speaks of. OutOfReach unless its mark is right."""
    number = meant_by(house_of(request), ticket)
    if number is None:
        raise OutOfReach
    return number


def _shown(request: Asked, ticket: str, stand: Impersonation, over: tuple[str, datetime] | None) -> Response[Any]:
    title = speech(request)("This impersonation has ended") if over else speech(request)("Stop impersonating")
    shown = page(request, "embed/stop.html", title=title, stand=stand, over=over, ticket=ticket)
    # The address is a right: it is told to nobody further on.
    shown.headers["Referrer-Policy"] = "no-referrer"
    return shown


ROUTES = [ask, stop]
