"""The second step of a sign-in: a code, a recovery code or a passkey, after the password was right."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect, Template

from control.doors import ANYONE
from control.house import House
from control.local_path import local_path
from control.pages.parts.cookies import drop_half, half_way, remember_visit, visiting
from control.pages.parts.entering import enter, layer_of, lead_in
from control.pages.parts.failures import count_wrong
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.passkeys import mark_copied, party_of, take_passkey
from control.pages.sign_in import EVERYWHERE, origins_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.ceremonies import Ceremony, Copied, read_answer
from tenants.factors import accept_code
from tenants.links import Link, Purpose
from tenants.passkeys import Passkey, passkeys_of
from tenants.people import User
from tenants.refusals import Gone, Invalid, Refusal, TooMany
from tenants.sign_in import Attempt, hold_back


@get("/sign-in/second-factor", may=ANYONE, outlives=True, include_in_schema=False)
async def ask_code(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """The question, for the browser whose reader knew the password a moment ago."""
    return await _form(request, request.query_params.get("next", ""))


@post("/sign-in/second-factor", may=ANYONE, outlives=True, include_in_schema=False)
async def take_code(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """A code of the authenticator app, or one of the recovery codes."""
    return await _step(request, await read_fields(request))


@post("/sign-in/second-factor/passkey", may=ANYONE, outlives=True, include_in_schema=False)
async def take_key(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """A passkey of the same person."""
    return await _step(request, await read_fields(request), passkey=True)


async def _step(request: Request[Visitor, Any, Any], fields: Fields, *, passkey: bool = False) -> Response[Any]:
    """Let in, or say what is wrong; wrong ones are counted, apart from passwords."""
    house: House = request.app.state.house
    visitor, wanted = request.user, fields.text("next")
    known = await _who(request)
    if known is None:
        return _begin_again(request, wanted)
    user = known[0]
    attempt = Attempt.of_code(user.id, visitor.origin.address)
    try:
        return await _believe(request, user, attempt, fields, passkey=passkey)
    except Gone:
        return _begin_again(request, wanted)
    except TooMany as refusal:
        return await _form(request, wanted, refusal)
    except Invalid as refusal:
        if isinstance(refusal, Copied):
            await mark_copied(house, visitor, refusal)
        await count_wrong(house, visitor, Actor.house("sign-in", visitor.origin), attempt, user)
        return await _form(request, wanted, refusal)


async def _believe(
    request: Request[Visitor, Any, Any], user: User, attempt: Attempt, fields: Fields, *, passkey: bool
) -> Response[Any]:
    """One transaction: the code or challenge is spent, the half-done sign-in with it, and the new one begun."""
    visitor, house = request.user, request.app.state.house
    async with house.store.work(Actor.house("sign-in", visitor.origin), EVERYWHERE, visitor.now) as session:
        user = await session.get_one(User, user.id)
        await hold_back(session, attempt, visitor.now, user)
        how = "otp"
        if passkey:
            answer = read_answer(fields.text("credential"))
            _, how = await take_passkey(request, session, Ceremony.SECOND_FACTOR, answer, user.id)
        elif not await accept_code(session, house.settings.secret_key, user, fields.text("code"), visitor.now):
            raise Invalid("This code is not right, or it was used already.", field="code")
        link = await Link.redeem(session, half_way(request), Purpose.SECOND_FACTOR, visitor.now)
        begun = await enter(session, request, user, ("pwd", how), await layer_of(session, link))
        if begun is None:
            raise Gone("There is no place for you here any more.")
        return lead_in(request, user, *begun, fields.text("next"))


async def _who(request: Request[Visitor, Any, Any]) -> tuple[User, list[Passkey]] | None:
    """Whose password this browser knew, and their passkeys; None when that is too long ago, or was never."""
    visitor, house = request.user, request.app.state.house
    if not (half := half_way(request)):
        return None
    actor = Actor.house("sign-in", visitor.origin)
    async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
        link = await Link.look(session, half, Purpose.SECOND_FACTOR, visitor.now)
        if link is None or link.user_id is None:
            return None
        return await session.get_one(User, link.user_id), await passkeys_of(session, link.user_id)


async def _form(request: Request[Visitor, Any, Any], wanted: str, refusal: Refusal | None = None) -> Response[Any]:
    known = await _who(request)
    if known is None:
        return _begin_again(request, wanted)
    user, passkeys = known
    seed, wanted = visiting(request), local_path(wanted, "")
    answer: Template = page(
        request,
        "sign-in/second_factor.html",
        status=refusal.status if refusal else 200,
        forms_to=await origins_of(request, wanted),
        title=speech(request)("One more step"),
        wanted=wanted,
        email=user.email,
        passkey=party_of(request).asks_for(Ceremony.SECOND_FACTOR, passkeys, request.user.now) if passkeys else None,
        errors=errors_of(refusal),
    )
    if isinstance(refusal, TooMany):
        answer.headers["Retry-After"] = str(refusal.retry_after)
    remember_visit(request, answer, seed)
    return answer


def _begin_again(request: Request[Visitor, Any, Any], wanted: str) -> Response[Any]:
    wanted = local_path(wanted, "")
    said = speech(request)("That took too long. Sign in again.")
    answer: Redirect = see_other(request, "/sign-in", say=said if half_way(request) else None)
    if wanted:
        answer = Redirect("/sign-in", query_params={"next": wanted}, status_code=303)
    drop_half(request, answer)
    return answer


ROUTES = [ask_code, take_code, take_key]
