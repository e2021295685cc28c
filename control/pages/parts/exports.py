"""Exports: lists that leave as files, read page by page in the asker's own reach and streamed."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from litestar import Request
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.spreadsheets import csv_lines
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.refusals import OutOfReach
from tenants.trail import record
from tenants.verbs import Verb

Rows = Iterable[Iterable[object]]


def csv_file(
    request: Request[Visitor, Any, Any],
    name: str,
    columns: list[str],
    pages: Callable[[AsyncSession], AsyncIterator[Rows]],
) -> Stream:
    """A table as CSV; cells that a spreadsheet would run as a formula are defused."""

    async def text() -> AsyncIterator[str]:
        yield next(csv_lines(columns, ()))
        async for rows in _read(request, pages):
            lines = csv_lines((), rows)
            next(lines)
            yield "".join(lines)

    return _file(text(), f"{name}.csv", "text/csv; charset=utf-8")


def json_lines_file(
    request: Request[Visitor, Any, Any],
    name: str,
    pages: Callable[[AsyncSession], AsyncIterator[Iterable[dict[str, Any]]]],
) -> Stream:
    """Records as JSON Lines: one object on each line."""

    async def text() -> AsyncIterator[str]:
        async for records in _read(request, pages):
            yield "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records)

    return _file(text(), f"{name}.jsonl", "application/jsonl; charset=utf-8")


async def record_export(request: Request[Visitor, Any, Any], verb: Verb, **details: Any) -> None:
    """What is taken away is written down before its first byte goes, in a transaction of its own."""
    house: House = request.app.state.house
    actor = request.user.actor
    if actor is None:
        raise OutOfReach
    async with house.store.work(actor, actor.reach(), request.user.now) as session:
        record(session, verb, None, place=actor.standing.tenant_id, **details)


async def _read(
    request: Request[Visitor, Any, Any], pages: Callable[[AsyncSession], AsyncIterator[Any]]
) -> AsyncIterator[Any]:
    # The request's own session is closed before a stream begins.
    house: House = request.app.state.house
    visitor = request.user
    actor = visitor.actor or Actor.house("stranger")
    async with house.store.work(actor, actor.reach(), visitor.now, writes=False) as session:
        async for page in pages(session):
            yield page


def _file(text: AsyncIterator[str], filename: str, media_type: str) -> Stream:
    return Stream(
        text,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"},
    )
