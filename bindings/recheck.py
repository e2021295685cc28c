"""Re-check: after a rule has changed, whoever stands in is asked of the guard again, in the transaction of the change.

The guard is asked at each use anyhow. This is what makes the end come at once, with its line in history and its word
to the apps, rather than at the next use.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding, staleness
from bindings.impersonation import Impersonation, live_ones
from bindings.login import LONGEST as LOGIN_LASTS
from bindings.login import Login
from tenants.reach import below
from tenants.tree import Tenant

MOST = 1000
"""Bindings with open logins that are asked about: each asks the guard. The logins of the others end at their next
use, which asks it too."""

# Nobody's reach holds other people's logins, so these are read and ended as a plain table.
_logins, _tree = Login.__table__, Tenant.__table__


async def recheck(session: AsyncSession, tenant: Tenant, now: datetime) -> int:
    """End what the guard no longer allows of those who stand in for people of a tenant, and of all below it.

    Impersonations and exchanged tokens end with the rule as their cause; of bindings, which stay and say that they are
    stale, the logins end. For a session that holds the tenant. Returns how many stood in.
    """
    ended = 0
    live = live_ones(now).join(Tenant, Tenant.id == Impersonation.tenant_id)
    into = live.where(below(Tenant.path, tenant.path)).order_by(Impersonation.id)
    for row in (await session.scalars(into)).all():
        cause = await _against(session, row, now)
        ended += cause is not None and await row.end(session, cause, now)
    return ended + await _end_stale_logins(session, tenant, now)


async def _against(session: AsyncSession, row: Impersonation, now: datetime) -> str | None:
    """The rule that is against it by now. One that was given more time than the rules allow is over as well."""
    refused, found = await row.refused(session, now)
    if refused is not None:
        return refused.rule
    most = found.facts.policy.minutes if found is not None else None
    return "policy" if most is not None and row.ends_at - row.created_at > timedelta(minutes=most) else None


async def _end_stale_logins(session: AsyncSession, tenant: Tenant, now: datetime) -> int:
    """The logins made through bindings that are stale now."""
    open_ = sa.and_(
        _logins.c.ended_at.is_(None),
        sa.or_(_logins.c.ends_at.is_(None), _logins.c.ends_at > now),
        _logins.c.created_at > now - LOGIN_LASTS,
    )
    under = sa.select(_tree.c.id).where(below(_tree.c.path, tenant.path))
    used = sa.select(_logins.c.binding_id).where(open_, _logins.c.tenant_id.in_(under))
    bindings = sa.select(Binding).where(Binding.id.in_(used), Binding.ended_at.is_(None))
    ended = 0
    for binding in (await session.scalars(bindings.order_by(Binding.id).limit(MOST))).all():
        stale = await staleness(session, binding, now)
        if stale is None:
            continue
        theirs = sa.and_(_logins.c.binding_id == binding.id, _logins.c.ended_at.is_(None))
        over = sa.update(_logins).where(theirs).values(ended_at=now, ended_cause=f"stale_{stale.rule}"[:40])
        ended += len((await session.execute(over.returning(_logins.c.id))).all())
    return ended
