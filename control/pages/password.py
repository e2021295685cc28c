"""A new password, for who knows the present one."""

from typing import Any

from litestar import Request, Response, post

from bindings.impersonation import end_those_of
from bindings.login import end_logins_of
from control.doors import mark_refusal
from control.house import House
from control.pages.parts.account_page import again, myself
from control.pages.parts.failures import count_wrong
from control.pages.parts.fields import read_fields
from control.pages.parts.leaving import end_other_sign_ins
from control.pages.parts.session import acting, house_of
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.credentials import check_strength, hash_password, verify_password
from tenants.links import Link, Purpose
from tenants.reach import Reach
from tenants.refusals import Invalid, OutOfReach, Refusal, TooMany
from tenants.roles import Permission
from tenants.sign_in import Attempt, hold_back
from tenants.trail import record
from tenants.verbs import Verb

EVERYWHERE = Reach.everywhere("sign-in")


@post(
    "/account/password",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    proof=True,
    proof_at="/account",
    include_in_schema=False,
)
async def save_password(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Change it. Every other sign-in, every app's login and every impersonation by or of them ends with it."""
    fields, visitor, house = await read_fields(request), request.user, house_of(request)
    try:
        await require_present(request, fields.text("current"))
        check_strength(fields.text("password"))
        renewed = await hash_password(fields.text("password"))
        # Whoever stands in for them may do so at a place that this profile does not reach.
        async with house.store.work(acting(request), EVERYWHERE, visitor.now) as session:
            user = await myself(request, session)
            user.password_hash = renewed
            record(session, Verb.PASSWORD_CHANGED, user)
            await session.flush()
            if visitor.sign_in is not None:
                await end_other_sign_ins(session, visitor.sign_in, "password_changed", visitor.now)
            await end_those_of(session, user.id, "password_changed", visitor.now)
            await end_logins_of(session, user.id, "password_changed", visitor.now)
            await Link.spend(session, Purpose.SECOND_FACTOR, visitor.now, user_id=user.id)
    except Refusal as refusal:
        if isinstance(refusal, TooMany):
            await mark_refusal(request.app.state.house, visitor, refusal, request.url.path)
        return await again(request, "password", fields, refusal)
    said = speech(request)("Your password is changed. You are signed out everywhere but here.")
    return see_other(request, "/account", say=said)


async def require_present(request: Request[Visitor, Any, Any], password: str) -> None:
    """Invalid unless it is the person's password; failures count as at the sign-in, so it cannot be guessed here."""
    visitor = request.user
    house: House = request.app.state.house
    if visitor.user is None:
        raise OutOfReach
    attempt = Attempt.of(visitor.user.email, visitor.origin.address)
    actor = visitor.actor or Actor.house("sign-in", visitor.origin)
    async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
        await hold_back(session, attempt, visitor.now)
    known, _renewed = await verify_password(password, visitor.user.password_hash)
    if not known:
        await count_wrong(house, visitor, actor, attempt, visitor.user)
        raise Invalid("This is not your present password.", field="current")


ROUTES = [save_password]
