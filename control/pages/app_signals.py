"""Where an app is told of security events (Shared Signals): asked for, changed and ended on a page of its own."""

from typing import Any

from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.signals import ask_for_signals
from control.pages.parts.app_page import framed, own_app
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session, acting, house_of
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.apps import require_sendable, tell_app_changed
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission

Asked = Request[Visitor, Any, Any]


@get("/apps/{app_id:int}/signals", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def show_signals(request: Asked, session: Session, app_id: Id) -> Response[Any]:
    """Where it is told, and the form to change that."""
    return await _show(request, session, await own_app(session, app_id))


@post(
    "/apps/{app_id:int}/signals",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}/signals",
    include_in_schema=False,
)
async def change_signals(request: Asked, session: Session, app_id: Id) -> Response[Any]:
    """Tell it elsewhere, or no more. Those whose people use the app are told by letter, as of its other addresses."""
    app, fields, house = await own_app(session, app_id), await read_fields(request), house_of(request)
    uri, token, before = fields.text("signals_uri").strip(), fields.text("signals_token").strip(), app.signals_uri
    try:
        if uri:
            require_sendable(house.settings, uri, "signals_uri")
        await ask_for_signals(session, house.settings.secret_key, app, uri or None, token or None)
    except Invalid as refusal:
        return await _show(request, session, app, fields, refusal)
    if app.signals_uri != before:
        await tell_app_changed(house, session, acting(request), app, ["signals_uri"], request.user.now)
    return see_other(request, f"/apps/{app.id}", say=speech(request)("Saved."))


async def _show(
    request: Asked, session: AsyncSession, app: App, fields: Fields = UNTOUCHED, refusal: Refusal | None = None
) -> Response[Any]:
    return await framed(
        request,
        session,
        app,
        "signals",
        "apps/signals.html",
        status=refusal.status if refusal else 200,
        fields=fields,
        typed=fields is not UNTOUCHED,
        errors=errors_of(refusal),
    )


ROUTES = [show_signals, change_signals]
