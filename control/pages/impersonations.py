"""Impersonations in reach: those that go on, with their End; those that are over; and both as CSV."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.impersonation import Impersonation, find_impersonation
from control.doors import SIGNED_IN
from control.local_path import path_of
from control.looks import query
from control.pages.parts.asked import filters_in, id_in, one_of, words_in
from control.pages.parts.ended_how import causes, ended_how
from control.pages.parts.exports import csv_file, record_export
from control.pages.parts.fields import Id
from control.pages.parts.session import Session, acting, house_of
from control.pages.parts.shown_bindings import may_bind, newest_bindings
from control.pages.parts.shown_impersonations import (
    FILTERS,
    PAST,
    SORTS,
    ShownImpersonation,
    impersonations_asked,
    newest_live,
    shown_impersonations,
)
from control.paging import MOST, page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import User
from tenants.refusals import Invalid
from tenants.roles import Permission
from tenants.tree import find_tenant
from tenants.verbs import Verb

SEES = Permission.SEE_STAND_INS
COUNTED = 10_000
"""A longer list is said to be longer."""
COLUMNS = [
    "id",
    "kind",
    "where",
    "app",
    "who",
    "as",
    "e-mail",
    "company",
    "extension",
    "mode",
    "reason",
    "ticket",
    "started (UTC)",
    "until (UTC)",
    "ended (UTC)",
    "seconds",
    "how it ended",
    "changes",
]


@get("/impersonations", may=SEES, outlives=False, include_in_schema=False)
async def every(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Those that go on, newest first, or with `state=past` those that are over; `format=csv` exports exactly those."""
    params = filters_in(request.query_params, *FILTERS)
    if one_of(request.query_params, "format", "csv"):
        return await export(request, session, params)
    past = params.get("state") == PAST
    actor, _ = acting(request), speech(request)
    company, person = id_in(params, "company"), id_in(params, "person")
    return page(
        request,
        "impersonations/list.html",
        title=_("Past Impersonation Sessions") if past else _("Active Impersonation Sessions"),
        past=past,
        causes=causes(locale_of(request)),
        company=await find_tenant(session, company) if company else None,
        person=await session.get(User, person) if person else None,
        ends=actor.may(Permission.END_STAND_INS) and not actor.look,
        whole=actor.reach().whole and not actor.standing_in and actor.may(Permission.MANAGE_APPS),
        bindings=[] if past else await newest_bindings(session, actor, request.user.now),
        own_tab=f"/users/{actor.standing.user_id}/bindings" if may_bind(actor) else None,
        **await _listed(request, session, params),
    )


@get("/impersonations/rows", may=SEES, outlives=False, quiet=True, include_in_schema=False)
async def rows(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The table alone, for the script that was told of a change; `brief` is the one of the overview."""
    params = filters_in(request.query_params, *FILTERS)
    brief = bool(one_of(request.query_params, "brief", "1"))
    if brief:
        shown = await newest_live(session, acting(request), request.user.now, locale_of(request))
        listed: dict[str, Any] = {"rows": shown.rows, "total": shown.total, "params": {}, "live_at": BRIEF}
    else:
        listed = await _listed(request, session, params)
    title = speech(request)("Active Impersonation Sessions")
    return page(request, "impersonations/rows.html", title=title, past=False, brief=brief, **listed)


BRIEF = "/impersonations/rows?brief=1"
"""Where the overview's table comes from."""


async def _listed(request: Request[Visitor, Any, Any], session: AsyncSession, params: dict[str, str]) -> dict[str, Any]:
    """One page of the list that an address asks for."""
    visitor, sort = request.user, params.get("sort", "-started")
    wanted = await impersonations_asked(session, params, visitor.now)
    cursor = words_in(request.query_params, "cursor") or None
    found = await page_of(session, wanted, SORTS, sort=sort, cursor=cursor)
    total = await counted(session, wanted)
    return {
        "rows": await shown_impersonations(session, found.items, acting(request), visitor.now, locale_of(request)),
        "total": min(total, COUNTED),
        "uncounted": total > COUNTED,
        "next": found.next,
        "cursor": cursor,
        "sort": sort,
        "params": params,
        "live_at": "/impersonations/rows" + query(params, cursor=cursor),
    }


async def counted(session: AsyncSession, wanted: sa.Select[Impersonation]) -> int:
    """How many there are, as far as anybody counts."""
    some = wanted.with_only_columns(Impersonation.id).limit(COUNTED + 1).subquery()
    return (await session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()


def locale_of(request: Request[Visitor, Any, Any]) -> str:
    """The language of whoever reads the page."""
    return request.user.reader.locale if request.user.reader else "en"


async def export(request: Request[Visitor, Any, Any], session: AsyncSession, params: dict[str, str]) -> Response[Any]:
    """All of the list as CSV, read a page at a time; written down before it goes."""
    sort = params.get("sort", "-started")
    if sort.removeprefix("-") not in SORTS:
        raise Invalid(f"Sort by one of {', '.join(SORTS)}.", field="sort")
    visitor, actor = request.user, acting(request)
    wanted = await impersonations_asked(session, params, visitor.now)
    await record_export(request, Verb.IMPERSONATIONS_EXPORTED, format="csv", filters=params)

    async def pages(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        cursor: str | None = None
        while True:
            found = await page_of(session, wanted, SORTS, sort=sort, cursor=cursor, limit=MOST)
            shown = await shown_impersonations(session, found.items, actor, visitor.now, locale_of(request))
            yield [_cells(row) for row in shown]
            session.expunge_all()
            cursor = found.next
            if cursor is None:
                return

    return csv_file(request, "impersonations", COLUMNS, pages)


def _cells(row: ShownImpersonation) -> list[object]:
    """A line of the export: what the list shows."""
    return [
        row.id,
        row.kind,
        row.where,
        row.app,
        row.actor_name,
        row.subject_name,
        row.subject_email,
        row.tenant_name,
        row.number,
        row.mode,
        row.reason,
        row.ticket,
        _stamp(row.created_at),
        _stamp(row.ends_at),
        _stamp(row.ended_at),
        row.seconds,
        row.ended_how,
        row.changes,
    ]


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


@post("/impersonations/{impersonation_id:int}/end", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def end(request: Request[Visitor, Any, Any], session: Session, impersonation_id: Id) -> Response[Any]:
    """End it now, with every login and token it gave; then back to where the button was."""
    row = await find_impersonation(session, impersonation_id)
    done = await row.stop(session, acting(request), request.user.now)
    _, names = speech(request), {"who": row.actor_name, "name": row.subject_name}
    if done:
        said = _("Ended. %(who)s is no longer signed in as %(name)s.") % names
    else:
        cause, _at = row.over(request.user.now) or (None, None)
        said = _("%(who)s was no longer signed in as %(name)s: %(how)s.") % {
            **names,
            "how": ended_how(cause, locale_of(request)),
        }
    return see_other(request, came_from(request), say=said)


def came_from(request: Request[Visitor, Any, Any]) -> str:
    """The page whose button it was, else where the reader sees impersonations."""
    back = path_of(request.headers.get("referer"), house_of(request).settings.public_url)
    return back or ("/impersonations" if acting(request).may(SEES) else "/home")


ROUTES = [every, rows, end]
