"""Bindings as pages show them: who becomes whom, at which apps, why, until when, and whether it still holds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.binding import EVERY_APP, Binding, BindingApp, staleness
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.roles import Permission, Role


@dataclass(frozen=True, slots=True)
class ShownBinding:
    """One row of a list of bindings."""

    id: int
    user_id: int
    actor_name: str
    subject_name: str
    number: str
    tenant_name: str
    extension_id: int
    tenant_id: int
    apps: tuple[str, ...]
    """Names of the chosen apps; empty for every app."""
    reason: str | None
    ticket: str | None
    created_at: datetime
    ends_at: datetime | None
    last_used_at: datetime | None
    ended_at: datetime | None
    ended_cause: str | None
    stale: str | None
    """Why it no longer holds, while it is still open."""
    waits: bool
    """Proposed, and not answered yet."""
    own: bool
    """Whether it is the reader's."""
    endable: bool
    """Whether the reader may end it."""
    in_reach: bool
    """Whether the person bound is somebody the reader sees."""


async def shown(session: AsyncSession, bindings: Sequence[Binding], actor: Actor, now: datetime) -> list[ShownBinding]:
    """These bindings, each with its apps and, while it is open, why it may no longer hold."""
    apps = await _apps_of(session, [binding.id for binding in bindings])
    user_ids = {binding.user_id for binding in bindings}
    seen = set(await session.scalars(sa.select(User.id).where(User.id.in_(user_ids))))
    fellows = await fellow_operators(session, {binding.membership_id for binding in bindings}, actor)
    rows = []
    for binding in bindings:
        stale = await staleness(session, binding, now) if binding.ended_at is None else None
        rows.append(
            ShownBinding(
                id=binding.id,
                user_id=binding.user_id,
                actor_name=binding.actor_name,
                subject_name=binding.subject_name,
                number=binding.number,
                tenant_name=binding.tenant_name,
                extension_id=binding.extension_id,
                tenant_id=binding.tenant_id,
                apps=apps.get(binding.id, ()),
                reason=binding.reason,
                ticket=binding.ticket,
                created_at=binding.created_at,
                ends_at=binding.ends_at,
                last_used_at=binding.last_used_at,
                ended_at=binding.ended_at,
                ended_cause=binding.ended_cause,
                stale=stale.sentence if stale else None,
                waits=binding.accepted_at is None and binding.ended_at is None,
                own=actor.true is not None and actor.true.user_id == binding.user_id,
                endable=_endable(binding, actor, fellows),
                in_reach=binding.user_id in seen,
            )
        )
    return rows


def _endable(binding: Binding, actor: Actor, fellows: set[int]) -> bool:
    """Whether to offer the button; the binding's own verb decides when it is pressed."""
    if binding.ended_at is not None or actor.true is None:
        return False
    if actor.true.user_id == binding.user_id or actor.standing.membership_id == binding.subject_membership_id:
        return True
    admin = actor.standing.role is Role.ADMIN
    return actor.may(Permission.END_STAND_INS) and (admin or binding.membership_id in fellows)


async def fellow_operators(session: AsyncSession, members: Collection[int], actor: Actor) -> set[int]:
    """Those of these memberships whose stand-ins an operator of the same organization may end."""
    if actor.standing.role is not Role.OPERATOR:
        return set()
    fellows = sa.select(Membership.id).where(
        Membership.id.in_(members),
        Membership.tenant_id == actor.standing.tenant_id,
        Membership.role == Role.OPERATOR.value,
    )
    return set(await session.scalars(fellows))


async def _apps_of(session: AsyncSession, binding_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The names of the chosen apps, by binding; nothing for a binding that holds at every app."""
    wanted = (
        sa.select(BindingApp.binding_id, App.name)
        .join(App, App.id == BindingApp.app_id)
        .where(BindingApp.binding_id.in_(binding_ids), BindingApp.app_id != EVERY_APP)
        .order_by(App.name)
    )
    named: dict[int, tuple[str, ...]] = {}
    for binding_id, name in await session.execute(wanted):
        named[binding_id] = (*named.get(binding_id, ()), name)
    return named


async def apps_of(session: AsyncSession, binding: Binding) -> list[App] | None:
    """The apps that a binding was made for, also after its end; None for every app."""
    wanted = (
        sa.select(App)
        .join(BindingApp, BindingApp.app_id == App.id)
        .where(BindingApp.binding_id == binding.id, BindingApp.app_id != EVERY_APP)
    )
    return list(await session.scalars(wanted)) or None


def may_bind(actor: Actor | None) -> bool:
    """Whether the reader has what seed 000 calls Admin Access: a supervisor impersonates, but never binds.

    Nor does anybody who stands in already: a binding outlives that.
    """
    if actor is None or actor.standing_in:
        return False
    return actor.may(Permission.STAND_IN) and actor.standing.role is not Role.SUPERVISOR


async def newest_bindings(session: AsyncSession, actor: Actor, now: datetime, limit: int = 8) -> list[ShownBinding]:
    """The newest open bindings in reach."""
    newest = sa.select(Binding).where(Binding.ended_at.is_(None)).order_by(Binding.id.desc()).limit(limit)
    return await shown(session, list(await session.scalars(newest)), actor, now)
