"""Loosening: looser rules that wait at a tenant, and cancelling them. They are asked for in the panel, with a proof."""

from datetime import datetime

from msgspec import Struct

from control.api.doors import Asked, Session, reads, removes
from control.api.shapes import Named, PathId, refer
from tenants.loosenings import waiting_in
from tenants.people import find_membership
from tenants.protections import Word
from tenants.refusals import Conflict, OutOfReach
from tenants.roles import Permission
from tenants.tree import find_tenant


class LooserRule(Struct):
    """One rule as it was when it was asked for, and as it is to be."""

    rule: str
    before: Word
    after: Word


class LooseningShape(Struct):
    """Looser rules that wait: told to all admins of the tenant, in force at `takes_effect_at` unless cancelled."""

    id: int
    tenant: Named
    rules: list[LooserRule]
    asked_by: Named
    """The membership of the admin who asked."""
    created_at: datetime
    takes_effect_at: datetime


@reads("/tenants/{tenant_id:int}/loosening", may=Permission.SEE_TENANTS, summary="Show the looser rules that wait")
async def show_loosening(session: Session, tenant_id: PathId) -> LooseningShape:
    """What one of the tenant's own admins asked for; 404 where nothing waits."""
    tenant = await find_tenant(session, tenant_id)
    row = await waiting_in(session, tenant.id)
    if row is None:
        raise OutOfReach
    asker = await find_membership(session, row.asked_by_id)
    return LooseningShape(
        row.id,
        refer(tenant),
        [LooserRule(name, before, after) for name, (before, after) in row.wanted.items()],
        Named(asker.id, asker.user.name),
        row.created_at,
        row.takes_effect_at,
    )


@removes(
    "/tenants/{tenant_id:int}/loosening",
    may=Permission.MANAGE_POLICY,
    outlives=True,
    summary="Cancel the looser rules that wait",
)
async def cancel_loosening(request: Asked, session: Session, tenant_id: PathId) -> None:
    """The rules stay as they are."""
    row = await waiting_in(session, (await find_tenant(session, tenant_id)).id)
    if row is None:
        raise Conflict("No looser rules wait here.", rule="loosening")
    await row.cancel(session, request.user.now)


ROUTES = [show_loosening, cancel_loosening]
