"""RP-initiated logout: an app ends its login here. With a valid ID token at once; without one the person is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from bindings.apps import App, find_client, origin_of
from bindings.clients import Rejected, plain
from bindings.logout import end_login, logins_here
from control.doors import ANYONE, SIGNED_IN
from control.openid.issuer import fields_of, form_fields, house_of, issuer_of, with_fields
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.reach import Reach

LOGOUT = "/oauth/logout"
EVERYWHERE = Reach.everywhere("log out of an app")
SAID = ("client_id", "post_logout_redirect_uri", "state")
"""What the page that asks keeps of the app's request."""

Asked = Request[Visitor, Any, Any]


@dataclass(frozen=True, slots=True)
class Leaving:
    """A logout request (RP-Initiated Logout section 2). `sid` only with an ID token that we signed for the app."""

    app: App | None
    sid: str | None
    onward: str | None
    """Where to afterwards: the app's registered address, with the state."""


@get(LOGOUT, may=ANYONE, outlives=False, when_over=True, include_in_schema=False)
async def logout(request: Asked) -> Response[Any]:
    """An app sends the browser here to have its login ended."""
    try:
        fields = fields_of(request.url.query)
    except Rejected:
        fields = {}
    leaving = await _leaving(request, fields)
    if leaving.sid is None:
        return await _ask(request, leaving, fields)
    await end_login(house_of(request).store, leaving.sid, "logout", request.user.now, origin=request.user.origin)
    return _gone(request, leaving)


@post(LOGOUT, may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def logout_by_form(request: Asked) -> Response[Any]:
    """The same by a form: one from elsewhere brings no cookie, so without a valid ID token it goes on as an address."""
    try:
        fields = await form_fields(request)
    except Rejected:
        fields = {}
    leaving = await _leaving(request, fields)
    if leaving.sid is None:
        return Redirect(with_fields(LOGOUT, {name: fields[name] for name in SAID if name in fields}), status_code=303)
    await end_login(house_of(request).store, leaving.sid, "logout", request.user.now, origin=request.user.origin)
    return _gone(request, leaving)


@post(f"{LOGOUT}/confirmed", may=SIGNED_IN, outlives=False, leaves=True, when_over=True, include_in_schema=False)
async def logout_confirmed(request: Asked) -> Response[Any]:
    """The person agreed: end this browser's logins at the app, or at every app when none was named."""
    form = await request.form()
    fields = {name: str(form[name]) for name in SAID if name in form}
    leaving, visitor, store = await _leaving(request, fields), request.user, house_of(request).store
    for sid, _ in await _here(request, leaving):
        await end_login(store, sid, "logout", visitor.now, origin=visitor.origin)
    return _gone(request, leaving)


async def _leaving(request: Asked, fields: Mapping[str, str]) -> Leaving:
    issuer, client_id, sid = issuer_of(request), fields.get("client_id"), None
    hint = fields.get("id_token_hint")
    # It may have expired (section 4): what it shows is which login the app was given.
    said = await issuer.keys.verify(hint, request.user.now, "JWT") if hint else None
    if said is not None and said.get("iss") == issuer.url and client_id in (None, said.get("aud")):
        client_id, sid = str(said.get("aud")), str(said.get("sid"))
    app = await _client(request, client_id)
    target = fields.get("post_logout_redirect_uri")
    if app is None or target not in app.post_logout_redirect_uris:
        return Leaving(app, sid, None)
    state = {"state": fields["state"]} if "state" in fields else {}
    return Leaving(app, sid, with_fields(target, state) if state else target)


async def _client(request: Asked, client_id: str | None) -> App | None:
    if client_id is None or not plain(client_id):
        return None
    store, now = house_of(request).store, request.user.now
    async with store.work(Actor.house("log out"), EVERYWHERE, now, writes=False) as session:
        return await find_client(session, client_id)


async def _here(request: Asked, leaving: Leaving) -> list[tuple[str, str]]:
    """The open logins of this browser: (sid, name of the app)."""
    sign_in = request.user.sign_in
    if sign_in is None:
        return []
    async with house_of(request).store.hot.connect() as connection:
        return await logins_here(connection, sign_in.id, leaving.app.id if leaving.app else None)


async def _ask(request: Asked, leaving: Leaving, fields: Mapping[str, str]) -> Response[Any]:
    """Nobody is logged out by a link that somebody else wrote."""
    _ = speech(request)
    return page(
        request,
        "login/log_out.html",
        forms_to=(origin_of(leaving.onward),) if leaving.onward else (),
        title=_("Log out"),
        app=leaving.app,
        fields={name: fields[name] for name in SAID if name in fields},
        names=sorted({name for _sid, name in await _here(request, leaving)}),
    )


def _gone(request: Asked, leaving: Leaving) -> Response[Any]:
    if leaving.onward is not None:
        return Redirect(leaving.onward, status_code=303)
    _ = speech(request)
    return page(request, "login/logged_out.html", title=_("Logged out"), app=leaving.app)


ROUTES = [logout, logout_by_form, logout_confirmed]
