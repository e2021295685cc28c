"""Binding: its story on one page: who, whom, why, until when, the logins made through it, and its history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding, find_binding
from bindings.login import Login
from control.doors import SIGNED_IN
from control.pages.parts.asked import words_in
from control.pages.parts.fields import Id
from control.pages.parts.history import Past, told
from control.pages.parts.session import Session
from control.pages.parts.shown_bindings import shown
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Via
from tenants.history import Search, newest
from tenants.people import Membership
from tenants.refusals import OutOfReach
from tenants.roles import Permission
from tenants.trail import Entry
from tenants.verbs import Verb

LOGINS = 20
"""The latest logins are listed; all of them stand in the history."""


@dataclass(frozen=True, slots=True)
class Made:
    """One login made through the binding. What the reader does not see of its end is None."""

    at: datetime
    app: str
    ended_at: datetime | None
    ends_at: datetime | None
    seen: bool


@get("/bindings/{binding_id:int}", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def show_binding(request: Request[Visitor, Any, Any], session: Session, binding_id: Id) -> Response[Any]:
    """For whose it is, whose login it opens, and those who see stand-ins there."""
    actor = request.user.actor
    if actor is None:
        raise OutOfReach
    binding = await find_binding(session, binding_id)
    setter = (
        sa.select(Membership).where(Membership.id == binding.made_by_id).options(sa.orm.joinedload(Membership.user))
    )
    made_by = (await session.scalars(setter)).one_or_none() if binding.made_by_id != binding.membership_id else None
    return page(
        request,
        "bindings/show.html",
        title=speech(request)("Binding of %(who)s to %(name)s")
        % {"who": binding.actor_name, "name": binding.subject_name},
        binding=(await shown(session, [binding], actor, request.user.now))[0],
        accepted_at=binding.accepted_at,
        made_by=made_by.user.name if made_by else None,
        logins=await logins_through(session, binding),
        sees_lists=actor.may(Permission.SEE_STAND_INS),
        sees_phones=actor.may(Permission.SEE_PHONES),
        past=await _past(request, session, binding),
    )


async def logins_through(session: AsyncSession, binding: Binding) -> list[Made]:
    """The latest logins, from the history of their subject: it keeps them, and who may see them."""
    subjects, through = (binding.subject_membership_id,), Entry.stand_in_id == binding.id
    found = await newest(
        session, Search(subjects=subjects, verb=Verb.LOGGED_IN.value, narrowed=(through,)), limit=LOGINS
    )
    sids = [str(entry.details.get("sid")) for entry in found.entries]
    rows = {login.id: login for login in await session.scalars(sa.select(Login).where(Login.id.in_(sids)))}
    return [_made(entry, rows.get(str(entry.details.get("sid")))) for entry in found.entries]


def _made(entry: Entry, login: Login | None) -> Made:
    ended_at, ends_at = (login.ended_at, login.ends_at) if login else (None, None)
    return Made(entry.occurred_at, entry.record_name or "", ended_at, ends_at, login is not None)


async def _past(request: Request[Visitor, Any, Any], session: AsyncSession, binding: Binding) -> Past:
    """What happened to it and what was done through it."""
    cursor = words_in(request.query_params, "cursor") or None
    through = sa.and_(
        Entry.subject_membership_id == binding.subject_membership_id,
        Entry.stand_in_id == binding.id,
        Entry.via == Via.BINDING.value,
    )
    its_own = sa.and_(Entry.record_type == "bindings", Entry.record_id == str(binding.id))
    found = await told(session, request.user, sa.select(Entry).where(sa.or_(its_own, through)), cursor)
    actor = request.user.actor
    reads = actor is not None and actor.may(Permission.READ_HISTORY)
    return Past(found, cursor, request.url.path, f"/history?record=bindings:{binding.id}" if reads else None)


ROUTES = [show_binding]
