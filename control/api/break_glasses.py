"""Broken glasses: read and ended here. Asking for one and saying yes to it ask for a proof of who is there."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.consenting import end_glass
from control.api.doors import Asked, Session, acting, reads, removes
from control.api.lists import Asking, page
from control.api.shapes import Listed, Named, PathId, tenants_named
from control.doors import SIGNED_IN
from tenants.break_glasses import BreakGlass, find_glass
from tenants.names import names_of_members


class BreakGlassShape(Struct):
    """A way round somebody's protection, for one subject and one hour, that two admins of the platform opened."""

    id: int
    tenant: Named | None
    subject: Named
    """Their membership."""
    asked_by: Named
    approved_by: Named | None
    reason: str
    state: str
    """`waits`, `lapsed`, `open` or `over`."""
    created_at: datetime
    approved_at: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None


@reads("/break-glasses", may=SIGNED_IN, summary="List the broken glasses in reach", outlives=True)
async def list_break_glasses(request: Asked, session: Session, listing: Asking) -> Listed[BreakGlassShape]:
    """The newest first; with `discarded`, those that were ended. `q` looks at reasons."""
    wanted = sa.select(BreakGlass).where(listing.like(BreakGlass.reason), listing.still_there(BreakGlass.ended_at))

    async def shaped(rows: Sequence[BreakGlass]) -> list[BreakGlassShape]:
        return await _shapes(session, rows, request.user.now)

    return await page(session, wanted, {"id": BreakGlass.id}, listing, shaped, sort="-id")


@reads("/break-glasses/{glass_id:int}", may=SIGNED_IN, summary="Show a broken glass", outlives=True)
async def show_break_glass(request: Asked, session: Session, glass_id: PathId) -> BreakGlassShape:
    """The broken glass, when in reach."""
    return (await _shapes(session, [await find_glass(session, glass_id)], request.user.now))[0]


@removes("/break-glasses/{glass_id:int}", may=SIGNED_IN, outlives=True, kept_open=True, summary="End a broken glass")
async def end_break_glass(request: Asked, session: Session, glass_id: PathId) -> None:
    """Or say no to it. It protects, so nobody has to prove anything first."""
    await end_glass(session, acting(request), await find_glass(session, glass_id), request.user.now)


async def _shapes(session: AsyncSession, rows: Sequence[BreakGlass], now: datetime) -> list[BreakGlassShape]:
    places = await tenants_named(session, [row.tenant_id for row in rows])
    ids = [number for row in rows for number in (row.subject_membership_id, row.asked_by_id, row.approved_by_id)]
    names = await names_of_members(session, [number for number in ids if number is not None])

    def person(number: int) -> Named:
        return Named(number, names[number].name)

    return [
        BreakGlassShape(
            row.id,
            places.get(row.tenant_id),
            person(row.subject_membership_id),
            person(row.asked_by_id),
            person(row.approved_by_id) if row.approved_by_id is not None else None,
            row.reason,
            row.state(now),
            row.created_at,
            row.approved_at,
            row.ends_at,
            row.ended_at,
        )
        for row in rows
    ]


ROUTES = [list_break_glasses, show_break_glass, end_break_glass]
