"""Prove it again: the password (and a code, for who has a second factor) or a passkey, before a dangerous act.

It is always the person at the browser who proves, never the one they stand in for: an app may ask them for it while
they do.
"""

from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from control.doors import SIGNED_IN
from control.house import House
from control.local_path import local_path
from control.pages.parts.cookies import let_in
from control.pages.parts.failures import count_wrong
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.passkeys import mark_copied, party_of, take_passkey
from control.pages.sign_in import EVERYWHERE, origins_of
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor, Identity
from tenants.ceremonies import Ceremony, Copied, read_answer
from tenants.credentials import verify_password
from tenants.factors import accept_code
from tenants.passkeys import passkeys_of
from tenants.people import User
from tenants.refusals import Gone, Invalid, OutOfReach, Refusal, TooMany
from tenants.sign_in import Attempt, SignIn, hold_back


@get("/prove", may=SIGNED_IN, outlives=False, before_factor=True, include_in_schema=False)
async def ask_again(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Is it still you? The form; `next` is where it leads."""
    return await _form(request, request.query_params.get("next", ""))


@post("/prove", may=SIGNED_IN, outlives=False, before_factor=True, leaves=True, include_in_schema=False)
async def prove_again(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """By the password, and a code besides for who has a second factor."""
    fields, visitor = await read_fields(request), request.user
    user, attempt = _oneself(visitor)
    try:
        await _require_password(request, user, attempt, fields)
        if user.second_factor:
            attempt = Attempt.of_code(user.id, visitor.origin.address)
        return await _prove(request, attempt, fields)
    except (Invalid, TooMany) as refusal:
        return await _refuse(request, fields, attempt, refusal)


@post("/prove/passkey", may=SIGNED_IN, outlives=False, before_factor=True, leaves=True, include_in_schema=False)
async def prove_by_passkey(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """By a passkey alone."""
    fields, visitor = await read_fields(request), request.user
    user, _ = _oneself(visitor)
    attempt = Attempt.of_code(user.id, visitor.origin.address)
    try:
        return await _prove(request, attempt, fields, passkey=True)
    except (Invalid, Gone, TooMany) as refusal:
        return await _refuse(request, fields, attempt, refusal)


async def _require_password(request: Request[Visitor, Any, Any], user: User, attempt: Attempt, fields: Fields) -> None:
    """Invalid for a wrong one; held back as at the sign-in, so that it cannot be guessed here."""
    visitor, house = request.user, request.app.state.house
    async with house.store.work(_actor(visitor), EVERYWHERE, visitor.now, writes=False) as session:
        await hold_back(session, attempt, visitor.now, user)
    known, _renewed = await verify_password(fields.text("password"), user.password_hash)
    if not known:
        raise Invalid("This is not your password.", field="password")


async def _prove(
    request: Request[Visitor, Any, Any], attempt: Attempt, fields: Fields, *, passkey: bool = False
) -> Response[Any]:
    """Believe the rest, and go on: the sign-in gets a new secret and counts as fresh for 15 minutes."""
    visitor, house = request.user, request.app.state.house
    actor = _actor(visitor)
    if visitor.sign_in is None:
        raise OutOfReach
    async with house.store.work(actor, EVERYWHERE, visitor.now) as session:
        user = await session.get_one(User, actor.standing.user_id)
        await hold_back(session, attempt, visitor.now, user)
        if passkey:
            answer = read_answer(fields.text("credential"))
            _, how = await take_passkey(request, session, Ceremony.PROVE, answer, user.id)
            methods = [how]
        else:
            methods = ["pwd", *await _code(house, session, user, fields, visitor)]
        row = await session.get_one(SignIn, visitor.sign_in.id)
        secret = await row.prove(session, actor.standing, methods, visitor.now)
    onward = Redirect(local_path(fields.text("next"), "/"), status_code=303)
    let_in(request, onward, secret)
    return onward


async def _code(house: House, session: AsyncSession, user: User, fields: Fields, visitor: Visitor) -> list[str]:
    if not user.second_factor:
        return []
    if not await accept_code(session, house.settings.secret_key, user, fields.text("code"), visitor.now):
        raise Invalid("This code is not right, or it was used already.", field="code")
    return ["otp"]


async def _refuse(
    request: Request[Visitor, Any, Any], fields: Fields, attempt: Attempt, refusal: Refusal
) -> Response[Any]:
    """What was wrong is counted; a challenge that took too long is not."""
    house: House = request.app.state.house
    visitor = request.user
    if isinstance(refusal, Copied):
        await mark_copied(house, visitor, refusal)
    if isinstance(refusal, Invalid) and visitor.actor is not None:
        await count_wrong(house, visitor, _actor(visitor), attempt, visitor.reader)
    return await _form(request, fields.text("next"), refusal)


def _oneself(visitor: Visitor) -> tuple[User, Attempt]:
    if visitor.reader is None or visitor.sign_in is None:
        raise OutOfReach
    return visitor.reader, Attempt.of(visitor.reader.email, visitor.origin.address)


def _actor(visitor: Visitor) -> Actor:
    if visitor.oneself is None:
        raise OutOfReach
    return visitor.oneself


async def _form(request: Request[Visitor, Any, Any], wanted: str, refusal: Refusal | None = None) -> Response[Any]:
    visitor, house, wanted = request.user, request.app.state.house, local_path(wanted, "")
    actor = _actor(visitor)
    identity: Identity = actor.standing
    async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
        passkeys = await passkeys_of(session, identity.user_id)
    answer = page(
        request,
        "sign-in/prove.html",
        status=refusal.status if refusal else 200,
        forms_to=await origins_of(request, wanted),
        title=speech(request)("Is it still you?"),
        wanted=wanted,
        person=identity,
        code=identity.has_factor,
        passkey=party_of(request).asks_for(Ceremony.PROVE, passkeys, visitor.now) if passkeys else None,
        errors=errors_of(refusal),
    )
    if isinstance(refusal, TooMany):
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


ROUTES = [ask_again, prove_again, prove_by_passkey]
