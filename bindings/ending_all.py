"""Ending many stand-ins at once: those of one person, those into a company, or all there are.

Each ending writes its own entry, and whoever ends many ends only those that they could end one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.impersonation import Impersonation, end_all, live_ones
from bindings.login import Login
from bindings.resolving import Because
from tenants.actor import Actor
from tenants.reach import below
from tenants.refusals import NotPermitted
from tenants.roles import Role
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb

# Nobody's reach holds other people's logins, so these are counted and ended as a plain table.
_logins = Login.__table__


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of several: how many ended, and how many go on since they are not this one's to end."""

    done: int
    left: int


@dataclass(frozen=True, slots=True)
class World:
    """All that stands in for somebody, in the whole house."""

    impersonations: int
    logins: int
    """Made through bindings. The bindings themselves stay: the next login goes through them again."""


async def live_of(session: AsyncSession, user_id: int, now: datetime) -> Sequence[Impersonation]:
    """Those in reach by which one person stands in for others, oldest first."""
    return await _live(session, Impersonation.user_id == user_id, now)


async def live_into(session: AsyncSession, tenant: Tenant, now: datetime) -> Sequence[Impersonation]:
    """Those in reach by which anybody stands in for somebody of a tenant or below it, oldest first."""
    here = sa.select(Tenant.id).where(below(Tenant.path, tenant.path))
    return await _live(session, Impersonation.tenant_id.in_(here), now)


async def end_by_hand(session: AsyncSession, actor: Actor, rows: Sequence[Impersonation], now: datetime) -> Ended:
    """End these where the actor has the right to each; the others go on."""
    done = left = 0
    for row in rows:
        try:
            done += await row.stop(session, actor, now)
        except NotPermitted:
            left += 1
    return Ended(done, left)


async def what_the_world_holds(session: AsyncSession, actor: Actor, now: datetime) -> World:
    """What `stop_the_world` would end now. Refuses as it does."""
    _require_the_platform(actor)
    live = sa.select(sa.func.count()).select_from(live_ones(now).subquery())
    logins = sa.select(sa.func.count()).where(*_bound(now))
    return World((await session.execute(live)).scalar_one(), (await session.execute(logins)).scalar_one())


async def stop_the_world(session: AsyncSession, actor: Actor, reason: str, now: datetime) -> World:
    """End every impersonation, every exchanged token and every login through a binding, in one transaction.

    For an admin of the platform, with an entry of its own beside those of the endings.
    """
    _require_the_platform(actor)
    open_ones = sa.select(Impersonation).where(Impersonation.ended_at.is_(None)).order_by(Impersonation.id)
    ended = await end_all(session, (await session.scalars(open_ones)).all(), "ended_by_admin", now)
    over = {"ended_at": now, "ended_cause": "world_stopped"}
    logins = sa.update(_logins).where(*_bound(now)).values(**over).returning(_logins.c.id)
    stopped = World(ended, len((await session.execute(logins)).all()))
    record(
        session,
        Verb.WORLD_STOPPED,
        place=actor.standing.tenant_id,
        reason=reason,
        impersonations=stopped.impersonations,
        logins=stopped.logins,
    )
    return stopped


def _require_the_platform(actor: Actor) -> None:
    if actor.standing_in or actor.standing.role != Role.ADMIN or not actor.reach().whole:
        raise NotPermitted("Only an admin of the platform may do this.")


def _bound(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """The logins that somebody bound made, and that go on."""
    until = sa.or_(_logins.c.ends_at.is_(None), _logins.c.ends_at > now)
    return _logins.c.because == Because.BINDING.value, _logins.c.ended_at.is_(None), until


async def _live(session: AsyncSession, which: sa.ColumnElement[bool], now: datetime) -> Sequence[Impersonation]:
    return (await session.scalars(live_ones(now).where(which).order_by(Impersonation.id))).all()
