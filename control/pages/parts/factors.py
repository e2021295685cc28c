"""Factors that come and go: the flag, the recovery codes, the letter and the sign-ins follow in one transaction."""

from typing import Any

from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from control.local_path import local_path
from control.pages.parts.cookies import let_in
from control.pages.parts.leaving import end_other_sign_ins
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.factors import tell_added, tell_removed
from tenants.factors import keep_flag
from tenants.people import User
from tenants.refusals import OutOfReach
from tenants.sign_in import SignIn

OWN = "/account/second-factor"


async def came(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    user: User,
    what: str,
    how: str,
    onward: str,
) -> Response[Any]:
    """A new factor was proved in this very sign-in, which counts from now on as `how`.

    With the first one come recovery codes, shown on the page that answers, and every other sign-in ends: none of
    them used a second factor.
    """
    visitor = request.user
    if visitor.sign_in is None or visitor.identity is None:
        raise OutOfReach
    codes = await keep_flag(session, user, visitor.now)
    await tell_added(request.app.state.house, session, user, what, visitor.now)
    row = await session.get_one(SignIn, visitor.sign_in.id)
    if codes:
        await end_other_sign_ins(session, row, "factor_added", visitor.now)
    secret = await row.prove(session, visitor.identity, (how,), visitor.now)
    if codes:
        answer: Response[Any] = show_codes(request, codes, onward)
    else:
        answer = see_other(request, local_path(onward, OWN), say=speech(request)("Saved."))
    let_in(request, answer, secret)
    return answer


async def went(request: Request[Visitor, Any, Any], session: AsyncSession, user: User, what: str) -> None:
    """After one was removed."""
    await keep_flag(session, user, request.user.now)
    await tell_removed(request.app.state.house, session, user, what, request.user.now)


def show_codes(request: Request[Visitor, Any, Any], codes: list[str], onward: str) -> Response[Any]:
    """The recovery codes, on this page and nowhere after."""
    title = speech(request)("Your recovery codes")
    onward = local_path(onward, OWN)
    return page(request, "account/recovery_codes.html", title=title, codes=codes, onward=onward)
