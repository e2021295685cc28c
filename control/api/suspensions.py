"""Suspensions: closing a tenant, what that would stop, which of them hold, and lifting them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
import sqlalchemy as sa
from litestar import Response
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import endings
from control.api.doors import Asked, Session, acting, creates, reads, removes
from control.api.lists import Asking, page
from control.api.shapes import Listed, Named, PathId, Sent, Text, tenants_named
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Permission
from tenants.text import reason_given
from tenants.tree import Scope, Suspension, find_tenant

T = TypeVar("T")

MANAGE, SEE = Permission.MANAGE_TENANTS, Permission.SEE_TENANTS


class SuspensionShape(Struct):
    """One reason why a tenant is closed; several may stack."""

    id: int
    tenant: Named
    scope: str
    reason: str
    level: Named | None
    """Who set it; it is lifted there or above. Null where that lies above you."""
    created_at: datetime
    lifted_at: datetime | None


class StopsShape(Struct):
    """What a suspension would stop now."""

    people: int
    tenants: int
    sign_ins: int
    logins: int
    api_keys: int
    impersonations: int
    bindings: int


class NewSuspension(Sent):
    """Why a tenant is closed, and how far."""

    reason: Text
    scope: Literal["staff", "all"] = "all"


DryRun = Annotated[bool, QueryParameter(description="Only say what would come of it.")]


@reads("/tenants/{tenant_id:int}/suspensions", may=SEE, summary="List a tenant's suspensions")
async def list_suspensions(session: Session, tenant_id: PathId, listing: Asking) -> Listed[SuspensionShape]:
    """Those that hold, newest first; with `discarded` those that were lifted."""
    tenant = await find_tenant(session, tenant_id)
    wanted = sa.select(Suspension).where(
        Suspension.tenant_id == tenant.id,
        listing.still_there(Suspension.lifted_at),
        listing.like(Suspension.reason),
    )

    async def shaped(rows: Sequence[Suspension]) -> list[SuspensionShape]:
        return await suspension_shapes(session, rows)

    columns = {"id": Suspension.id, "created_at": Suspension.created_at}
    return await page(session, wanted, columns, listing, shaped, sort="-id")


@creates(
    "/tenants/{tenant_id:int}/suspension",
    may=MANAGE,
    outlives=True,
    kept_open=True,
    summary="Suspend a tenant",
    also={200: ResponseSpec(StopsShape, description="A dry run: what would stop. Nothing was done.")},
)
async def suspend_tenant(
    request: Asked, session: Session, tenant_id: PathId, data: JSONBody[NewSuspension], dry_run: DryRun = False
) -> SuspensionShape | StopsShape:
    """Close it (scope `staff`), or it and all below (`all`): sign-ins, logins, keys and impersonations end at once."""
    tenant, scope, now = await find_tenant(session, tenant_id), Scope(data.scope), request.user.now
    if dry_run:
        stops = await endings.what_stops(session, acting(request), tenant, scope, now)
        return looked(msgspec.convert(stops, StopsShape, from_attributes=True))
    reason = reason_given(data.reason, asked=True)
    if reason is None:
        raise Invalid("Say why.", field="reason")
    row = await endings.suspend_tenant(session, acting(request), tenant, scope, reason, now)
    return (await suspension_shapes(session, [row]))[0]


@removes("/tenants/{tenant_id:int}/suspension", may=MANAGE, outlives=True, summary="Lift a tenant's suspensions")
async def lift_suspensions(request: Asked, session: Session, tenant_id: PathId) -> None:
    """Lift every suspension of this tenant that was set at your level or below; those set above stay."""
    tenant, lifted, above = await find_tenant(session, tenant_id), 0, None
    for row in await live_suspensions(session, [tenant.id]):
        try:
            await row.lift(session, acting(request), request.user.now)
            lifted += 1
        except NotPermitted as refusal:
            above = refusal
    if not lifted:
        raise above or Conflict(f"{tenant.name} is not suspended.")


@removes("/suspensions/{suspension_id:int}", may=MANAGE, outlives=True, summary="Lift one suspension")
async def lift_suspension(request: Asked, session: Session, suspension_id: PathId) -> None:
    """Lift one of several that stack. Nothing that it ended comes back."""
    row = await session.get(Suspension, suspension_id)
    if row is None:
        raise OutOfReach
    await row.lift(session, acting(request), request.user.now)


def looked(shape: T) -> T:
    """The answer to a dry run: 200, since nothing was made. The framework takes a response where a shape is meant."""
    answer: Response[Any] = Response(shape, status_code=200)
    return cast("T", answer)


async def live_suspensions(session: AsyncSession, tenant_ids: Sequence[int]) -> Sequence[Suspension]:
    """The suspensions of these tenants that hold, oldest first."""
    wanted = sa.select(Suspension).where(Suspension.tenant_id.in_(tenant_ids), Suspension.lifted_at.is_(None))
    return (await session.scalars(wanted.order_by(Suspension.id))).all()


async def suspension_shapes(session: AsyncSession, rows: Sequence[Suspension]) -> list[SuspensionShape]:
    """These suspensions in their shape."""
    named = await tenants_named(session, [number for row in rows for number in (row.tenant_id, row.level_id)])
    return [
        SuspensionShape(
            row.id,
            named[row.tenant_id],
            row.scope,
            row.reason,
            named.get(row.level_id),
            row.created_at,
            row.lifted_at,
        )
        for row in rows
    ]


ROUTES = [list_suspensions, suspend_tenant, lift_suspensions, lift_suspension]
