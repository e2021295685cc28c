"""Recordings: the list with its filters, and each call with its notes, disposition, privacy and history."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.clock_words import zone_of
from control.doors import SIGNED_IN
from control.pages.parts.asked import day_in, filters_in, id_in, one_of, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.exports import csv_file, record_export
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import past_of, zone_and_locale
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.paging import page_of
from control.recordings_asked import Asked
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.people import find_membership
from tenants.phones import find_extension
from tenants.recordings import NOTES_LENGTH, Direction, Disposition, Recording, find_recording
from tenants.refusals import Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.tree import find_tenant
from tenants.verbs import Verb

FILTERS = ("q", "company", "person", "extension", "direction", "disposition", "private", "from", "to", "sort")
SORTS: dict[str, sa.SQLColumnExpression[Any]] = {
    "id": Recording.id,
    "began": Recording.started_at,
    "length": Recording.seconds,
}
COLUMNS = ["began (UTC)", "company", "extension", "user", "direction", "other party", "seconds", "disposition"]
COLUMNS += ["notes", "private"]
EDIT = Permission.EDIT_COMPANY_RECORDS


@get("/recordings", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def list_recordings(request: Request[Visitor, Any, Any], session: AsyncSession) -> Response[Any]:
    """Every recording in reach, the newest first; a member's own. `format=csv` exports exactly these."""
    said = request.query_params
    actor, params = _actor(request), filters_in(said, *FILTERS)
    sort, cursor = params.get("sort", "-began"), words_in(said, "cursor") or None
    statement = _asked(params, zone_and_locale(request.user)[0]).statement(actor)
    if one_of(said, "format", "csv"):
        return await _export(request, statement, sort, params, actor)
    found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor)
    tenant_id, person, line = (id_in(params, name) for name in ("company", "person", "extension"))
    return page(
        request,
        "recordings/list.html",
        title=speech(request)("Recordings"),
        rows=[{"id": each.id, "call": each, "readable": each.readable_by(actor)} for each in found.items],
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        company=await find_tenant(session, tenant_id) if tenant_id else None,
        person=(await find_membership(session, person)).user if person else None,
        line=await find_extension(session, line) if line else None,
        sees_others=actor.may(Permission.SEE_COMPANY_RECORDS),
    )


def _asked(said: Mapping[str, Any], zone: str) -> Asked:
    direction = one_of(said, "direction", *Direction)
    disposition = one_of(said, "disposition", "none", *Disposition)
    since, until = day_in(said, "from"), day_in(said, "to")
    return Asked(
        q=words_in(said, "q"),
        tenant=id_in(said, "company"),
        membership=id_in(said, "person"),
        extension=id_in(said, "extension"),
        direction=Direction(direction) if direction else None,
        disposition=Disposition(disposition) if disposition not in {"", "none"} else None,
        undisposed=disposition == "none",
        private=True if one_of(said, "private", "1") else None,
        since=_midnight(since, zone) if since else None,
        until=_midnight(until + timedelta(days=1), zone) if until else None,
    )


def _midnight(day: date, zone: str) -> datetime:
    """Days begin where the reader is."""
    return datetime.combine(day, time(), zone_of(zone))


async def _export(
    request: Request[Visitor, Any, Any],
    statement: sa.Select[Recording],
    sort: str,
    params: dict[str, str],
    actor: Actor,
) -> Response[Any]:
    await record_export(request, Verb.RECORDINGS_EXPORTED, format="csv", filters=params)

    async def pages(session: AsyncSession) -> AsyncIterator[Iterable[Iterable[object]]]:
        cursor: str | None = None
        while True:
            found = await page_of(session, statement, SORTS, sort=sort, cursor=cursor, limit=200)
            yield [_cells(call, call.readable_by(actor)) for call in found.items]
            cursor = found.next
            if cursor is None:
                return

    return csv_file(request, "recordings", COLUMNS, pages)


def _cells(call: Recording, readable: bool) -> list[object]:
    return [
        call.started_at.isoformat(),
        call.tenant.name,
        call.extension.number if call.extension else None,
        call.membership.user.name if call.membership else None,
        call.direction,
        call.party if readable else None,
        call.seconds,
        call.disposition,
        call.notes if readable else None,
        "yes" if call.private else "no",
    ]


@get("/recordings/{recording_id:int}", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def show_recording(request: Request[Visitor, Any, Any], session: AsyncSession, recording_id: Id) -> Template:
    """What is known of the call, and what was noted."""
    return await _show(request, session, await find_recording(session, recording_id))


@post("/recordings/{recording_id:int}", may=EDIT, outlives=False, include_in_schema=False)
async def change_recording(
    request: Request[Visitor, Any, Any], session: AsyncSession, recording_id: Id
) -> Template | Redirect:
    """Notes and disposition."""
    call, fields = await find_recording(session, recording_id), await read_fields(request)
    notes = fields.text("notes").replace("\r\n", "\n").strip() or None
    wanted = {"notes": notes, "disposition": fields.text("disposition") or None}
    try:
        if call.readable_by(_actor(request)):
            unseen = await unseen_changes(session, request.user, call, fields, wanted)
            if unseen.lines:
                return await _show(request, session, await find_recording(session, call.id), fields, unseen=unseen)
        await call.change(session, _actor(request), **wanted)
    except Invalid as refusal:
        return await _show(request, session, call, fields, refusal)
    return see_other(request, f"/recordings/{call.id}", say=speech(request)("Saved."))


@post("/recordings/{recording_id:int}/private", may=SIGNED_IN, outlives=True, include_in_schema=False)
async def set_privacy(request: Request[Visitor, Any, Any], session: AsyncSession, recording_id: Id) -> Redirect:
    """Keep it from those above (`private` is "1"), or open it again: by its member, or who runs its company."""
    call, fields = await find_recording(session, recording_id), await read_fields(request)
    private = fields.text("private") == "1"
    await call.set_private(session, _actor(request), private)
    _ = speech(request)
    say = _("This recording is private now.") if private else _("This recording is no longer private.")
    return see_other(request, f"/recordings/{call.id}", say=say)


@get("/recordings/{recording_id:int}/reveal", may=SIGNED_IN, outlives=False, reveals=True, include_in_schema=False)
async def ask_reveal(request: Request[Visitor, Any, Any], session: AsyncSession, recording_id: Id) -> Template:
    """The question before looking into a private one; who stands in says besides why, and that they were asked to."""
    return await _ask_reveal(request, session, await find_recording(session, recording_id))


async def _ask_reveal(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    call: Recording,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    actor = _actor(request)
    if not call.revealable_to(actor):
        raise NotPermitted("This recording is private: you may not look into it.", rule="private")
    return page(
        request,
        "recordings/reveal.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Look into a private recording?"),
        crumbs=await _crumbs(session, call),
        call=call,
        confirms=actor.standing_in,
        person=actor.standing.shown_name,
        fields=fields,
        errors=errors_of(refusal),
    )


@post("/recordings/{recording_id:int}/reveal", may=SIGNED_IN, outlives=False, reveals=True, include_in_schema=False)
async def reveal_recording(request: Request[Visitor, Any, Any], session: AsyncSession, recording_id: Id) -> Template:
    """All of it, on the page that answers and nowhere after; that they looked is written down before."""
    call, fields = await find_recording(session, recording_id), await read_fields(request)
    try:
        said, requested = fields.text("reason"), fields.text("requested") == "1"
        await call.reveal(session, _actor(request), said, requested=requested)
    except Invalid as refusal:
        return await _ask_reveal(request, session, call, fields, refusal)
    title, crumbs = speech(request)("A private recording"), await _crumbs(session, call)
    return page(request, "recordings/revealed.html", title=title, crumbs=crumbs, call=call)


@post("/recordings/{recording_id:int}/discard", may=EDIT, outlives=False, include_in_schema=False)
async def discard_recording(request: Request[Visitor, Any, Any], session: AsyncSession, recording_id: Id) -> Redirect:
    """Out of every list; the record stays."""
    call = await find_recording(session, recording_id)
    await call.discard(session, _actor(request), request.user.now)
    return see_other(request, "/recordings", say=speech(request)("The recording was discarded."))


@get("/recordings/{recording_id:int}/history", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def recording_history(request: Request[Visitor, Any, Any], session: AsyncSession, recording_id: Id) -> Template:
    """Who changed what of it after the fact, and who looked into it while it was private."""
    call = await find_recording(session, recording_id)
    past = await past_of(request, session, "recordings", call.id)
    return await _framed(request, session, call, "history", "recordings/history.html", past=past)


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    call: Recording,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Template:
    unseen, actor = unseen or Unseen(call.last_entry_id), _actor(request)
    readable, edits = call.readable_by(actor), actor.may(EDIT) and call.discarded_at is None
    return await _framed(
        request,
        session,
        call,
        "summary",
        "recordings/show.html",
        status=refusal.status if refusal else unseen.status,
        readable=readable,
        may_edit=edits and readable,
        may_reveal=not readable and call.revealable_to(actor) and call.discarded_at is None,
        may_set_private=call.belongs_to(actor) and call.discarded_at is None,
        most=NOTES_LENGTH,
        fields=fields,
        typed=fields is not UNTOUCHED,
        errors=errors_of(refusal),
        unseen=unseen,
    )


async def _framed(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    call: Recording,
    tab: str,
    template: str,
    status: int = 200,
    **context: Any,
) -> Template:
    return page(
        request,
        template,
        status=status,
        title=speech(request)("Recording"),
        crumbs=await _crumbs(session, call),
        call=call,
        tab=tab,
        reads_history=_actor(request).may(Permission.READ_HISTORY),
        **context,
    )


async def _crumbs(session: AsyncSession, call: Recording) -> list[dict[str, Any]]:
    return await crumbs_to(session, call.tenant.path, (f"/recordings/{call.id}", call.label))


def _actor(request: Request[Visitor, Any, Any]) -> Actor:
    """Who acts. The door has let nobody pass without an actor."""
    if request.user.actor is None:
        raise OutOfReach
    return request.user.actor


ROUTES = [
    list_recordings,
    show_recording,
    change_recording,
    set_privacy,
    ask_reveal,
    reveal_recording,
    discard_recording,
    recording_history,
]
