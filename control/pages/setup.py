"""Set-up: the first admin of a new house, by the one-time link that its terminal shows."""

import hmac
from collections.abc import Callable
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from control.doors import ANYONE
from control.house import House
from control.pages.parts.cookies import let_in, remember_visit, visiting
from control.pages.parts.fields import Fields, read_fields
from control.set_up import never_set_up, set_up, set_up_token
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.credentials import check_strength, hash_password
from tenants.identities import live_identities
from tenants.reach import Reach
from tenants.refusals import Invalid, OutOfReach
from tenants.sign_in import SignIn
from tenants.text import email_address, named

EVERYWHERE = Reach.everywhere("set-up")
TYPED = ("organization", "name", "email")


@get("/setup", may=ANYONE, outlives=True, include_in_schema=False)
async def ask(request: Request[Visitor, Any, Any], token: FromQuery[str] = "") -> Response[Any]:
    """The form, while there never was an admin and for who holds the link; otherwise nothing is here."""
    await require_open(request, token)
    return form(request, Fields({"token": (token,)}), {})


@post("/setup", may=ANYONE, outlives=True, include_in_schema=False)
async def make(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Found the platform with its first admin, and sign them in."""
    fields, visitor = await read_fields(request), request.user
    house: House = request.app.state.house
    await require_open(request, fields.text("token"))
    errors = mistakes(fields)
    if errors:
        return form(request, fields, errors, 422)
    password_hash = await hash_password(fields.text("password"))
    actor = Actor.house("set-up", visitor.origin)
    try:
        async with house.store.work(actor, EVERYWHERE, visitor.now) as session:
            organization, name, email = (fields.text(each) for each in TYPED)
            membership = await set_up(session, organization, name, email, password_hash, visitor.now)
            identity = (await live_identities(session, membership_id=membership.id))[0]
            browser = request.headers.get("user-agent", "")
            _row, secret = await SignIn.start(session, identity, visitor.origin, browser, visitor.now)
    except Invalid as refusal:
        # The organization's short name is made from its name, which is all that was asked for.
        return form(request, fields, {"organization": refusal.sentence}, 422)
    onward = Redirect("/", status_code=303)
    let_in(request, onward, secret)
    return onward


async def require_open(request: Request[Visitor, Any, Any], token: str) -> None:
    """OutOfReach unless the link is the one that was shown and set-up never happened."""
    house: House = request.app.state.house
    if not hmac.compare_digest(token.encode(), set_up_token(house.settings).encode()):
        raise OutOfReach
    async with house.store.work(Actor.house("set-up"), EVERYWHERE, request.user.now, writes=False) as session:
        if not await never_set_up(session):
            raise OutOfReach


def mistakes(fields: Fields) -> dict[str, str]:
    """What is wrong, by field, before anything is written."""
    found: dict[str, str] = {}
    checks: dict[str, Callable[[str], object]] = {
        "organization": named,
        "name": named,
        "email": email_address,
        "password": check_strength,
    }
    for name, check in checks.items():
        try:
            check(fields.text(name))
        except Invalid as refusal:
            found[name] = refusal.sentence
    return found


def form(
    request: Request[Visitor, Any, Any], fields: Fields, errors: dict[str, str], status: int = 200
) -> Response[Any]:
    """The set-up page with what was typed."""
    seed = visiting(request)
    answer = page(
        request,
        "sign-in/setup.html",
        status=status,
        title=speech(request)("Set up"),
        token=fields.text("token"),
        typed={each: fields.text(each) for each in TYPED},
        errors=errors,
    )
    remember_visit(request, answer, seed)
    return answer


ROUTES = [ask, make]
