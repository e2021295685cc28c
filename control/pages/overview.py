"""Overview: what lies in reach in numbers, who is somebody else now or at their next login, and what happened last."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from bindings.impersonation import Impersonation, goes_on
from control.doors import SIGNED_IN
from control.pages.impersonations import BRIEF, locale_of
from control.pages.parts.history import Line, told
from control.pages.parts.session import Session
from control.pages.parts.shown_bindings import may_bind, newest_bindings
from control.pages.parts.shown_impersonations import newest_live
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.history import Search
from tenants.people import User
from tenants.phones import Extension, PhoneSystem
from tenants.refusals import OutOfReach
from tenants.roles import Permission
from tenants.tree import Tenant

LATEST = 8
"""How many entries, impersonations and bindings are shown."""


@get("/", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def overview(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The start of everybody who sees more than themselves; a member's own page otherwise."""
    actor = request.user.actor
    if actor is None:
        raise OutOfReach
    if not actor.may(Permission.SEE_PEOPLE):
        return Redirect("/home", status_code=303)
    now, sees = request.user.now, actor.may(Permission.SEE_STAND_INS)
    reads = actor.may(Permission.READ_HISTORY)
    latest = (await told(session, request.user, Search(), limit=LATEST)).lines if reads else []
    return page(
        request,
        "overview.html",
        title=speech(request)("Overview"),
        tiles=await tiles(request, session, actor),
        impersonations=await newest_live(session, actor, now, locale_of(request), LATEST) if sees else None,
        live_at=BRIEF,
        bindings=await newest_bindings(session, actor, now, LATEST) if sees else [],
        sees_stand_ins=sees,
        reads=reads,
        latest=[in_brief(line) for line in latest],
        own_tab=f"/users/{actor.standing.user_id}/bindings" if may_bind(actor) else None,
        grows=not actor.standing_in
        and actor.may(Permission.MANAGE_TENANTS)
        and actor.standing.tenant_kind != "customer",
        invites=not actor.standing_in and actor.may(Permission.INVITE_MEMBERS),
    )


def in_brief(line: Line) -> Line:
    """A line without the fields of a new record, which its own page shows: only what was something else before."""
    return replace(line, changes=[each for each in line.changes if each["secret"] or each["before"]])


async def tiles(request: Request[Visitor, Any, Any], session: AsyncSession, actor: Actor) -> list[dict[str, Any]]:
    """How many there are of each kind that the reader may open."""
    _ = speech(request)
    companies = _("Organizations and companies")
    live, on = goes_on(request.user.now), Binding.ended_at.is_(None)
    kept = PhoneSystem.discarded_at.is_(None)
    counted = (
        ("/impersonations", _("Impersonations now"), Permission.SEE_STAND_INS, Impersonation.id, live),
        ("/bindings", _("Bindings on"), Permission.SEE_STAND_INS, Binding.id, on),
        ("/companies", companies, Permission.SEE_TENANTS, Tenant.id, Tenant.discarded_at.is_(None)),
        ("/users", _("Users"), Permission.SEE_PEOPLE, User.id, User.discarded_at.is_(None)),
        ("/phone-systems", _("Phone systems"), Permission.SEE_PHONES, PhoneSystem.id, kept),
        ("/extensions", _("Extensions"), Permission.SEE_PHONES, Extension.id, Extension.discarded_at.is_(None)),
    )
    shown_tiles = []
    for href, label, permission, number, counts in counted:
        if actor.may(permission):
            count = (await session.execute(sa.select(sa.func.count(number)).where(counts))).scalar_one()
            shown_tiles.append({"href": href, "count": count, "label": label})
    return shown_tiles


ROUTES = [overview]
