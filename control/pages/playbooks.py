"""Playbooks: the list, new ones, each with all its versions, two of them compared, an older one restored."""

from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.markdown import rendered
from control.pages.parts.asked import filters_in, id_in, matching, one_of, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Fields, Id, number_in, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import past_of
from control.pages.parts.session import Session, acting, changing
from control.pages.parts.tenant_choice import tenants_to_choose
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.playbooks import LONGEST, Playbook, find_playbook, find_version, versions_of
from tenants.refusals import Conflict, Invalid, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant

SEE, EDIT = Permission.SEE_COMPANY_RECORDS, Permission.EDIT_COMPANY_RECORDS
SORTS: dict[str, sa.SQLColumnExpression[Any]] = {"id": Playbook.id, "title": Playbook.title}
RAIL = 100
"""How many versions the page lists; older ones are reached by their address."""
Asked = Request[Visitor, Any, Any]


@get("/playbooks", may=SEE, outlives=False, include_in_schema=False)
async def every(request: Asked, session: Session) -> Template:
    """Every playbook in reach, by title."""
    said = request.query_params
    params = filters_in(said, "q", "company", "state", "sort")
    sort, cursor, tenant_id = params.get("sort", "title"), words_in(said, "cursor") or None, id_in(params, "company")
    gone = one_of(params, "state", "discarded")
    wanted = sa.select(Playbook).where(
        Playbook.discarded_at.is_not(None) if gone else Playbook.discarded_at.is_(None),
        matching(params.get("q", ""), Playbook.title),
    )
    if tenant_id:
        wanted = wanted.where(Playbook.tenant_id == tenant_id)
    found = await page_of(session, wanted, SORTS, sort=sort, cursor=cursor)
    return page(
        request,
        "playbooks/list.html",
        title=speech(request)("Playbooks"),
        rows=found.items,
        places=await places_of(session, found.items),
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        company=await find_tenant(session, tenant_id) if tenant_id else None,
        may_edit=edits(request),
    )


async def places_of(session: AsyncSession, playbooks: list[Playbook]) -> dict[int, str]:
    """The names of these playbooks' companies, by id."""
    wanted = sa.select(Tenant.id, Tenant.name).where(Tenant.id.in_({each.tenant_id for each in playbooks}))
    return {row.id: row.name for row in await session.execute(wanted)}


@get("/playbooks/new", may=EDIT, outlives=False, include_in_schema=False)
async def ask(request: Asked, session: Session) -> Template:
    """The form for a new one."""
    company = words_in(request.query_params, "company")
    return await form(request, session, None, Fields({"company": (company,)} if company else {}))


@post("/playbooks/new", may=EDIT, outlives=False, include_in_schema=False)
async def create(request: Asked) -> Template | Redirect:
    """Write it; what is wrong comes back with what was typed."""
    fields, actor = await read_fields(request), acting(request)
    try:
        async with changing(request) as session:
            tenant = await find_tenant(session, fields.number("company") or actor.standing.tenant_id)
            title, body, note = (fields.text(name) for name in ("title", "body", "note"))
            playbook = await Playbook.write(session, actor, tenant, title, body, note, request.user.now)
    except (Invalid, Conflict) as refusal:
        async with changing(request) as session:
            return await form(request, session, None, fields, refusal)
    say = speech(request)("%(title)s was written.") % {"title": playbook.title}
    return see_other(request, f"/playbooks/{playbook.id}", say=say)


@get("/playbooks/{playbook_id:int}", may=SEE, outlives=False, include_in_schema=False)
async def show(request: Asked, session: Session, playbook_id: Id) -> Template:
    """The newest version, or the one that is asked for; the others beside it."""
    playbook = await find_playbook(session, playbook_id)
    number = number_in(request.query_params.get("version")) or playbook.version
    actor = acting(request)
    tenant = await find_tenant(session, playbook.tenant_id)
    version = await find_version(session, playbook.id, number)
    return page(
        request,
        "playbooks/show.html",
        title=playbook.title,
        crumbs=await crumbs_to(session, tenant.path, (f"/playbooks/{playbook.id}", playbook.title)),
        playbook=playbook,
        tenant=tenant,
        version=version,
        text=rendered(version.body),
        versions=await versions_of(session, playbook.id, RAIL),
        may_edit=edits(request) and playbook.discarded_at is None,
        may_bring_back=edits(request) and playbook.discarded_at is not None,
        past=await past_of(request, session, "playbooks", playbook.id) if actor.may(Permission.READ_HISTORY) else None,
    )


@get("/playbooks/{playbook_id:int}/edit", may=EDIT, outlives=False, include_in_schema=False)
async def edit(request: Asked, session: Session, playbook_id: Id) -> Template:
    """The form with the newest version's text."""
    return await form(request, session, await find_playbook(session, playbook_id))


@post("/playbooks/{playbook_id:int}/edit", may=EDIT, outlives=False, include_in_schema=False)
async def revise(request: Asked, playbook_id: Id) -> Template | Redirect:
    """A new version. Who writes upon an older one is told, and loses nothing of what they wrote."""
    fields, actor = await read_fields(request), acting(request)
    try:
        async with changing(request) as session:
            playbook = await find_playbook(session, playbook_id)
            title, body, note = (fields.text(name) for name in ("title", "body", "note"))
            seen = fields.number("seen") or playbook.version
            await playbook.revise(session, actor, title, body, note, request.user.now, seen=seen)
    except (Invalid, Conflict) as refusal:
        async with changing(request) as session:
            return await form(request, session, await find_playbook(session, playbook_id), fields, refusal)
    return see_other(request, f"/playbooks/{playbook_id}", say=speech(request)("Saved as a new version."))


async def form(
    request: Asked,
    session: AsyncSession,
    playbook: Playbook | None,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    """The form, with the newest text or with what was typed."""
    newest = await find_version(session, playbook.id, playbook.version) if playbook else None
    typed = refusal is not None
    chosen = fields.number("company") or acting(request).standing.tenant_id
    return page(
        request,
        "playbooks/edit.html",
        status=refusal.status if refusal else 200,
        title=playbook.title if playbook else speech(request)("New playbook"),
        playbook=playbook,
        place=await session.get(Tenant, playbook.tenant_id if playbook else chosen),
        places=[(place.id, place.name) for place in (await tenants_to_choose(session, ""))[0]],
        chosen=chosen,
        typed={
            "title": fields.text("title") if typed else (newest.title if newest else ""),
            "body": fields.text("body") if typed else (newest.body if newest else ""),
            "note": fields.text("note"),
        },
        newer=newest if playbook and typed and refusal and refusal.rule == "version" else None,
        changes=_compared(newest.body, fields.text("body")) if newest and refusal and refusal.rule == "version" else [],
        longest=LONGEST,
        errors=errors_of(refusal),
    )


@get("/playbooks/{playbook_id:int}/compare", may=SEE, outlives=False, include_in_schema=False)
async def compare(request: Asked, session: Session, playbook_id: Id) -> Template:
    """Any two versions, line by line; the newest with the one before it where none are named."""
    playbook = await find_playbook(session, playbook_id)
    said = request.query_params
    after = number_in(said.get("to")) or playbook.version
    before = number_in(said.get("from")) or max(after - 1, 1)
    old, new = await find_version(session, playbook.id, before), await find_version(session, playbook.id, after)
    tenant = await find_tenant(session, playbook.tenant_id)
    return page(
        request,
        "playbooks/compare.html",
        title=playbook.title,
        crumbs=await crumbs_to(session, tenant.path, (f"/playbooks/{playbook.id}", playbook.title)),
        playbook=playbook,
        old=old,
        new=new,
        numbers=[(number, str(number)) for number in range(playbook.version, 0, -1)],
        lines=_compared(old.body, new.body),
    )


Compared = tuple[str, str]
"""How a line stands ("same", "gone", "new") and the line."""
MOST_PAIRS = 1_000_000
"""Pairs of lines that are matched: beyond it somebody's hundred thousand short lines would hold everybody up."""
MOST_SHOWN = 1000
"""Lines of each text that are shown where they are not matched."""
AROUND = 3
"""Unchanged lines shown around a change."""


def _compared(before: str, after: str) -> list[Compared]:
    """What went, what came, and a few lines around; "skip" stands for unchanged lines that are left out."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) * len(new) > MOST_PAIRS:
        return _replaced(old, new)
    said: list[Compared] = []
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(AROUND):
        said += [("skip", "")] if said or group[0][1] > 0 else []
        for kind, first, last, start, end in group:
            if kind == "equal":
                said += [("same", line) for line in old[first:last]]
                continue
            said += [("gone", line) for line in old[first:last]] + [("new", line) for line in new[start:end]]
    return said


def _replaced(old: list[str], new: list[str]) -> list[Compared]:
    """Two long texts, told without being matched: from the first line that differs, the beginning of each."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    gone, come = old[same : same + MOST_SHOWN], new[same : same + MOST_SHOWN]
    return [("skip", ""), *(("gone", line) for line in gone), *(("new", line) for line in come), ("skip", "")]


@post("/playbooks/{playbook_id:int}/restore", may=EDIT, outlives=False, include_in_schema=False)
async def restore(request: Asked, session: Session, playbook_id: Id) -> Redirect:
    """An older version's text as a new version."""
    fields = await read_fields(request)
    playbook, number = await find_playbook(session, playbook_id), fields.number("version")
    if number is None:
        raise OutOfReach
    seen = fields.number("seen") or playbook.version
    await playbook.restore(session, acting(request), number, request.user.now, seen=seen)
    say = speech(request)("Version %(number)s is in force again, as a new version.") % {"number": number}
    return see_other(request, f"/playbooks/{playbook.id}", say=say)


@post("/playbooks/{playbook_id:int}/discard", may=EDIT, outlives=False, include_in_schema=False)
async def discard(request: Asked, session: Session, playbook_id: Id) -> Redirect:
    """Out of use; every version stays."""
    playbook = await find_playbook(session, playbook_id)
    await playbook.discard(session, request.user.now)
    _ = speech(request)
    say = _("%(title)s is discarded. Every version stays.") % {"title": playbook.title}
    return see_other(request, "/playbooks", say=say, undo=(f"/playbooks/{playbook.id}/undiscard", _("Undo")))


@post("/playbooks/{playbook_id:int}/undiscard", may=EDIT, outlives=False, include_in_schema=False)
async def undiscard(request: Asked, session: Session, playbook_id: Id) -> Redirect:
    """In use again."""
    playbook = await find_playbook(session, playbook_id)
    await playbook.undiscard(session)
    say = speech(request)("%(title)s is back.") % {"title": playbook.title}
    return see_other(request, f"/playbooks/{playbook.id}", say=say)


def edits(request: Asked) -> bool:
    """Whether the reader may write."""
    return acting(request).may(EDIT)


ROUTES = [every, ask, create, show, edit, revise, compare, restore, discard, undiscard]
