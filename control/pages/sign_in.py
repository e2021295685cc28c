"""Sign in, and sign out: of this browser, or of everything."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from litestar import Request, Response, get, post
from litestar.response import Redirect, Template

from bindings.apps import find_client
from bindings.pushed_requests import return_address
from control.doors import ANYONE, SIGNED_IN
from control.house import House
from control.local_path import local_path
from control.pages.parts.cookies import remember_visit, see_out, visiting
from control.pages.parts.entering import begin_half, destination, enter, lead_in, lead_on, profiles_at
from control.pages.parts.failures import count_wrong
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import UNTOUCHED
from control.pages.parts.layers import layer_in, layer_look
from control.pages.parts.leaving import end_everywhere, end_logins_from
from control.pages.parts.passkeys import party_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.addresses import settle_changes
from tenants.actor import Actor
from tenants.ceremonies import Ceremony
from tenants.credentials import verify_password
from tenants.people import User
from tenants.reach import Reach
from tenants.refusals import Invalid, Refusal, TooMany
from tenants.sign_in import Attempt, SignIn, find_by_email, hold_back
from tenants.trail import record
from tenants.verbs import Verb

EVERYWHERE = Reach.everywhere("sign-in")


@get("/sign-in", may=ANYONE, outlives=False, include_in_schema=False)
async def ask(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """The form; whoever is signed in goes on, unless a fresh proof is asked for, or it is somebody else."""
    wanted, reauth, other = (request.query_params.get(name, "") for name in ("next", "reauth", "other"))
    if request.user.actor is not None and not other:
        if reauth:
            return Redirect("/prove", query_params={"next": wanted} if wanted else {}, status_code=303)
        return Redirect(destination(wanted, request.user.identity), status_code=303)
    # What an app hints at (OIDC Core's login_hint) is typed beforehand, and no more than that.
    return await form(request, Fields({"next": (wanted,), "email": (request.query_params.get("email", ""),)}))


@post("/sign-in", may=ANYONE, outlives=True, include_in_schema=False)
async def prove(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """E-mail and password, checked in the same time and refused in the same words whoever it was."""
    fields, visitor = await read_fields(request), request.user
    house: House = request.app.state.house
    attempt = Attempt.of(fields.text("email"), visitor.origin.address)
    try:
        user = await who_says_so(house, visitor, attempt, fields.text("email"))
        known, renewed = await verify_password(fields.text("password"), user.password_hash if user else None)
        layer = await layer_in(request, fields)
        onward = await go_on(request, attempt, user, renewed, fields.text("next"), layer) if user and known else None
    except TooMany as refusal:
        return await form(request, fields, refusal)
    if onward is None:
        await count_wrong(house, visitor, Actor.house("sign-in", visitor.origin), attempt, user)
        wrong = Invalid(speech(request)("That e-mail and password do not belong together."))
        return await form(request, fields, wrong)
    return onward


@post(
    "/sign-out",
    may=SIGNED_IN,
    outlives=False,
    before_factor=True,
    leaves=True,
    when_over=True,
    include_in_schema=False,
)
async def sign_out(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """End this browser's sign-in, its impersonation and the apps' logins made from it, in one transaction.

    It is the true person who signs out, also while standing in: nobody else's sign-in is touched.
    """
    visitor, house = request.user, request.app.state.house
    if visitor.sign_in is not None and visitor.actor is not None and visitor.actor.true is not None:
        async with house.store.work(visitor.actor, EVERYWHERE, visitor.now) as session:
            row = await session.get_one(SignIn, visitor.sign_in.id)
            await end_logins_from(session, row.id, visitor.now)
            await row.end(session, visitor.actor.true, "signed_out", visitor.now)
    _ = speech(request)
    return out(request, _("You are signed out."))


@post("/sign-out/everywhere", may=SIGNED_IN, outlives=True, before_factor=True, include_in_schema=False)
async def sign_out_everywhere(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """End every sign-in and login of the person, and every binding in which somebody stands in for them."""
    visitor, house = request.user, request.app.state.house
    if visitor.actor is not None and visitor.user is not None:
        # Whoever stands in for them may do so at a place that this profile does not reach.
        async with house.store.work(visitor.actor, EVERYWHERE, visitor.now) as session:
            user = await session.get_one(User, visitor.user.id)
            await end_everywhere(session, user, visitor.now)
            place = visitor.actor.standing.tenant_id
            record(
                session,
                Verb.SIGNED_OUT_EVERYWHERE,
                None,
                place=place,
                named=("users", str(user.id), user.name),
            )
    _ = speech(request)
    return out(request, _("You are signed out everywhere."))


def out(request: Request[Visitor, Any, Any], say: str) -> Response[Any]:
    """To the sign-in page, without the cookie."""
    answer = see_other(request, "/sign-in", say=say)
    see_out(request, answer)
    return answer


async def who_says_so(house: House, visitor: Visitor, attempt: Attempt, email: str) -> User | None:
    """The person with that address, known to the house or not. TooMany when there were too many failures lately."""
    await settle_changes(house, visitor.now)
    actor = Actor.house("sign-in", visitor.origin)
    async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
        user = await find_by_email(session, email)
        await hold_back(session, attempt, visitor.now, user)
        return user


async def go_on(
    request: Request[Visitor, Any, Any],
    attempt: Attempt,
    proven: User,
    renewed: str | None,
    wanted: str,
    layer: str | None = None,
) -> Response[Any] | None:
    """Let in who knew the password, or lead them to the second step; None when they have no place to be.

    `layer` is the path of the tenant whose own sign-in page this is.
    """
    visitor, house = request.user, request.app.state.house
    actor = Actor.house("sign-in", visitor.origin)
    async with house.store.work(actor, EVERYWHERE, visitor.now) as session:
        user = await session.get_one(User, proven.id)
        await hold_back(session, attempt, visitor.now, user)
        if user.password_hash != proven.password_hash or not await profiles_at(session, user, layer):
            return None
        if renewed is not None:
            user.password_hash = renewed
            record(session, Verb.PASSWORD_REHASHED, user)
            await session.flush()
        if user.second_factor:
            return lead_on(request, await begin_half(session, user, layer, request), wanted)
        begun = await enter(session, request, user, ("pwd",), layer)
        return lead_in(request, user, *begun, wanted) if begun else None


async def form(
    request: Request[Visitor, Any, Any], fields: Fields = UNTOUCHED, refusal: Refusal | None = None
) -> Template:
    """The sign-in page, with what was typed (never the password) and where it leads."""
    seed = visiting(request)
    wanted = local_path(fields.text("next"), "")
    answer = page(
        request,
        "sign-in/sign_in.html",
        status=refusal.status if refusal else 200,
        forms_to=await origins_of(request, wanted),
        title=speech(request)("Sign in"),
        wanted=wanted,
        email=fields.text("email")[:254],
        passkey=party_of(request).asks_for(Ceremony.SIGN_IN, [], request.user.now),
        errors={"": refusal.sentence} if refusal else {},
        **await layer_look(request, fields),
    )
    if isinstance(refusal, TooMany):
        answer.headers["Retry-After"] = str(refusal.retry_after)
    remember_visit(request, answer, seed)
    return answer


async def origins_of(request: Request[Visitor, Any, Any], wanted: str) -> tuple[str, ...]:
    """The app that a login goes back to: Chromium asks the form's policy along every redirect."""
    parts = urlsplit(wanted)
    if parts.path != "/oauth/authorize":
        return ()
    asked = parse_qs(parts.query)
    client_id, redirect_uri, pushed = (
        asked.get(name, [""])[0] for name in ("client_id", "redirect_uri", "request_uri")
    )
    visitor, house = request.user, request.app.state.house
    actor = Actor.house("sign-in", visitor.origin)
    async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
        app = await find_client(session, client_id)
        if app is not None and pushed:
            redirect_uri = await return_address(await session.connection(), pushed, app.id, visitor.now) or ""
    if app is None or not app.accepts(redirect_uri):
        return ()
    return (origin_of(redirect_uri),)


def origin_of(address: str) -> str:
    """Scheme, host and port of an app's address; the scheme alone of a native app's own."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


ROUTES = [ask, prove, sign_out, sign_out_everywhere]
