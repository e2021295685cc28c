"""One's own sign-ins: ended one by one, from the account page that lists them."""

from typing import Any

from litestar import Request, Response, post

from control.pages.parts.fields import Id
from control.pages.parts.leaving import end_logins_from
from control.pages.parts.session import Session
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Conflict, OutOfReach
from tenants.roles import Permission
from tenants.sign_in import SignIn


@post("/account/sign-ins/{sign_in_id:int}/end", may=Permission.OWN_ACCOUNT, outlives=True, include_in_schema=False)
async def end_sign_in(request: Request[Visitor, Any, Any], session: Session, sign_in_id: Id) -> Response[Any]:
    """Sign out at another browser, and the apps that were logged in to from there."""
    visitor = request.user
    row = await session.get(SignIn, sign_in_id)
    if row is None or visitor.identity is None:
        raise OutOfReach
    if not row.alive(visitor.now):
        raise Conflict("This sign-in has ended already.")
    await row.end(session, visitor.identity, "ended_by_owner", visitor.now)
    await end_logins_from(session, row.id, visitor.now)
    return see_other(request, "/account", say=speech(request)("That browser is signed out."))


ROUTES = [end_sign_in]
