"""Tenants: the tree in reach, its rules, and what closes a part of it."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Literal
from zoneinfo import available_timezones

import msgspec
import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import endings
from bindings.recheck import recheck
from control.api.doors import Asked, Session, acting, alters, creates, reads
from control.api.lists import Asking, page
from control.api.looks import BrandChange, OwnBrand, change_brand, own_brand
from control.api.shapes import Id, Listed, Named, PathId, Sent, Text, given, tenants_named
from control.api.suspensions import SuspensionShape, live_suspensions, suspension_shapes
from control.paging import LARGEST
from tenants.identities import closed_paths
from tenants.protections import in_words, tighten
from tenants.refusals import Invalid, NotPermitted
from tenants.roles import Permission
from tenants.tree import Kind, Tenant, find_tenant

MANAGE, SEE = Permission.MANAGE_TENANTS, Permission.SEE_TENANTS


class TenantPolicy(Struct):
    """A tenant's own stand-in rules, before inheriting."""

    stand_ins: str
    look: str
    binding_reach: str
    reason: bool
    ticket: bool
    second_factor: bool
    notice: str
    require_factor: bool
    binding_days: int | None
    minutes: int | None


class TenantShape(Struct):
    """A node of the tree. `parent` is null where it lies out of reach."""

    id: int
    name: str
    slug: str
    kind: str
    zone: str
    parent: Named | None
    closed: bool
    """Suspended or discarded, itself or from above."""
    policy: TenantPolicy
    brand: OwnBrand
    created_at: datetime
    discarded_at: datetime | None
    suspensions: list[SuspensionShape]


class NewTenant(Sent):
    """A tenant to found."""

    parent: Id
    kind: Literal["distributor", "reseller", "customer"]
    name: Text
    slug: Text | None = None


class PolicyChange(Sent):
    """Rules to tighten."""

    stand_ins: Literal["allowed", "consent", "never"] | UnsetType = UNSET
    look: Literal["full", "look_first", "look_only"] | UnsetType = UNSET
    binding_reach: Literal["subtree", "layer"] | UnsetType = UNSET
    reason: bool | UnsetType = UNSET
    ticket: bool | UnsetType = UNSET
    second_factor: bool | UnsetType = UNSET
    notice: Literal["none", "digest", "at_once"] | UnsetType = UNSET
    require_factor: bool | UnsetType = UNSET
    binding_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | UnsetType | None = UNSET
    minutes: Annotated[int, msgspec.Meta(ge=1, le=20)] | UnsetType | None = UNSET


class TenantChange(Sent):
    """What changes of a tenant."""

    name: Text | UnsetType = UNSET
    slug: Text | UnsetType = UNSET
    zone: Text | UnsetType = UNSET
    policy: PolicyChange | UnsetType = UNSET
    brand: BrandChange | UnsetType = UNSET


@reads("/tenants", may=SEE, summary="List the tenants in reach")
async def list_tenants(
    session: Session,
    listing: Asking,
    kind: Annotated[Kind | None, QueryParameter(description="Only of this kind.")] = None,
    parent: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only directly under this one.")] = None,
) -> Listed[TenantShape]:
    """The tenants in reach, by name or `depth`."""
    wanted = sa.select(Tenant).where(listing.like(Tenant.name, Tenant.slug), listing.still_there(Tenant.discarded_at))
    if kind is not None:
        wanted = wanted.where(Tenant.kind == kind.value)
    if parent is not None:
        wanted = wanted.where(Tenant.parent_id == parent)

    async def shaped(tenants: Sequence[Tenant]) -> list[TenantShape]:
        return await _shapes(session, tenants)

    columns = {"id": Tenant.id, "name": Tenant.name, "depth": Tenant.depth, "created_at": Tenant.created_at}
    return await page(session, wanted, columns, listing, shaped)


@reads("/tenants/{tenant_id:int}", may=SEE, summary="Show a tenant")
async def show_tenant(session: Session, tenant_id: PathId) -> TenantShape:
    """The tenant, when in reach."""
    return await tenant_shape(session, await find_tenant(session, tenant_id))


@creates("/tenants", may=MANAGE, outlives=True, summary="Found a tenant")
async def found_tenant(request: Asked, session: Session, data: JSONBody[NewTenant]) -> TenantShape:
    """A new tenant under `parent`, where its kind may sit."""
    parent = await find_tenant(session, data.parent)
    tenant = await Tenant.found(session, parent, Kind(data.kind), data.name, data.slug, request.user.now)
    return await tenant_shape(session, tenant)


@alters(
    "/tenants/{tenant_id:int}", may=MANAGE, outlives=True, summary="Change a tenant's name, slug, zone, rules or brand"
)
async def change_tenant(
    request: Asked, session: Session, tenant_id: PathId, data: JSONBody[TenantChange]
) -> TenantShape:
    """Rename it, give it another zone or brand, or tighten its stand-in rules."""
    tenant = await find_tenant(session, tenant_id)
    fields = given(data)
    policy, brand = fields.pop("policy", None), fields.pop("brand", None)
    if "zone" in fields and fields["zone"] not in _zones():
        raise Invalid("A zone is a name such as Europe/London.", field="zone")
    await tenant.change(session, **fields)
    if isinstance(policy, PolicyChange):
        if not acting(request).may(Permission.MANAGE_POLICY):
            raise NotPermitted("Your role may not change these rules.")
        await tighten(session, tenant, given(policy))
        await recheck(session, tenant, request.user.now)
    if isinstance(brand, BrandChange):
        await change_brand(session, tenant, brand)
    return await tenant_shape(session, tenant)


@creates("/tenants/{tenant_id:int}/discard", may=MANAGE, outlives=True, summary="Discard a tenant", status=200)
async def discard_tenant(request: Asked, session: Session, tenant_id: PathId) -> TenantShape:
    """Access goes at once, the record stays."""
    tenant = await find_tenant(session, tenant_id)
    await endings.discard_tenant(session, acting(request), tenant, request.user.now)
    return await tenant_shape(session, tenant)


@creates("/tenants/{tenant_id:int}/undiscard", may=MANAGE, outlives=True, summary="Undiscard a tenant", status=200)
async def undiscard_tenant(request: Asked, session: Session, tenant_id: PathId) -> TenantShape:
    """The record comes back, without keys or bindings."""
    tenant = await find_tenant(session, tenant_id)
    await endings.undiscard_tenant(session, acting(request), tenant, request.user.now)
    return await tenant_shape(session, tenant)


async def tenant_shape(session: AsyncSession, tenant: Tenant) -> TenantShape:
    """A tenant in its shape."""
    return (await _shapes(session, [tenant]))[0]


async def _shapes(session: AsyncSession, tenants: Sequence[Tenant]) -> list[TenantShape]:
    parents = await tenants_named(session, [tenant.parent_id for tenant in tenants])
    shut = await closed_paths(session, [tenant.path for tenant in tenants])
    suspensions: dict[int, list[SuspensionShape]] = {}
    live = await live_suspensions(session, [tenant.id for tenant in tenants])
    for suspension in await suspension_shapes(session, live):
        suspensions.setdefault(suspension.tenant.id, []).append(suspension)
    return [
        TenantShape(
            tenant.id,
            tenant.name,
            tenant.slug,
            tenant.kind,
            tenant.zone,
            parents.get(tenant.parent_id),
            tenant.path in shut,
            msgspec.convert(in_words(tenant), TenantPolicy),
            own_brand(tenant),
            tenant.created_at,
            tenant.discarded_at,
            suspensions.get(tenant.id, []),
        )
        for tenant in tenants
    ]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


ROUTES = [
    list_tenants,
    show_tenant,
    found_tenant,
    change_tenant,
    discard_tenant,
    undiscard_tenant,
]
