"""Forgot: a letter to whoever cannot sign in, and the new password that its link is good for."""

from typing import Any

import structlog
from litestar import Request, Response, get, post
from litestar.background_tasks import BackgroundTask

from bindings.resets import reset_password
from control.doors import ANYONE
from control.house import House
from control.pages.parts.cookies import remember_visit, see_out, visiting
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import house_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.addresses import settle_changes
from control.writing.resets import send_reset, tell_password_changed
from tenants.actor import Actor
from tenants.credentials import check_strength, hash_password
from tenants.links import Link, Purpose
from tenants.password_resets import count_asking, may_have_letter
from tenants.reach import Reach
from tenants.refusals import Gone, Invalid, Refusal, TooMany
from tenants.sign_in import find_by_email

EVERYWHERE = Reach.everywhere("forgotten password")

log = structlog.get_logger()


@get("/forgot", may=ANYONE, outlives=True, include_in_schema=False)
async def ask(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Which address?"""
    return drawn(request, "sign-in/forgot.html", sent=False)


@post("/forgot", may=ANYONE, outlives=True, include_in_schema=False)
async def have_letter_sent(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """The same answer at the same moment for every address: it is looked up when the answer has gone."""
    fields, visitor = await read_fields(request), request.user
    house = house_of(request)
    email = fields.text("email")
    try:
        actor = Actor.house("forgotten password", visitor.origin)
        async with house.store.work(actor, EVERYWHERE, visitor.now) as session:
            await count_asking(session, email, visitor.origin.address, visitor.now)
    except Refusal as refusal:
        return drawn(request, "sign-in/forgot.html", fields, refusal, sent=False)
    answer = drawn(request, "sign-in/forgot.html", fields, sent=True)
    answer.background = BackgroundTask(write_if_known, house, visitor, email)
    return answer


async def write_if_known(house: House, visitor: Visitor, email: str) -> None:
    """The letter, to a verified address of somebody who is in use."""
    try:
        await settle_changes(house, visitor.now)
        actor = Actor.house("forgotten password", visitor.origin)
        async with house.store.work(actor, EVERYWHERE, visitor.now) as session:
            user = await find_by_email(session, email)
            if user is not None and await may_have_letter(session, user, visitor.now):
                await send_reset(house, session, user, visitor.now)
    except Exception as error:
        log.error("letter not written", kind="password_reset", exc_info=error)


@get("/reset/{secret:str}", may=ANYONE, outlives=True, include_in_schema=False)
async def look(request: Request[Visitor, Any, Any], secret: str) -> Response[Any]:
    """The form, while the link is good; opening it spends nothing."""
    house, visitor = house_of(request), request.user
    actor = Actor.house("forgotten password", visitor.origin)
    async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
        link = await Link.look(session, secret, Purpose.RESET, visitor.now)
    return drawn(request, "sign-in/reset.html", secret=secret, good=link is not None)


@post("/reset/{secret:str}", may=ANYONE, outlives=True, include_in_schema=False)
async def set_new(request: Request[Visitor, Any, Any], secret: str) -> Response[Any]:
    """A new password, once. Nobody is signed in by it: who has a second factor still shows it."""
    fields, visitor = await read_fields(request), request.user
    house = house_of(request)
    try:
        check_strength(fields.text("password"))
        password_hash = await hash_password(fields.text("password"))
        actor = Actor.house("password reset", visitor.origin)
        async with house.store.work(actor, EVERYWHERE, visitor.now) as session:
            user = await reset_password(session, secret, password_hash, visitor.now)
            await tell_password_changed(house, session, user, visitor.now)
    except Gone:
        return drawn(request, "sign-in/reset.html", secret=secret, good=False)
    except Invalid as refusal:
        return drawn(request, "sign-in/reset.html", fields, refusal, secret=secret, good=True)
    said = speech(request)("Your new password is set, and everything that was signed in has ended. Sign in.")
    onward = see_other(request, "/sign-in", say=said)
    if visitor.user is not None and visitor.user.id == user.id:
        see_out(request, onward)
    return onward


def drawn(
    request: Request[Visitor, Any, Any],
    template: str,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    **context: Any,
) -> Response[Any]:
    """A page for strangers, with what was typed (never a password)."""
    seed = visiting(request)
    gone = context.get("good") is False
    answer = page(
        request,
        template,
        status=refusal.status if refusal else (410 if gone else 200),
        title=speech(request)("Password"),
        email=fields.text("email")[:254],
        errors=errors_of(refusal),
        **context,
    )
    if isinstance(refusal, TooMany):
        answer.headers["Retry-After"] = str(refusal.retry_after)
    remember_visit(request, answer, seed)
    return answer


ROUTES = [ask, have_letter_sent, look, set_new]
