"""Discarding an app: asked by typing its client id."""

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import unfit_logins
from bindings.apps import App
from control.pages.parts.app_page import own_app
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.forms import errors_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission


@get("/apps/{app_id:int}/discard", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def ask_discard(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template:
    """The question before it: its client id has to be typed."""
    return _discard_form(request, await own_app(session, app_id))


@post(
    "/apps/{app_id:int}/discard",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}/discard",
    include_in_schema=False,
)
async def discard_app(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template | Redirect:
    """No more logins through it, once its client id was typed."""
    app, fields = await own_app(session, app_id), await read_fields(request)
    if fields.text("client_id").strip() != app.client_id:
        wrong = Invalid(speech(request)("Type the client id as it is shown."), field="client_id")
        return _discard_form(request, app, wrong)
    await unfit_logins.discard_app(session, app, request.user.now)
    return see_other(request, "/apps", say=speech(request)("%(name)s was discarded.") % {"name": app.name})


def _discard_form(request: Request[Visitor, Any, Any], app: App, refusal: Refusal | None = None) -> Template:
    status = refusal.status if refusal else 200
    return page(request, "apps/discard.html", status=status, title=app.name, app=app, errors=errors_of(refusal))


ROUTES = [ask_discard, discard_app]
