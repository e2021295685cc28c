"""Account: one's own profile and how the panel looks. Nobody who stands in for one comes in here."""

from typing import Any

from litestar import Request, Response, get, post

from bindings.app_consents import own_consent
from control.local_path import path_of
from control.pages.parts.account_page import ZONES, again, myself, show
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.session import Session, acting, changing
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Invalid
from tenants.roles import Permission

THEMES = ("system", "light", "dark")


@get("/account", may=Permission.OWN_ACCOUNT, outlives=True, before_factor=True, include_in_schema=False)
async def account(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The page."""
    return await show(request, session)


@post("/account", may=Permission.OWN_ACCOUNT, outlives=True, include_in_schema=False)
async def save_profile(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Name, zone, and whether single-letter keys do anything."""
    fields = await read_fields(request)
    try:
        async with changing(request) as session:
            user, zone = await myself(request, session), fields.text("zone")
            if zone not in ZONES and zone != user.zone:
                raise Invalid("Choose a time zone from the list.", field="zone")
            await user.change(session, name=fields.text("name"), zone=zone, keys_on=bool(fields.text("keys_on")))
    except Invalid as refusal:
        return await again(request, "profile", fields, refusal)
    return see_other(request, "/account", say=speech(request)("Saved."))


@post("/account/theme", may=Permission.OWN_ACCOUNT, outlives=True, include_in_schema=False)
async def save_theme(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Light, dark, or as the system has it; back to the page one was on."""
    theme = (await read_fields(request)).text("theme")
    if theme not in THEMES:
        raise Invalid("A theme is light, dark or system.", field="theme")
    await (await myself(request, session)).change(session, theme=theme)
    back = path_of(request.headers.get("referer"), request.app.state.house.settings.public_url)
    return see_other(request, back or "/account")


@post("/account/notices", may=Permission.OWN_ACCOUNT, outlives=True, include_in_schema=False)
async def mute_notices(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Letters about who stood in for them: none, or as their company has it. Nobody says so for another."""
    muted = not (await read_fields(request)).text("letters")
    await (await myself(request, session)).mute_notices(session, acting(request), muted=muted)
    return see_other(request, "/account", say=speech(request)("Saved."))


@post(
    "/account/app-consents/{app_consent_id:int}/revoke",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    include_in_schema=False,
)
async def take_back(request: Request[Visitor, Any, Any], session: Session, app_consent_id: Id) -> Response[Any]:
    """An app of others knows them no more: its logins end, and it asks the next time."""
    user = await myself(request, session)
    consent, name = await own_consent(session, user.id, app_consent_id)
    await consent.take_back(session, name, request.user.now)
    return see_other(request, "/account", say=speech(request)("Taken back."))


ROUTES = [account, save_profile, save_theme, mute_notices, take_back]
