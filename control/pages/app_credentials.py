"""How an app proves itself: a new secret, with time to change over, or keys of its own in place of one."""

import json
from datetime import timedelta
from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_credentials import LONGEST, end_old_secret, old_secret_until, proof_of, register_keys, rotate_secret
from bindings.apps import App
from bindings.public_keys import MOST_KEYS, read_keys
from control.pages.parts.app_page import framed, own_app
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission

Asked = Request[Visitor, Any, Any]


@get("/apps/{app_id:int}/secret", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def ask_secret(request: Asked, session: AsyncSession, app_id: Id) -> Template:
    """The question before a new secret: what becomes of the old one."""
    return _ask(request, await own_app(session, app_id))


@post(
    "/apps/{app_id:int}/secret",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}/secret",
    include_in_schema=False,
)
async def make_secret(request: Asked, session: AsyncSession, app_id: Id) -> Template:
    """A new secret, on the page that answers and nowhere after."""
    app, fields = await own_app(session, app_id), await read_fields(request)
    try:
        secret = await rotate_secret(session, app, request.user.now, _keep_in(fields))
    except Invalid as refusal:
        return _ask(request, app, refusal)
    return await shown_once(request, session, app, secret)


def _ask(request: Asked, app: App, refusal: Refusal | None = None) -> Template:
    return page(
        request,
        "apps/rotate.html",
        status=refusal.status if refusal else 200,
        title=app.name,
        app=app,
        proof=proof_of(app),
        old_until=old_secret_until(app, request.user.now),
        errors=errors_of(refusal),
    )


async def shown_once(request: Asked, session: AsyncSession, app: App, secret: str | None) -> Template:
    """What the app needs to log people in, with a secret that was made just now."""
    return await framed(
        request,
        session,
        app,
        "overview",
        "apps/secret.html",
        secret=secret,
        old_until=old_secret_until(app, request.user.now),
    )


@post("/apps/{app_id:int}/old-secret/end", may=Permission.MANAGE_APPS, outlives=True, include_in_schema=False)
async def end_secret(request: Asked, session: AsyncSession, app_id: Id) -> Redirect:
    """The one of before opens nothing more. It protects, so nobody has to prove anything first."""
    app = await own_app(session, app_id)
    await end_old_secret(session, app, request.user.now)
    return see_other(
        request, f"/apps/{app.id}", say=speech(request)("The old secret of %(name)s has ended.") % {"name": app.name}
    )


@get("/apps/{app_id:int}/keys", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def show_keys(request: Asked, session: AsyncSession, app_id: Id) -> Template:
    """The public keys that it proves itself by, and the form for others."""
    return await _keys(request, session, await own_app(session, app_id))


@post(
    "/apps/{app_id:int}/keys",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}/keys",
    include_in_schema=False,
)
async def change_keys(request: Asked, session: AsyncSession, app_id: Id) -> Template | Redirect:
    """It proves itself by these from now on (RFC 7523), in place of a secret or of other keys."""
    app, fields = await own_app(session, app_id), await read_fields(request)
    try:
        jwks = read_keys(fields.text("jwks"))
        await register_keys(session, app, jwks, request.user.now, _keep_in(fields))
    except Invalid as refusal:
        return await _keys(request, session, app, fields, refusal)
    say = speech(request)("%(name)s proves itself by its keys now.") % {"name": app.name}
    return see_other(request, f"/apps/{app.id}", say=say)


async def _keys(
    request: Asked,
    session: AsyncSession,
    app: App,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    return await framed(
        request,
        session,
        app,
        "overview",
        "apps/keys.html",
        status=refusal.status if refusal else 200,
        proof=proof_of(app),
        most=MOST_KEYS,
        # What was refused is not shown again: it may hold a private half.
        jwks=json.dumps(app.jwks, indent=2) if app.jwks and refusal is None else "",
        fields=fields,
        errors=errors_of(refusal),
    )


def _keep_in(fields: Fields) -> timedelta:
    """How long the old secret stays good; it ends at once where nothing else is said. Raises Invalid."""
    text = fields.text("keep") or "0"
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= LONGEST.total_seconds()):
        raise Invalid("Choose how long the old secret stays good.", field="keep")
    return timedelta(seconds=int(text[:9]))


ROUTES = [ask_secret, make_secret, end_secret, show_keys, change_keys]
