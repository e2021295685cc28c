"""The History tab of a user: the person, their memberships, bindings and factors, as far as the reader sees."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get

from bindings.binding import Binding
from control.pages.parts.fields import Id
from control.pages.parts.history import past_of
from control.pages.parts.session import Session
from control.pages.parts.user_tabs import crumbs, user_tabs
from control.shell import page
from control.visitor import Visitor
from tenants.email_changes import EmailChange
from tenants.passkeys import Passkey
from tenants.people import Membership, find_user
from tenants.roles import Permission
from tenants.second_factors import Totp

BINDINGS = 500
"""How many of the person's latest bindings are told of here; all of them stand in History."""


@get("/users/{user_id:int}/history", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def history(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """The tab, newest first."""
    user = await find_user(session, user_id)
    places = await session.scalars(sa.select(Membership.id).where(Membership.user_id == user.id))
    latest = sa.select(Binding.id).where(Binding.user_id == user.id).order_by(Binding.id.desc()).limit(BINDINGS)
    bound = await session.scalars(latest)
    also = [*(("memberships", number) for number in places), *(("bindings", number) for number in bound)]
    for kind in (EmailChange, Totp, Passkey):
        theirs = await session.scalars(sa.select(kind.id).where(kind.user_id == user.id))
        also += [(kind.__tablename__, number) for number in theirs]
    past = await past_of(request, session, "users", user.id, also=also)
    return page(
        request,
        "users/history.html",
        title=user.name,
        crumbs=crumbs(request, user),
        tabs=user_tabs(request, user, "history"),
        user=user,
        past=replace(past, history_href=f"/history?person={user.id}"),
    )


ROUTES = [history]
