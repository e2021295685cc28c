"""Discarding people, one or many: first who it is and what ends, then the deed, and Undo brings them back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.datastructures import MultiDict
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import endings
from bindings.what_ends import Ends, what_ends
from control.looks import query
from control.pages.parts.asked import filters_in, matching
from control.pages.parts.fields import Id, number_in, read_fields
from control.pages.parts.history import zone_and_locale
from control.pages.parts.session import Session, acting
from control.pages.parts.user_rows import FILTERS, users_asked
from control.pages.parts.user_tabs import crumbs
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.words import words
from tenants.actor import Actor
from tenants.people import User, find_user
from tenants.refusals import Invalid, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.trail import record
from tenants.verbs import Verb

MOST_AT_ONCE = 200
"""People in one go: a page can name so many, and a notice can take all of them back."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """Somebody on the page that asks: what ends with them, or why they stay."""

    user: User
    ends: Ends
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of several people: the ids of those it was done to, names and reasons of the others."""

    done: list[int]
    refused: list[tuple[str, str]]


@get("/users/{user_id:int}/discard", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def ask_one(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """The question before it: what ends with them."""
    user = await find_user(session, user_id)
    await user.require_discardable(session, acting(request))
    ends = await what_ends(session, [user.id], request.user.now)
    return page(
        request, "users/discard.html", title=user.name, crumbs=crumbs(request, user), user=user, ends=ends[user.id]
    )


@post("/users/{user_id:int}/discard", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def discard(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """Access goes at once; the record stays, and Undo brings it back."""
    user = await find_user(session, user_id)
    await endings.discard_user(session, acting(request), user, request.user.now)
    _ = speech(request)
    said = _("%(name)s is discarded and has no access any more.") % {"name": user.name}
    return see_other(request, f"/users/{user.id}", say=said, undo=(f"/users/{user.id}/undiscard", _("Undo")))


@post("/users/{user_id:int}/undiscard", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def undiscard(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """Bring the record back, as a plain member."""
    user = await find_user(session, user_id)
    await endings.undiscard_user(session, acting(request), user, request.user.now)
    said = speech(request)("%(name)s is back, as a plain member.") % {"name": user.name}
    return see_other(request, f"/users/{user.id}", say=said)


@get("/users/discard", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def ask_many(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The question for those ticked, or for all that the filters let through: who goes, what ends, who stays."""
    said, actor = request.query_params, acting(request)
    params = filters_in(said, *FILTERS)
    users = await _listed(session, request, params) if said.get("everything") else await _ticked(session, said)
    ends = await what_ends(session, [user.id for user in users], request.user.now)
    leaving = [Leaving(user, ends[user.id], await _refusal(session, actor, user)) for user in users]
    return page(
        request,
        "users/discard-many.html",
        title=speech(request)("Discard users"),
        crumbs=crumbs(request),
        going=[each for each in leaving if each.refusal is None],
        staying=[each for each in leaving if each.refusal is not None],
        params=params,
    )


@post("/users/discard", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def discard_many(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Those who may be discarded are, in one transaction; the others are told by name."""
    fields, actor = await read_fields(request), acting(request)
    users = await _found(session, fields.all("id"))

    async def deed(user: User) -> None:
        await endings.discard_user(session, actor, user, request.user.now)

    outcome = await _each(session, users, actor, "discard", deed)
    back = "/users" + query({name: fields.text(name) for name in FILTERS})
    undo = f"/users/undiscard?ids={'.'.join(map(str, outcome.done))}" if outcome.done else None
    if outcome.refused:
        return _told(request, "users/discarded-many.html", outcome, back=back, undo=undo)
    said = _plural(request)(
        "%(count)s person is discarded and has no access any more.",
        "%(count)s people are discarded and have no access any more.",
        len(outcome.done),
    )
    _ = speech(request)
    return see_other(request, back, say=said % {"count": len(outcome.done)}, undo=(undo, _("Undo")) if undo else None)


@post("/users/undiscard", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def undiscard_many(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Undo of discarding several: each comes back as a plain member, or is told by name."""
    actor = acting(request)
    users = await _found(session, str(request.query_params.get("ids", "")).split(".")[: MOST_AT_ONCE + 1])

    async def deed(user: User) -> None:
        await endings.undiscard_user(session, actor, user, request.user.now)

    outcome = await _each(session, users, actor, "undiscard", deed)
    if outcome.refused:
        return _told(request, "users/undiscarded-many.html", outcome)
    said = _plural(request)(
        "%(count)s person is back, as a plain member.",
        "%(count)s people are back, as plain members.",
        len(outcome.done),
    )
    return see_other(request, "/users", say=said % {"count": len(outcome.done)})


async def _ticked(session: AsyncSession, said: MultiDict[str]) -> list[User]:
    return await _found(session, said.getall("id", []))


async def _listed(session: AsyncSession, request: Request[Visitor, Any, Any], params: dict[str, str]) -> list[User]:
    """All that the list's filters let through."""
    asked = await users_asked(session, params)
    wanted = asked.statement(request.user.now).where(matching(params.get("q", ""), User.name, User.email))
    found = list(await session.scalars(wanted.order_by(User.name, User.id).limit(MOST_AT_ONCE + 1)))
    _require_some(len(found))
    return found


async def _found(session: AsyncSession, numbers: Sequence[str]) -> list[User]:
    """These people; OutOfReach when one of them is not there."""
    ids = {number_in(text) for text in numbers}
    _require_some(len(ids))
    found = list(await session.scalars(sa.select(User).where(User.id.in_(ids - {None})).order_by(User.name, User.id)))
    if len(found) != len(ids):
        raise OutOfReach
    return found


def _require_some(count: int) -> None:
    if not count:
        raise Invalid("Choose somebody first.", field="id")
    if count > MOST_AT_ONCE:
        raise Invalid(f"At most {MOST_AT_ONCE} people at once. Narrow the list first.", field="id")


async def _refusal(session: AsyncSession, actor: Actor, user: User) -> str | None:
    """Why this person could not be discarded."""
    try:
        await user.require_discardable(session, actor)
    except Refusal as refusal:
        return refusal.sentence
    return None


async def _each(
    session: AsyncSession, users: Sequence[User], actor: Actor, verb: str, deed: Callable[[User], Awaitable[None]]
) -> Outcome:
    """Do it to each, in a savepoint of their own: what is refused of one leaves the others as they are."""
    outcome = Outcome([], [])
    refusals: list[tuple[int, str]] = []
    for user in users:
        user_id, name = user.id, user.name
        try:
            async with session.begin_nested():
                await deed(user)
        except Refusal as refusal:
            refusals.append((user_id, refusal.rule))
            outcome.refused.append((name, refusal.sentence))
        else:
            outcome.done.append(user_id)
    # Written down at the end: a savepoint that is rolled back takes along what nobody flushed.
    for user_id, rule in refusals:
        place, path = actor.standing.tenant_id, f"/users/{user_id}/{verb}"
        record(session, Verb.REFUSED, None, place=place, rule=rule, path=path)
    return outcome


def _told(request: Request[Visitor, Any, Any], template: str, outcome: Outcome, **context: Any) -> Response[Any]:
    """A page rather than a notice, which would leave before anybody had read the names."""
    return page(
        request,
        template,
        status=200 if outcome.done else 409,
        title=speech(request)("Users"),
        crumbs=crumbs(request),
        done=len(outcome.done),
        refused=outcome.refused,
        **context,
    )


def _plural(request: Request[Visitor, Any, Any]) -> Callable[[str, str, int], str]:
    return words(zone_and_locale(request.user)[1]).ngettext


ROUTES = [ask_many, discard_many, undiscard_many, ask_one, discard, undiscard]
