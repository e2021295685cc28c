"""Prove it again: the password (and the code, for who has a second factor), before a dangerous act."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect, Template

from control.doors import SIGNED_IN
from control.house import House
from control.local_path import local_path
from control.pages.parts.cookies import let_in
from control.pages.parts.failures import count_wrong
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import errors_of
from control.pages.sign_in import origins_of
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.credentials import verify_password
from tenants.people import User
from tenants.reach import Reach
from tenants.refusals import Invalid, OutOfReach, Refusal, TooMany
from tenants.sign_in import Attempt, SignIn, hold_back

EVERYWHERE = Reach.everywhere("sign-in")


@get("/prove", may=SIGNED_IN, outlives=True, include_in_schema=False)
async def ask_again(request: Request[Visitor, Any, Any]) -> Template:
    """Is it still you? The form; `next` is where it leads."""
    return await _form(request, request.query_params.get("next", ""))


@post("/prove", may=SIGNED_IN, outlives=True, include_in_schema=False)
async def prove_again(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Check it, and go on. The sign-in gets a new secret and counts as fresh for 15 minutes."""
    fields, visitor = await read_fields(request), request.user
    house: House = request.app.state.house
    if visitor.user is None or visitor.sign_in is None or visitor.identity is None:
        raise OutOfReach
    try:
        await _check(house, visitor, visitor.user, fields)
    except (Invalid, TooMany) as refusal:
        return await _form(request, fields.text("next"), refusal)
    actor = Actor.house("sign-in", visitor.origin)
    async with house.store.work(visitor.actor or actor, EVERYWHERE, visitor.now) as session:
        row = await session.get_one(SignIn, visitor.sign_in.id)
        secret = await row.prove(session, visitor.identity, ("pwd",), visitor.now)
    onward = Redirect(local_path(fields.text("next"), "/"), status_code=303)
    let_in(request, onward, secret)
    return onward


async def _check(house: House, visitor: Visitor, user: User, fields: Fields) -> None:
    """Invalid unless it is the person's password; failures count as at the sign-in, so it cannot be guessed here."""
    attempt = Attempt.of(user.email, visitor.origin.address)
    actor = visitor.actor or Actor.house("sign-in", visitor.origin)
    async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
        await hold_back(session, attempt, visitor.now, user)
    known, _renewed = await verify_password(fields.text("password"), user.password_hash)
    if not known:
        await count_wrong(house, visitor, actor, attempt, user)
        raise Invalid("This is not your password.", field="password")


async def _form(request: Request[Visitor, Any, Any], wanted: str, refusal: Refusal | None = None) -> Template:
    wanted = local_path(wanted, "")
    answer = page(
        request,
        "sign-in/prove.html",
        status=refusal.status if refusal else 200,
        forms_to=await origins_of(request, wanted),
        title=speech(request)("Is it still you?"),
        wanted=wanted,
        errors=errors_of(refusal),
    )
    if isinstance(refusal, TooMany):
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


ROUTES = [ask_again, prove_again]
