"""Proof: a dangerous act asks again who is there, when they proved it longer than a quarter of an hour ago.

And some organizations ask their admins and operators for a second factor before they do anything at all.
"""

from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Request
from litestar.connection import ASGIConnection

from control.local_path import path_of
from control.visitor import Visitor
from tenants.factors import factor_missing
from tenants.refusals import NotPermitted, ProofNeeded


class ProveFirst(ProofNeeded):
    """Somebody at a browser is led to the proof page, and from there back to `back`, a path of this panel."""

    def __init__(self, back: str) -> None:
        super().__init__("Prove first that it is still you.")
        self.back = back


async def require_proof(connection: ASGIConnection[Any, Visitor, Any, Any]) -> None:
    """Refuse unless the visitor proved who they are within the last 15 minutes.

    The door asks it for every route with `proof=True`; a handler asks it where only some of what its form can say
    is dangerous. A key proves nothing, and while standing in nobody is asked for a password: whose would it be?
    """
    visitor = connection.user
    if visitor.actor is not None and visitor.actor.standing_in:
        raise NotPermitted("Stop impersonating first: this is done by people as themselves.", rule="outlives")
    if visitor.sign_in is None:
        raise ProofNeeded("This asks for a person who has just proved who they are. Do it in the panel.")
    if not visitor.sign_in.fresh(visitor.now):
        raise ProveFirst(await page_behind(connection))


class FactorFirst(ProveFirst):
    """Somebody at a browser is led to where a second factor is set up."""


async def require_factor(connection: ASGIConnection[Any, Visitor, Any, Any]) -> None:
    """Refuse while the organization asks for a second factor that is missing.

    The door asks it for every route without `before_factor=True`.
    """
    visitor = connection.user
    if visitor.actor is None or visitor.actor.true is None or not factor_missing(visitor.actor.true, visitor.sign_in):
        return
    asking = visitor.actor.true.tenant_name
    if visitor.sign_in is None:
        raise NotPermitted(
            f"{asking} asks its admins and operators for a second factor. Set one up in the panel, under Account.",
            rule="second_factor",
        )
    if visitor.actor.true.has_factor:
        raise ProveFirst(await page_behind(connection))
    raise FactorFirst("/account/second-factor")


async def page_behind(connection: ASGIConnection[Any, Visitor, Any, Any]) -> str:
    """The page to come back to: this one, or the one whose form this is, with what its route says to keep of it."""
    asked, opt = connection.url, connection.route_handler.opt
    if connection.scope.get("method") in {"GET", "HEAD"}:
        return asked.path + (f"?{asked.query}" if asked.query else "")
    if "proof_at" in opt:
        back = str(opt["proof_at"]).format(**connection.path_params)
    else:
        settings = connection.app.state.house.settings
        back = path_of(connection.headers.get("referer"), settings.public_url) or "/"
    typed = await _kept(connection, opt.get("proof_keeps", ()))
    return f"{urlsplit(back).path}?{typed}" if typed else back


async def _kept(connection: ASGIConnection[Any, Visitor, Any, Any], names: tuple[str, ...]) -> str:
    if not names:
        return ""
    form = await Request[Visitor, Any, Any](connection.scope, connection.receive).form()
    fields = [(name, value) for name, value in form.multi_items() if name in names]
    return urlencode([(name, value) for name, value in fields if isinstance(value, str) and value])
