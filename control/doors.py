"""Doors: every route says who may pass and how it treats a stand-in; one guard reads it, closed by default.

`may` is a Permission, or one of the named exceptions below. `outlives=False` opens a route to stand-ins: nothing
done there outlives them. A route without both stops the app from starting. Of an open form that also holds what would
outlive them, the trail refuses that part (tenants/trail.py, `lends` of each kind of record).

`proof=True` asks besides for a proof of who is there that is not older than 15 minutes (control/proof.py). For a form
`proof_at="/path/{id}"` names the page to come back to (where the browser says it came from, by default), and
`proof_keeps=(…)` the fields that this page takes from its address, so that nothing typed is lost.

`starts=True` is a start of a stand-in: whoever stands in already is told so (409, rule `nested`).
`leaves=True` is a way out, open to who stands in to look only; `when_over=True` is open while nobody has read yet that
an impersonation ended: everything else answers with the page that says so, so that nobody is switched back in silence.
`reveals=True` opens what is private, and is closed to who stands in to look only, whatever the method.

Programs are counted (control/rate_limits.py): where a key is asked for, under its quota; elsewhere `quota="app"` or
`quota="network"` says which. `kept_open=True` is a way to stop something, counted apart.

Where an organization asks its admins and operators for a second factor, who has none passes only the routes with
`before_factor=True`: to set one up, to be somebody else, and to leave.
"""

import hmac
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.handlers.http_handlers import HTTPRouteHandler
from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.proof import ProveFirst, require_factor, require_proof
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.reach import Reach
from tenants.refusals import Conflict, NotPermitted, Refusal
from tenants.roles import Permission
from tenants.trail import record
from tenants.verbs import Verb

ANYONE = "anyone"
"""No sign-in needed: sign-in itself, health, discovery, protocol endpoints that check their own credentials."""
SIGNED_IN = "signed_in"
"""Anybody who is signed in (or holds a key), whatever their role."""
EXCEPTIONS = frozenset({ANYONE, SIGNED_IN})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class BareDoor(Exception):
    """A route does not say who may pass, or how it treats a stand-in."""


def check_every_door(app: Litestar) -> None:
    """Refuse to start with a route that lacks `may=` or `outlives=`."""
    bare = []
    for route in app.routes:
        handlers: list[BaseRouteHandler] = getattr(route, "route_handlers", None) or [route.route_handler]  # type: ignore[union-attr]
        for handler in handlers:
            if _answers_options(handler):
                continue
            may, outlives = handler.opt.get("may"), handler.opt.get("outlives")
            # A proof is asked of people as themselves, so that what asks for one is never open to a stand-in.
            proves = handler.opt.get("proof") and not handler.opt.get("starts") and outlives is not True
            if not (isinstance(may, Permission) or may in EXCEPTIONS) or not isinstance(outlives, bool) or proves:
                bare.append(f"{route.path} ({handler.handler_name})")
    if bare:
        raise BareDoor("These routes do not say may= and outlives=: " + ", ".join(sorted(set(bare))))


def _answers_options(handler: BaseRouteHandler) -> bool:
    """The framework's own answer to OPTIONS: it names methods and does nothing."""
    return (
        isinstance(handler, HTTPRouteHandler) and set(handler.http_methods) == {"OPTIONS"} and "may" not in handler.opt
    )


async def door(connection: ASGIConnection[Any, Visitor, Any, Any], handler: BaseRouteHandler) -> None:
    """The one guard: who are you, may you do this, is it really your form."""
    if _answers_options(handler):
        return
    visitor, may = connection.user, handler.opt["may"]
    if visitor.held_back is not None:
        raise visitor.held_back
    if visitor.over is not None and not handler.opt.get("when_over"):
        raise ItIsOver
    if isinstance(handler, HTTPRouteHandler) and method_of(connection) not in SAFE:
        await _require_own_form(connection, handler, visitor)
    if visitor.actor is None:
        if may == ANYONE:
            return
        raise NotAuthorizedException("Sign in first.")
    try:
        if may == ANYONE:
            _require_lent(connection, handler, visitor.actor)
        else:
            await require_right(connection, handler, visitor.actor)
    except Refusal as refusal:
        await mark_refusal(connection.app.state.house, visitor, refusal, connection.scope["path"])
        raise


async def require_right(
    connection: ASGIConnection[Any, Visitor, Any, Any], handler: BaseRouteHandler, actor: Actor
) -> None:
    """What is asked of somebody who is known: the credential, how they appear, their role, what they proved."""
    may = handler.opt["may"]
    _require_scope(connection, handler, actor)
    _require_lent(connection, handler, actor)
    if isinstance(may, Permission) and not actor.may(may):
        raise NotPermitted("Your role here does not include this. Ask an admin of your organization.")
    if not handler.opt.get("before_factor"):
        await require_factor(connection)
    if handler.opt.get("proof"):
        await require_proof(connection)


def _require_lent(connection: ASGIConnection[Any, Visitor, Any, Any], handler: BaseRouteHandler, actor: Actor) -> None:
    """What is open to somebody who stands in: no second start, nothing that outlives it, and to a look no change."""
    if not actor.standing_in:
        return
    if handler.opt.get("starts"):
        raise Conflict("You are signed in as somebody else. Stop that first.", rule="nested")
    if handler.opt["outlives"]:
        raise NotPermitted("Stop impersonating first: this would outlive your standing in.", rule="outlives")
    if actor.look and handler.opt.get("reveals"):
        raise NotPermitted("You are signed in to look only: nothing private is opened.", rule="look")
    if actor.look and method_of(connection) not in SAFE and not handler.opt.get("leaves"):
        raise NotPermitted("You are signed in to look only: nothing can be changed.", rule="look")


class ItIsOver(Conflict):
    """The impersonation of this browser has ended, and nobody has read so yet."""

    def __init__(self) -> None:
        super().__init__("Your impersonation has ended. Nothing was saved.", rule="over")


def method_of(connection: ASGIConnection[Any, Visitor, Any, Any]) -> str:
    """The HTTP method; nothing for other kinds of connection."""
    return str(connection.scope.get("method", ""))


def _require_scope(connection: ASGIConnection[Any, Visitor, Any, Any], handler: BaseRouteHandler, actor: Actor) -> None:
    if actor.scopes is None:
        return
    wanted = handler.opt.get("scope") or ("read" if method_of(connection) in SAFE else "write")
    if wanted not in actor.scopes:
        raise NotPermitted(f"This key does not have the scope “{wanted}”.", rule="scope")


async def _require_own_form(
    connection: ASGIConnection[Any, Visitor, Any, Any], handler: BaseRouteHandler, visitor: Visitor
) -> None:
    """A change by cookie comes from our own page: same origin, the visitor's token, the same acting identity."""
    if handler.opt.get("credential", "cookie") != "cookie" or handler.opt.get("csrf") is False:
        return
    house: House = connection.app.state.house
    site = connection.headers.get("sec-fetch-site", "same-origin")
    origin = connection.headers.get("origin")
    ours = urlsplit(house.settings.public_url)
    if site not in {"same-origin", "none"} or (origin is not None and origin != f"{ours.scheme}://{ours.netloc}"):
        raise NotPermitted("This form did not come from this panel.", rule="csrf")
    form = await Request[Visitor, Any, Any](connection.scope, connection.receive).form()
    acting = form.get("_acting")
    if (acting is not None or visitor.stand_in is not None) and acting != visitor.acting_id:
        raise Conflict("You are acting as someone else in another tab, so nothing was saved.", rule="acting")
    given = connection.headers.get("x-csrf-token") or form.get("_csrf_token") or ""
    expected = visitor.csrf(house.settings)
    if not expected or not hmac.compare_digest(str(given), expected):
        raise NotPermitted("This form is too old. Load the page again.", rule="csrf")


async def session_of(request: Request[Visitor, Any, Any]) -> AsyncIterator[AsyncSession]:
    """The request's database session: the actor's reach, one transaction, committed before the answer is sent."""
    house: House = request.app.state.house
    visitor = request.user
    actor = visitor.actor or Actor.house("stranger", visitor.origin)
    reach = visitor.actor.reach() if visitor.actor else Reach.nothing()
    writes = request.method not in SAFE or bool(request.route_handler.opt.get("writes"))
    try:
        async with house.store.work(actor, reach, visitor.now, writes=writes) as session:
            yield session
    except Refusal as refusal:
        if request.method not in SAFE:
            await mark_refusal(house, visitor, refusal, request.url.path)
        raise


async def mark_refusal(house: House, visitor: Visitor, refusal: Refusal, path: str) -> None:
    """A refused act is written down too, in its own small transaction, at the actor's tenant; it resolves nothing."""
    actor = visitor.actor
    if actor is None or refusal.status in {400, 422} or isinstance(refusal, ProveFirst):
        return
    async with house.store.work(actor, actor.reach(), visitor.now) as session:
        record(session, Verb.REFUSED, None, place=actor.standing.tenant_id, rule=refusal.rule, path=path[:200])
