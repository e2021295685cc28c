"""Users in reach: the list, one person's profile, a new one; discarded and brought back."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings import endings
from bindings.binding import Binding
from control.pages.parts.asked import filters_in, matching, one_of, words_in
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.session import Session
from control.pages.parts.shown_bindings import may_bind
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.pages.parts.user_tabs import crumbs, user_tabs
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import Membership, User, find_user
from tenants.refusals import Invalid, OutOfReach
from tenants.roles import Permission
from tenants.tree import Tenant

SORTS = {"id": User.id, "name": User.name, "email": User.email}


@dataclass(frozen=True, slots=True)
class UserRow:
    """One line of the list: what lies in the reader's reach, and nothing of other places the person is in."""

    id: int
    name: str
    email: str
    user: User
    memberships: list[Membership]
    binding: Binding | None


@get("/users", may=Permission.SEE_PEOPLE, outlives=False, include_in_schema=False)
async def every(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The list, by name."""
    actor, said = request.user.actor, request.query_params
    params = filters_in(said, "q", "state", "sort")
    sort = params.get("sort", "name")
    wanted = asked(params.get("q", ""), one_of(params, "state", "discarded", "all"))
    found = await page_of(session, wanted, SORTS, sort=sort, cursor=words_in(said, "cursor") or None)
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    return page(
        request,
        "users/list.html",
        title=speech(request)("Users"),
        crumbs=crumbs(request),
        rows=await rows_of(session, found.items),
        next=found.next,
        total=total,
        sort=sort,
        params=params,
        manages=actor is not None and actor.may(Permission.MANAGE_PEOPLE),
        invites=actor is not None and actor.may(Permission.INVITE_MEMBERS),
        binds=may_bind(actor),
    )


def asked(q: str, state: str) -> sa.Select[User]:
    """People whose name or address holds every word of `q`; the active ones unless others are asked for."""
    wanted = sa.select(User).where(matching(q, User.name, User.email))
    if state == "all":
        return wanted
    return wanted.where(User.discarded_at.is_not(None) if state == "discarded" else User.discarded_at.is_(None))


async def rows_of(session: AsyncSession, users: list[User]) -> list[UserRow]:
    """These people with their places and their newest open binding, in two statements."""
    ids = [user.id for user in users]
    places = await memberships_of(session, ids)
    newest: dict[int, Binding] = {}
    open_ones = sa.select(Binding).where(Binding.user_id.in_(ids), Binding.ended_at.is_(None)).order_by(Binding.id)
    for binding in await session.scalars(open_ones):
        newest[binding.user_id] = binding
    return [
        UserRow(user.id, user.name, user.email, user, places.get(user.id, []), newest.get(user.id)) for user in users
    ]


async def memberships_of(session: AsyncSession, user_ids: list[int]) -> dict[int, list[Membership]]:
    """Where these people are, as far as the reader sees; live ones first."""
    found: dict[int, list[Membership]] = defaultdict(list)
    wanted = (
        sa.select(Membership)
        .where(Membership.user_id.in_(user_ids))
        .options(joinedload(Membership.tenant))
        .order_by(Membership.discarded_at.is_not(None), Membership.id)
    )
    for membership in await session.scalars(wanted):
        found[membership.user_id].append(membership)
    return found


@get("/users/{user_id:int}", may=Permission.SEE_PEOPLE, outlives=False, include_in_schema=False)
async def profile(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """The Profile tab."""
    return await show(request, session, await find_user(session, user_id), {})


@post("/users/{user_id:int}", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def rename(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """Another name, given by those who hold the person's home: elsewhere they are a guest."""
    fields = await read_fields(request)
    user = await find_user(session, user_id)
    await user.require_home(session)
    unseen = await unseen_changes(session, request.user, user, fields, {"name": fields.text("name")})
    if unseen.lines:
        return await show(request, session, user, {}, fields, unseen)
    try:
        await user.change(session, name=fields.text("name"))
    except Invalid as refusal:
        return await show(request, session, user, {"name": refusal.sentence}, fields)
    return see_other(request, f"/users/{user.id}", say=speech(request)("Saved."))


async def home_of(session: AsyncSession, user: User) -> Tenant | None:
    """The organization that keeps the person's record, when the reader's reach holds it."""
    return await session.get(Tenant, user.home_tenant_id)


async def show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    user: User,
    errors: dict[str, str],
    fields: Fields | None = None,
    unseen: Unseen | None = None,
) -> Response[Any]:
    """The Profile tab, with what is wrong if something is."""
    actor, unseen = request.user.actor, unseen or Unseen(user.last_entry_id)
    home = await home_of(session, user)
    return page(
        request,
        "users/profile.html",
        status=422 if errors else unseen.status,
        title=user.name,
        crumbs=crumbs(request, user),
        tabs=user_tabs(request, user, "profile"),
        user=user,
        home=home,
        memberships=(await memberships_of(session, [user.id])).get(user.id, []),
        typed=fields.text("name") if fields else user.name,
        errors=errors,
        unseen=unseen,
        manages=actor is not None and actor.may(Permission.MANAGE_PEOPLE),
        own=request.user.user is not None and request.user.user.id == user.id,
    )


@post("/users/{user_id:int}/discard", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def discard(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """Access goes at once; the record stays, and Undo brings it back."""
    visitor = request.user
    if visitor.actor is None:
        raise OutOfReach
    user = await find_user(session, user_id)
    await endings.discard_user(session, visitor.actor, user, visitor.now)
    _ = speech(request)
    said = _("%(name)s is discarded and has no access any more.") % {"name": user.name}
    return see_other(request, f"/users/{user.id}", say=said, undo=(f"/users/{user.id}/undiscard", _("Undo")))


@post("/users/{user_id:int}/undiscard", may=Permission.MANAGE_PEOPLE, outlives=True, include_in_schema=False)
async def undiscard(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """Bring the record back, as a plain member."""
    visitor = request.user
    if visitor.actor is None:
        raise OutOfReach
    user = await find_user(session, user_id)
    await endings.undiscard_user(session, visitor.actor, user, visitor.now)
    said = speech(request)("%(name)s is back, as a plain member.") % {"name": user.name}
    return see_other(request, f"/users/{user.id}", say=said)


ROUTES = [every, profile, rename, discard, undiscard]
