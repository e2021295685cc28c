"""Second factor: one's own authenticator app and recovery codes, set up, made anew and taken away."""

from typing import Any
from urllib.parse import urlencode

import segno
from litestar import Request, Response, get, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.local_path import local_path
from control.pages.parts.account_page import myself
from control.pages.parts.factors import OWN, came, show_codes, went
from control.pages.parts.failures import count_wrong
from control.pages.parts.fields import read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.session import Session, changing
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.factors import tell_added
from tenants.factors import factors_of, lock, require_spare
from tenants.people import User
from tenants.refusals import Conflict, Invalid, OutOfReach, Refusal, TooMany
from tenants.roles import Permission
from tenants.second_factors import FEW, RecoveryCode, Totp, totp_of
from tenants.sign_in import Attempt, hold_back
from tenants.trail import record
from tenants.verbs import Verb

APP = f"{OWN}/app"
ISSUER = "Understudy"


@get(OWN, may=Permission.OWN_ACCOUNT, outlives=True, before_factor=True, include_in_schema=False)
async def own_factors(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """What one has, and the way to more; with what the organization asks for."""
    user, identities = await myself(request, session), request.user.identities
    return page(
        request,
        "account/second_factor.html",
        title=speech(request)("Second factor"),
        user=user,
        factors=await factors_of(session, user.id),
        few=FEW,
        asking=next((each.tenant_name for each in identities if each.needs_factor), None),
        wanted=local_path(request.query_params.get("next"), ""),
    )


@post(
    APP,
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    before_factor=True,
    proof=True,
    proof_at=OWN,
    proof_keeps=("next",),
    include_in_schema=False,
)
async def begin_app(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """A new secret, to be put into an authenticator app."""
    house: House = request.app.state.house
    user, wanted = await myself(request, session), local_path((await read_fields(request)).text("next"), "")
    await lock(session, user)
    await Totp.prepare(session, house.settings.secret_key, user, request.user.now)
    return Redirect(APP, query_params={"next": wanted} if wanted else {}, status_code=303)


@get(APP, may=Permission.OWN_ACCOUNT, outlives=True, before_factor=True, proof=True, include_in_schema=False)
async def show_app(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The secret as a picture and as text, until a first code was right."""
    return await _app_page(request, session, request.query_params.get("next", ""))


@post(
    f"{APP}/confirm",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    before_factor=True,
    proof=True,
    proof_at=APP,
    proof_keeps=("next",),
    include_in_schema=False,
)
async def confirm_app(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """The first right code puts it in force; the page that answers shows the recovery codes."""
    fields, visitor = await read_fields(request), request.user
    house: House = request.app.state.house
    if visitor.user is None or visitor.actor is None:
        raise OutOfReach
    attempt = Attempt.of_code(visitor.user.id, visitor.origin.address)
    try:
        async with changing(request) as session:
            await hold_back(session, attempt, visitor.now, visitor.user)
            user = await myself(request, session)
            await lock(session, user)
            totp = await _prepared(session, user)
            await totp.confirm(session, house.settings.secret_key, fields.text("code").replace(" ", ""), visitor.now)
            return await came(request, session, user, "totp", "otp", fields.text("next"))
    except Invalid as refusal:
        await count_wrong(house, visitor, visitor.actor, attempt, visitor.user)
        async with changing(request) as session:
            return await _app_page(request, session, fields.text("next"), refusal)
    except TooMany as refusal:
        async with changing(request) as session:
            return await _app_page(request, session, fields.text("next"), refusal)


@get(f"{APP}/remove", may=Permission.OWN_ACCOUNT, outlives=True, proof=True, include_in_schema=False)
async def ask_remove_app(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The question before it."""
    factors = await factors_of(session, (await myself(request, session)).id)
    if factors.totp is None:
        raise Conflict("You have no authenticator app set up.")
    title = speech(request)("Remove the authenticator app")
    return page(request, "account/remove_app.html", title=title, last=factors.count == 1)


@post(
    f"{APP}/remove",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    proof=True,
    proof_at=f"{APP}/remove",
    include_in_schema=False,
)
async def remove_app(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Its codes prove nobody any more. Refused while an organization asks for one and there is no other."""
    user = await myself(request, session)
    await lock(session, user)
    factors = await factors_of(session, user.id)
    if factors.totp is None:
        raise Conflict("You have no authenticator app set up.")
    require_spare(factors, request.user.identities)
    await factors.totp.remove(session, request.user.now)
    await went(request, session, user, "totp")
    return see_other(request, OWN, say=speech(request)("The authenticator app is removed."))


@post(
    f"{OWN}/codes",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    proof=True,
    proof_at=OWN,
    include_in_schema=False,
)
async def make_codes(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Ten new recovery codes; those before are good for nothing more."""
    user = await myself(request, session)
    await lock(session, user)
    if not user.second_factor:
        raise Conflict("Recovery codes stand in for a second factor. Set one up first.")
    codes = await RecoveryCode.make(session, user, request.user.now)
    await tell_added(request.app.state.house, session, user, "recovery_codes", request.user.now)
    return show_codes(request, codes, OWN)


@post(f"{OWN}/later", may=Permission.OWN_ACCOUNT, outlives=True, before_factor=True, include_in_schema=False)
async def not_now(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Do not ask at every sign-in after a reset. Where an organization asks for one, the doors go on asking."""
    user = await myself(request, session)
    if user.factors_reset_at is not None:
        user.factors_reset_at = None
        record(session, Verb.USER_CHANGED, user)
        await session.flush()
    return see_other(request, local_path((await read_fields(request)).text("next"), "/"))


async def _prepared(session: AsyncSession, user: User) -> Totp:
    totp = await totp_of(session, user.id)
    if totp is None:
        raise Conflict("Nothing is being set up. Begin again.")
    return totp


async def _app_page(
    request: Request[Visitor, Any, Any], session: AsyncSession, wanted: str, refusal: Refusal | None = None
) -> Response[Any]:
    house: House = request.app.state.house
    user = await myself(request, session)
    totp = await totp_of(session, user.id)
    if totp is None or totp.confirmed_at is not None:
        wanted = local_path(wanted, "")
        return see_other(request, f"{OWN}?{urlencode({'next': wanted})}" if wanted else OWN)
    generator = totp.generator(house.settings.secret_key)
    drawn = segno.make(generator.to_uri(label=user.email, issuer=ISSUER), error="m", micro=False)
    return page(
        request,
        "account/authenticator.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Set up an authenticator app"),
        picture=drawn.svg_data_uri(scale=5, border=4, light="#fff"),
        key=generator.pretty_key(sep=" "),
        email=user.email,
        wanted=local_path(wanted, ""),
        errors=errors_of(refusal),
    )


ROUTES = [own_factors, begin_app, show_app, confirm_app, ask_remove_app, remove_app, make_codes, not_now]
