"""Entering: what is common to every way in, once somebody has proved who they are, wholly or half."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from control.local_path import local_path
from control.pages.parts.cookies import drop_half, keep_half, let_in
from control.pages.parts.leaving import give_way, hand_over
from control.visitor import Visitor
from tenants.actor import Identity
from tenants.identities import live_identities
from tenants.links import Link, Purpose
from tenants.people import User
from tenants.roles import RIGHTS, Permission
from tenants.sign_in import SignIn
from tenants.tree import Tenant

HALF = timedelta(minutes=5)
"""How long somebody whose password was right has for the second step."""


async def profiles_at(session: AsyncSession, user: User, layer: str | None) -> list[Identity]:
    """The person's live profiles that a sign-in page lets in: all at the house's own, those at or below a layer."""
    found = await live_identities(session, user_id=user.id)
    return [each for each in found if layer is None or each.path.startswith(layer)]


async def enter(
    session: AsyncSession,
    request: Request[Visitor, Any, Any],
    user: User,
    methods: Iterable[str],
    layer: str | None = None,
) -> tuple[Identity, str] | None:
    """A new sign-in for who has proved who they are in these ways; None when they have no place to be.

    `layer` is the path of the tenant whose own sign-in page this is: it admits only people at or below it. The
    browser's old sign-in gives way to the new one, so that a cookie set by somebody else is worth nothing.
    """
    visitor, old = request.user, request.user.sign_in
    identities = await profiles_at(session, user, layer)
    if not identities:
        return None
    again = old is not None and old.user_id == user.id
    chosen = next((each for each in identities if again and old and each.membership_id == old.membership_id), None)
    identity = chosen or identities[0]
    if old is not None and not again:
        await give_way(session, visitor, old)
    begun, secret = await SignIn.start(
        session, identity, visitor.origin, request.headers.get("user-agent", ""), visitor.now, methods
    )
    if old is not None and again:
        await hand_over(session, old, begun, visitor.now)
    return identity, secret


def lead_in(
    request: Request[Visitor, Any, Any], user: User, identity: Identity, secret: str, wanted: str
) -> Response[Any]:
    """Give the browser its sign-in, and go where one was going; on the way, to what a reset took away."""
    onward = destination(wanted, identity)
    if user.factors_reset_at is not None and not user.second_factor:
        onward = f"/account/second-factor?{urlencode({'next': onward})}"
    answer = Redirect(onward, status_code=303)
    let_in(request, answer, secret)
    drop_half(request, answer)
    return answer


def destination(wanted: str, identity: Identity | None) -> str:
    """Where one was going, when that is a page of this panel; else one's own start."""
    seeing = identity is not None and Permission.SEE_PEOPLE in RIGHTS[identity.role].may
    return local_path(wanted, "/" if seeing else "/home")


async def begin_half(session: AsyncSession, user: User, layer: str | None, request: Request[Visitor, Any, Any]) -> str:
    """Note that the password was right; returns the secret that only this browser holds."""
    about = int(layer.strip("/").rpartition("/")[2]) if layer else None
    now = request.user.now
    return await Link.make(session, Purpose.SECOND_FACTOR, HALF, now, user_id=user.id, about_id=about)


def lead_on(request: Request[Visitor, Any, Any], half: str, wanted: str) -> Response[Any]:
    """To the second step."""
    wanted = local_path(wanted, "")
    answer = Redirect("/sign-in/second-factor", query_params={"next": wanted} if wanted else {}, status_code=303)
    keep_half(request, answer, half, int(HALF.total_seconds()))
    return answer


async def layer_of(session: AsyncSession, link: Link) -> str | None:
    """The path of the tenant at whose own page the first step was done."""
    if link.about_id is None:
        return None
    return (await session.get_one(Tenant, link.about_id)).path
