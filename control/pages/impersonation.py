"""Impersonation: its story on one page: who, whom, why, until when; what was done; and that the apps know its end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.impersonation import Impersonation, find_impersonation
from bindings.login import Login
from control.doors import SIGNED_IN
from control.pages.impersonations import locale_of
from control.pages.parts.asked import words_in
from control.pages.parts.deliveries import trouble_words
from control.pages.parts.fields import Id
from control.pages.parts.history import Past, told
from control.pages.parts.session import Session, acting
from control.pages.parts.shown_impersonations import shown_impersonations, through_one
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.people import Membership
from tenants.roles import Permission
from tenants.trail import Entry

LOGINS = 50
"""One impersonation is opened at few apps: more than these are not listed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A login at an app that it made, and what the app knows of its end."""

    app: str | None
    """None where the reader does not see the app."""
    at: datetime
    ended_at: datetime | None
    asks: bool
    """The app gave an address at which it is told."""
    told_at: datetime | None
    tries: int
    error: str | None


@get("/impersonations/{impersonation_id:int}", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def show(request: Request[Visitor, Any, Any], session: Session, impersonation_id: Id) -> Response[Any]:
    """For whose it is, whom it concerns, and those who see stand-ins there."""
    actor, now = acting(request), request.user.now
    row = await find_impersonation(session, impersonation_id)
    shown = await shown_impersonations(session, [row], actor, now, locale_of(request))
    roles = sa.select(Membership.id, Membership.role).where(
        Membership.id.in_((row.actor_membership_id, row.subject_membership_id))
    )
    role_of = {each.id: each.role for each in await session.execute(roles)}
    names = {"who": row.actor_name, "name": row.subject_name}
    return page(
        request,
        "impersonations/show.html",
        title=speech(request)("%(who)s as %(name)s") % names,
        row=shown[0],
        actor_role=role_of.get(row.actor_membership_id),
        subject_role=role_of.get(row.subject_membership_id),
        opened=await opened(request, session, row, now),
        sees_lists=actor.may(Permission.SEE_STAND_INS),
        past=await _past(request, session, row),
    )


async def opened(
    request: Request[Visitor, Any, Any], session: AsyncSession, row: Impersonation, now: datetime
) -> list[Opened]:
    """The logins it made, the first one first, as far as the reader sees them."""
    wanted = sa.select(Login).where(Login.impersonation_id == row.id).order_by(Login.created_at, Login.id)
    logins = list(await session.scalars(wanted.limit(LOGINS)))
    apps = sa.select(App.id, App.name).where(App.id.in_({login.app_id for login in logins}))
    named = {each.id: each.name for each in await session.execute(apps)}
    _, over_at = row.over(now) or (None, None)
    return [
        Opened(
            named.get(login.app_id),
            login.created_at,
            login.ended_at or over_at,
            login.tell,
            login.told_at,
            login.tell_tries,
            trouble_words(login.tell_error, speech(request)) if login.tell_error else None,
        )
        for login in logins
    ]


async def _past(request: Request[Visitor, Any, Any], session: AsyncSession, row: Impersonation) -> Past:
    """How it began and ended, and all that was done through it."""
    cursor = words_in(request.query_params, "cursor") or None
    through = sa.and_(
        Entry.subject_membership_id == row.subject_membership_id, Entry.stand_in_id == row.id, through_one()
    )
    its_own = sa.and_(Entry.record_type == Impersonation.__tablename__, Entry.record_id == str(row.id))
    found = await told(session, request.user, sa.select(Entry).where(sa.or_(its_own, through)), cursor)
    reads = acting(request).may(Permission.READ_HISTORY)
    return Past(found, cursor, request.url.path, f"/history?record=impersonations:{row.id}" if reads else None)


ROUTES = [show]
