"""Testing an app: an impersonation at it, for its developers, and what the panel has seen the app do about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.impersonation import Impersonation
from bindings.login import Login
from bindings.logout_tokens import Outcome
from bindings.standing import REFRESH
from bindings.tokens import Token
from control.pages.parts.app_page import framed, own_app
from control.pages.parts.deliveries import ShownDelivery, deliveries_of
from control.pages.parts.fields import Id
from control.pages.parts.session import Session, acting
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import Membership, User
from tenants.phones import Extension, Licence
from tenants.reach import below
from tenants.roles import Permission
from tenants.tree import Tenant

OFFERED = 100
"""People to be signed in as."""
LOOK_AGAIN = 5
"""Seconds after which the page loads itself again while it waits for the app."""

_tokens = Token.__table__


class State(StrEnum):
    """How one thing that an app has to do stands."""

    OK = "ok"
    WAIT = "wait"
    """It is the app's turn."""
    TURN = "turn"
    """It is the reader's turn."""
    BAD = "bad"
    OFF = "off"
    """The app does without it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that an app has to do, how it stands, and since when."""

    name: str
    state: State
    sentence: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a test: its row, the logins that it gave, and what the app was told of their end."""

    app: App
    stand: Impersonation
    over: tuple[str, datetime] | None
    logins: Sequence[Login]
    refresh_tokens: int
    deliveries: Sequence[ShownDelivery]


@get("/apps/{app_id:int}/test", may=Permission.MANAGE_APPS, outlives=True, include_in_schema=False)
async def show_test(request: Request[Visitor, Any, Any], session: Session, app_id: Id) -> Response[Any]:
    """The reader's newest impersonation at this app, step by step, and the way to begin one."""
    app, now, _ = await own_app(session, app_id), request.user.now, speech(request)
    stand = await _newest(request, session, app)
    seen = await _seen(request, session, app, stand, now) if stand is not None else None
    checks = [check(seen, _) for check in CHECKS] if seen is not None else []
    waits = any(check.state is State.WAIT for check in checks)
    owner = await session.get_one(Tenant, app.tenant_id)
    shown = await framed(
        request,
        session,
        app,
        "test",
        "apps/test.html",
        title=_("Test %(app)s") % {"app": app.name},
        people=[] if waits or app.handoff_uri is None else await _people(request, session, app, owner),
        stand=stand,
        over=seen.over if seen else None,
        checks=checks,
        waits=waits,
    )
    if waits:
        shown.headers["Refresh"] = str(LOOK_AGAIN)
    return shown


@post("/apps/{app_id:int}/test/end", may=Permission.MANAGE_APPS, outlives=True, include_in_schema=False)
async def end_test(request: Request[Visitor, Any, Any], session: Session, app_id: Id) -> Redirect:
    """End the reader's own test, to see whether the app hears of it."""
    app, now, _ = await own_app(session, app_id), request.user.now, speech(request)
    stand = await _newest(request, session, app)
    ended = stand is not None and stand.ended_at is None and await stand.stop(session, acting(request), now)
    said = _("Ended.") if ended else _("There was nothing left to end.")
    return see_other(request, f"/apps/{app.id}/test", say=said)


async def _newest(request: Request[Visitor, Any, Any], session: AsyncSession, app: App) -> Impersonation | None:
    """The reader's own: what others do at the app is no test of theirs."""
    true = acting(request).true
    mine = sa.select(Impersonation).where(
        Impersonation.app_id == app.id, Impersonation.user_id == (true.user_id if true else 0)
    )
    return (await session.scalars(mine.order_by(Impersonation.id.desc()).limit(1))).one_or_none()


async def _seen(
    request: Request[Visitor, Any, Any], session: AsyncSession, app: App, stand: Impersonation, now: datetime
) -> Seen:
    wanted = sa.select(Login).where(Login.impersonation_id == stand.id)
    logins = (await session.scalars(wanted)).all()
    given = sa.select(sa.func.count()).where(
        _tokens.c.login_id.in_([login.id for login in logins]), _tokens.c.kind == REFRESH
    )
    tokens = (await session.execute(given)).scalar_one()
    told = await deliveries_of(request, session, impersonation_id=stand.id)
    return Seen(app, stand, stand.over(now), logins, tokens, told)


async def _people(
    request: Request[Visitor, Any, Any], session: AsyncSession, app: App, owner: Tenant
) -> list[tuple[int, str]]:
    """Who can be signed in at the app, within the reader's reach: (membership, words)."""
    wanted = (
        sa.select(Membership.id, User.name, Tenant.name)
        .join(User, User.id == Membership.user_id)
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .where(below(Tenant.path, owner.path), Membership.discarded_at.is_(None))
        .where(Membership.user_id != acting(request).standing.user_id)
        .order_by(Tenant.name, User.name)
        .limit(OFFERED)
    )
    if app.product_id is not None:
        holders = sa.select(Extension.membership_id).join(Licence, Licence.extension_id == Extension.id)
        holds = holders.where(Licence.product_id == app.product_id, Licence.discarded_at.is_(None))
        wanted = wanted.where(Membership.id.in_(holds))
    return [(number, f"{name}, {place}") for number, name, place in await session.execute(wanted)]


def _hand_off(seen: Seen, _: Callable[[str], str]) -> Check:
    name = _("Hand-off")
    if seen.stand.seen_at is not None:
        return Check(name, State.OK, _("The app exchanged it for an access token."), seen.logins[0].created_at)
    if seen.over is not None:
        return Check(name, State.BAD, _("The app did not exchange the code in the fragment of its address."))
    return Check(name, State.WAIT, _("The app has not exchanged the code yet."))


def _banner(seen: Seen, _: Callable[[str], str]) -> Check:
    name = _("Banner")
    if seen.stand.banner_at is not None:
        return Check(name, State.OK, _("The app said that it shows the banner."), seen.stand.banner_at)
    if seen.over is not None:
        return Check(name, State.BAD, _("The app never said that it shows the banner."))
    return Check(name, State.WAIT, _("The app has not said yet that it shows the banner."))


def _alive(seen: Seen, _: Callable[[str], str]) -> Check:
    name = _("Signs of life")
    if seen.stand.beat_at is not None:
        return Check(
            name, State.OK, _("The app's page says that it is there: a closed tab is noticed."), seen.stand.beat_at
        )
    if seen.over is not None:
        return Check(name, State.OFF, _("The app's page never said that it is there: a closed tab is not noticed."))
    return Check(name, State.WAIT, _("The app's page has not said yet that it is there."))


def _refresh(seen: Seen, _: Callable[[str], str]) -> Check:
    name = _("Refresh")
    if seen.refresh_tokens:
        return Check(name, State.BAD, _("A refresh token was given, which must not be."))
    return Check(name, State.OK, _("No refresh token was given: the access token ends with the impersonation."))


def _logout(seen: Seen, _: Callable[[str], str]) -> Check:
    name = _("Logout")
    if seen.app.backchannel_logout_uri is None:
        said = _("The app has no address for back-channel logout: it learns of the end when it asks next.")
        return Check(name, State.OFF, said)
    if seen.over is None:
        return Check(name, State.TURN, _("End it now, below, and see whether the app hears of it."))
    told = seen.deliveries[0] if seen.deliveries else None
    if told is None:
        if any(login.ended_at is None for login in seen.logins):
            return Check(name, State.WAIT, _("The app is told in a moment."))
        return Check(name, State.BAD, _("The app had no address when this began. Begin another one."))
    if told.outcome is Outcome.ACKNOWLEDGED:
        return Check(name, State.OK, _("The app acknowledged that it has ended."), told.told_at)
    state = State.BAD if told.outcome is Outcome.GIVEN_UP or told.tries else State.WAIT
    if told.trouble is None:
        return Check(name, state, _("The app is told in a moment."))
    return Check(name, state, _("The app did not acknowledge it: %(trouble)s.") % {"trouble": told.trouble})


CHECKS = (_hand_off, _banner, _alive, _refresh, _logout)

ROUTES = [show_test, end_test]
