"""Users in reach: the list with its filters and its export, and one person's profile."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import filters_in, matching, one_of, words_in
from control.pages.parts.becoming import best_of
from control.pages.parts.exports import csv_file, record_export
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.session import Session
from control.pages.parts.shown_bindings import may_bind
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.pages.parts.user_actions import user_actions
from control.pages.parts.user_rows import (
    FILTERS,
    UserRow,
    becoming_people,
    memberships_of,
    user_rows,
    users_asked,
)
from control.pages.parts.user_tabs import crumbs, user_tabs
from control.pages.user_discard import MOST_AT_ONCE
from control.paging import MOST, page_of
from control.shell import page, see_other
from control.speech import speech
from control.users_asked import SORTS
from control.visitor import Visitor
from tenants.people import User, find_user
from tenants.refusals import Invalid, NotPermitted
from tenants.roles import Permission, Role
from tenants.tree import Tenant
from tenants.verbs import Verb

COUNTED = 10_000
"""A longer list is said to be longer: nobody waits for a million people to be counted."""
COLUMNS = [
    "id",
    "name",
    "e-mail",
    "role",
    "state",
    "companies and organizations",
    "teams",
    "last sign-in (UTC)",
    "second factor",
    "binding",
    "added (UTC)",
]


@get("/users", may=Permission.SEE_PEOPLE, outlives=False, include_in_schema=False)
async def every(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The list, by name unless asked otherwise; `format=csv` exports exactly those."""
    visitor, said = request.user, request.query_params
    params = filters_in(said, *FILTERS)
    asked, sort = await users_asked(session, params), params.get("sort", "name")
    wanted = asked.statement(visitor.now).where(matching(params.get("q", ""), User.name, User.email))
    if one_of(said, "format", "csv"):
        return await export(request, wanted, sort, params)
    cursor = words_in(said, "cursor") or None
    found = await page_of(session, wanted, SORTS, sort=sort, cursor=cursor)
    total = await counted(session, wanted)
    actor = visitor.actor
    return page(
        request,
        "users/list.html",
        title=speech(request)("Users"),
        crumbs=crumbs(request),
        rows=await user_rows(session, found.items, actor),
        next=found.next,
        cursor=cursor,
        total=min(total, COUNTED),
        uncounted=total > COUNTED,
        sort=sort,
        params=params,
        company=asked.place,
        roles=list(Role),
        at_once=MOST_AT_ONCE,
        manages=actor is not None and actor.may(Permission.MANAGE_PEOPLE),
        invites=actor is not None and actor.may(Permission.INVITE_MEMBERS),
        sees_bindings=actor is not None and actor.may(Permission.SEE_STAND_INS),
        binds=may_bind(actor),
    )


async def counted(session: AsyncSession, wanted: sa.Select[User]) -> int:
    """How many there are, as far as anybody counts."""
    some = wanted.with_only_columns(User.id).limit(COUNTED + 1).subquery()
    return (await session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()


async def export(
    request: Request[Visitor, Any, Any], wanted: sa.Select[User], sort: str, params: dict[str, str]
) -> Response[Any]:
    """All of the list as CSV, read a page at a time; written down before it goes."""
    if sort.removeprefix("-") not in SORTS:
        raise Invalid(f"Sort by one of {', '.join(SORTS)}.", field="sort")
    await record_export(request, Verb.USERS_EXPORTED, format="csv", filters=params)

    async def pages(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        cursor: str | None = None
        while True:
            found = await page_of(session, wanted, SORTS, sort=sort, cursor=cursor, limit=MOST)
            yield [cells(row) for row in await user_rows(session, found.items)]
            session.expunge_all()
            cursor = found.next
            if cursor is None:
                return

    return csv_file(request, "users", COLUMNS, pages)


def cells(row: UserRow) -> list[object]:
    """A line of the export: what the list shows."""
    user = row.user
    return [
        row.id,
        row.name,
        row.email,
        ", ".join(row.roles),
        "discarded" if user.discarded_at else "active" if row.live else "ended",
        ", ".join(row.places),
        ", ".join(team.name for team in row.teams),
        stamp(user.last_sign_in_at),
        "on" if user.second_factor else "off",
        row.binding.label if row.binding else None,
        stamp(user.created_at),
    ]


def stamp(moment: datetime | None) -> str | None:
    """A moment as every program reads it."""
    return moment.isoformat(timespec="seconds") if moment else None


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


async def barred(session: AsyncSession, visitor: Visitor, user: User) -> str | None:
    """Why the reader cannot discard this person; None where they can, or where it is done."""
    try:
        if visitor.actor is not None and user.discarded_at is None:
            await user.require_discardable(session, visitor.actor)
    except NotPermitted as refusal:
        return refusal.sentence
    return None


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
    memberships = (await memberships_of(session, [user.id])).get(user.id, [])
    become = (await becoming_people(session, actor, [user], {user.id: memberships})).get(user.id, [])
    return page(
        request,
        "users/profile.html",
        status=422 if errors else unseen.status,
        title=user.name,
        crumbs=crumbs(request, user),
        tabs=user_tabs(request, user, "profile"),
        user=user,
        home=home,
        memberships=memberships,
        become=best_of(become),
        becoming={offer.membership_id: offer for offer in become},
        typed=fields.text("name") if fields else user.name,
        errors=errors,
        unseen=unseen,
        manages=actor is not None and actor.may(Permission.MANAGE_PEOPLE),
        barred=await barred(session, request.user, user),
        actions=await user_actions(session, request.user, user),
        own=request.user.user is not None and request.user.user.id == user.id,
    )


ROUTES = [every, profile, rename]
