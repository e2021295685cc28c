"""Live: a stream that tells a page that something changed among those who are somebody else now (server-sent events).

It tells nothing but that: the page asks for its table again, as any page does. At each look the visitor is found out
anew, as at a door; between two looks nothing of the database is held.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from litestar import Request, get
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from bindings.impersonation import Impersonation, goes_on
from control.doors import require_right
from control.house import House
from control.pages.parts.session import acting, house_of
from control.pages.parts.shown_impersonations import CONFIRMED
from control.visitor import Visitor, found_again
from tenants.actor import Actor
from tenants.refusals import Refusal
from tenants.roles import Permission

RETRY = 3000
"""Milliseconds after which a browser asks again when a stream has ended."""
QUIET = 7
"""After so many looks without news something is sent all the same, or whatever lies between would hang up."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a look compares: who goes on, and what was last heard of them."""

    who: tuple[Any, ...]
    heard: tuple[Any, ...]


@get(
    "/impersonations/live", may=Permission.SEE_STAND_INS, outlives=False, bar=False, quiet=True, include_in_schema=False
)  # fmt: skip
async def live(request: Request[Visitor, Any, Any]) -> ServerSentEvent:
    """`changed` when somebody started or stopped, `heard` when one of them did something or showed a banner."""
    house_of(request).streams.require_room(acting(request).sign_in_id or 0)
    return ServerSentEvent(news(request), headers={"Cache-Control": "no-store"})


async def news(request: Request[Visitor, Any, Any]) -> AsyncIterator[ServerSentEventMessage]:
    """What there is to tell, until the visitor is no longer who they were."""
    house, then = house_of(request), request.user
    with house.streams.place(acting(request).sign_in_id or 0):
        before = await marks(house, acting(request), house.clock())
        yield ServerSentEventMessage(event="open", retry=RETRY)
        quiet = 0
        async for _ in house.streams.looks():
            actor = await still(request, then)
            if actor is None:
                return
            found = await marks(house, actor, house.clock())
            if found != before:
                yield ServerSentEventMessage(event="changed" if found.who != before.who else "heard")
                quiet = 0
            elif (quiet := quiet + 1) % QUIET == 0:
                yield ServerSentEventMessage(data=None, comment="still here")
            before = found


async def still(request: Request[Visitor, Any, Any], then: Visitor) -> Actor | None:
    """The visitor as of now, who may still look and appears as whom they appeared; None for anybody else."""
    now = await found_again(request)
    if now.actor is None or now.over is not None or now.acting_id != then.acting_id:
        return None
    request.scope["user"] = now
    try:
        await require_right(request, request.route_handler, now.actor)
    except Refusal:
        return None
    return now.actor


async def marks(house: House, actor: Actor, now: datetime) -> Marks:
    """One statement over those that go on in reach, in a transaction of its own."""
    row = Impersonation
    count = sa.func.count
    confirmed = count(sa.case((row.banner_at >= now - CONFIRMED, row.id)))
    who = (count(row.id), sa.func.sum(row.id), sa.func.max(row.id))
    wanted = sa.select(*who, confirmed, sa.func.max(row.seen_at), sa.func.max(row.banner_at)).where(goes_on(now))
    async with house.store.work(actor, actor.reach(), now, writes=False) as session:
        found = (await session.execute(wanted)).one()
    return Marks(tuple(found[:3]), tuple(found[3:]))


ROUTES = [live]
