"""The account page as it is drawn: profile, password, sign-ins, API keys; after a refusal with what is wrong."""

from typing import Any
from zoneinfo import available_timezones

import sqlalchemy as sa
from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_consents import consents_of
from control.pages.parts.fields import Fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import changing
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.api_keys import DAYS, SCOPES, ApiKey
from tenants.people import User
from tenants.policy import Notice
from tenants.refusals import OutOfReach, Refusal
from tenants.sign_in import IDLE, LONGEST, SignIn
from tenants.tree import effective_policy

ZONES = sorted(zone for zone in available_timezones() if "/" in zone and zone.split("/")[0] not in {"posix", "right"})
OFFERED = ("read", "write")
"""The scopes of a key that are ticked unless one says otherwise."""
KEPT = 50


async def myself(request: Request[Visitor, Any, Any], session: AsyncSession) -> User:
    """The reader's own record, to change."""
    if request.user.user is None:
        raise OutOfReach
    return await session.get_one(User, request.user.user.id)


async def again(request: Request[Visitor, Any, Any], form: str, fields: Fields, refusal: Refusal) -> Response[Any]:
    """The page once more, with what was typed into one of its forms and why that was refused."""
    async with changing(request) as session:
        return await show(request, session, form=form, fields=fields, refusal=refusal)


async def show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    *,
    form: str = "",
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    secret: str | None = None,
) -> Response[Any]:
    """The page. `secret` is a new API key, shown this once."""
    user, visitor = await myself(request, session), request.user
    return page(
        request,
        "account/account.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Account"),
        user=user,
        zones=ZONES if user.zone in ZONES else [user.zone, *ZONES],
        form=form,
        fields=fields,
        errors=errors_of(refusal),
        sign_ins=await _sign_ins(session, visitor),
        here=visitor.sign_in.id if visitor.sign_in else None,
        keys=await _keys(session, user),
        scopes=SCOPES,
        ticked=fields.all("scopes") if form == "key" else OFFERED,
        days=fields.text("days") or DAYS,
        secret=secret,
        told=await consents_of(session, user.id, KEPT),
        letters=await _letters(session, visitor),
        fresh=visitor.sign_in is not None and visitor.sign_in.fresh(visitor.now),
    )


async def _letters(session: AsyncSession, visitor: Visitor) -> Notice:
    """What the company that the reader is in asks for about letters on stand-ins."""
    return (await effective_policy(session, visitor.identity.path)).notice if visitor.identity else Notice.NONE


async def _sign_ins(session: AsyncSession, visitor: Visitor) -> list[SignIn]:
    """The browsers in which the reader is signed in, the latest seen first."""
    now = visitor.now
    alive = sa.select(SignIn).where(
        SignIn.ended_at.is_(None), SignIn.last_seen_at > now - IDLE, SignIn.created_at > now - LONGEST
    )
    return list(await session.scalars(alive.order_by(SignIn.last_seen_at.desc(), SignIn.id.desc()).limit(KEPT)))


async def _keys(session: AsyncSession, user: User) -> list[ApiKey]:
    """The reader's API keys that were not revoked, newest first."""
    mine = sa.select(ApiKey).where(ApiKey.user_id == user.id, ApiKey.revoked_at.is_(None))
    return list(await session.scalars(mine.order_by(ApiKey.id.desc()).limit(KEPT)))
