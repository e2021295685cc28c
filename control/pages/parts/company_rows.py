"""Company rows: the table of organizations and companies, its filters and orders, and what each line counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import id_in, matching, one_of
from control.pages.parts.standings import Standing, standings
from tenants.people import Membership
from tenants.phones import Extension
from tenants.tree import Kind, Suspension, Tenant

KINDS = [kind.value for kind in Kind]
FILTERS = ("q", "kind", "state", "parent", "sort")
SORTS = {"id": Tenant.id, "name": Tenant.name, "created": Tenant.created_at}
MOST_COUNTED = 1000
"""Where counting stops, so that a line costs the same under a distributor of a million."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. What it counts is right at this tenant, not below it, and stops at MOST_COUNTED."""

    tenant: Tenant
    parent: Tenant | None
    standing: Standing
    closed_by: str | None
    """Who suspended or discarded it; None where that is not to be known, or nobody did."""
    below: int
    people: int
    extensions: int


def companies_asked(params: Mapping[str, Any]) -> sa.Select[Tenant]:
    """The tenants that the filters of an address let through: in use, unless it asks for others."""
    wanted = sa.select(Tenant)
    if params.get("q"):
        wanted = wanted.where(matching(params["q"], Tenant.name, Tenant.slug))
    if kind := one_of(params, "kind", *KINDS):
        wanted = wanted.where(Tenant.kind == kind)
    if parent_id := id_in(params, "parent"):
        wanted = wanted.where(Tenant.parent_id == parent_id)
    state = one_of(params, "state", "discarded", "suspended")
    if state == "suspended":
        live = sa.select(Suspension.tenant_id).where(Suspension.lifted_at.is_(None))
        wanted = wanted.where(Tenant.id.in_(live))
    return wanted.where(Tenant.discarded_at.is_not(None) if state == "discarded" else Tenant.discarded_at.is_(None))


async def rows_of(session: AsyncSession, tenants: Sequence[Tenant]) -> list[Row]:
    """Each tenant with its parent where in reach, how it stands and by whom, and what is right there."""
    standing = await standings(session, tenants)
    near = await _named(session, tenants, standing)
    counts = await _counts(session, [tenant.id for tenant in tenants])
    return [
        Row(
            tenant,
            near.get(tenant.parent_id or 0),
            standing[tenant.id],
            _closer(tenant, standing[tenant.id], near),
            *counts.get(tenant.id, (0, 0, 0)),
        )
        for tenant in tenants
    ]


async def _named(
    session: AsyncSession, tenants: Sequence[Tenant], standing: Mapping[int, Standing]
) -> dict[int, Tenant]:
    """The parents, and the levels that closed something, as far as they are in reach."""
    ids = {tenant.parent_id for tenant in tenants} | {tenant.discarded_level_id for tenant in tenants}
    ids |= {suspension.level_id for each in standing.values() for suspension in each.suspensions}
    found = await session.scalars(sa.select(Tenant).where(Tenant.id.in_(ids - {None})))
    return {tenant.id: tenant for tenant in found}


def _closer(tenant: Tenant, standing: Standing, near: Mapping[int, Tenant]) -> str | None:
    """The level of the newest reason, by name."""
    level_id = tenant.discarded_level_id
    if level_id is None and standing.suspensions:
        level_id = standing.suspensions[-1].level_id
    level = near.get(level_id or 0)
    return level.name if level else None


async def _counts(session: AsyncSession, ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """Tenants right below, memberships and extensions of each, in one statement; none is counted to its end."""
    here, child = sa.orm.aliased(Tenant, name="here"), sa.orm.aliased(Tenant, name="child")
    counted = (
        _bounded(here, sa.select(child.id).where(child.parent_id == here.id, child.discarded_at.is_(None))),
        _bounded(here, _held(Membership, here)),
        _bounded(here, _held(Extension, here)),
    )
    rows = await session.execute(sa.select(here.id, *counted).where(here.id.in_(ids)))
    return {tenant_id: (below, people, extensions) for tenant_id, below, people, extensions in rows}


def _held(kind: type[Membership] | type[Extension], here: Any) -> sa.Select[int]:
    return sa.select(kind.id).where(kind.tenant_id == here.id, kind.discarded_at.is_(None))


def _bounded(here: Any, wanted: sa.Select[int]) -> sa.ScalarSelect[int]:
    some = wanted.limit(MOST_COUNTED).correlate(here).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()
