"""Endings: suspending and discarding with all that they take along, in one transaction.

Doors call these rather than the verbs of the records, which know nothing of logins and bindings. Nothing that ends
here comes back by itself.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from bindings.login import Login
from tenants.actor import Actor
from tenants.api_keys import ApiKey
from tenants.people import Membership, User
from tenants.reach import below
from tenants.sign_in import SignIn
from tenants.tree import Scope, Suspension, Tenant

Members = sa.Select[int]
"""Who is meant: a select of membership ids."""

# Nobody's reach holds other people's sign-ins and logins, so these are read and ended as plain tables.
_members, _tree = Membership.__table__, Tenant.__table__
_sign_ins, _logins = SignIn.__table__, Login.__table__


async def suspend_tenant(
    session: AsyncSession, actor: Actor, tenant: Tenant, scope: Scope, reason: str, now: datetime
) -> Suspension:
    """Close it: sign-ins, logins and keys end. Bindings go stale: their guard asks whether the tenant is open."""
    row = await tenant.suspend(session, actor, scope, reason, now)
    await _end_access(session, _members_of_tenant(tenant, scope), "tenant_suspended", now)
    return row


async def discard_tenant(session: AsyncSession, actor: Actor, tenant: Tenant, now: datetime) -> None:
    """Discard it, and end the access of everybody there."""
    await tenant.discard(session, actor, now)
    await _discarded(session, _members_of_tenant(tenant, Scope.ALL), "tenant_discarded", now)


async def undiscard_tenant(session: AsyncSession, actor: Actor, tenant: Tenant, now: datetime) -> None:
    """Bring the record back, without keys or bindings."""
    await tenant.undiscard(session, actor)
    await _undiscarded(session, _members_of_tenant(tenant, Scope.ALL), now)


async def discard_user(session: AsyncSession, actor: Actor, user: User, now: datetime) -> None:
    """Discard a person, and end their access everywhere."""
    await user.discard(session, actor, now)
    await _discarded(session, _members_of_user(user), "user_discarded", now)


async def undiscard_user(session: AsyncSession, actor: Actor, user: User, now: datetime) -> None:
    """Bring the record back, without keys or bindings."""
    await user.undiscard(session, actor)
    await _undiscarded(session, _members_of_user(user), now)


async def discard_membership(session: AsyncSession, actor: Actor, membership: Membership, now: datetime) -> None:
    """End a membership, and the access through it."""
    await membership.discard(session, actor, now)
    await _discarded(session, _member(membership), "membership_discarded", now)


async def undiscard_membership(session: AsyncSession, actor: Actor, membership: Membership, now: datetime) -> None:
    """Bring the record back, without keys or bindings."""
    await membership.undiscard(session, actor)
    await _undiscarded(session, _member(membership), now)


def _members_of_tenant(tenant: Tenant, scope: Scope) -> Members:
    place = _tree.c.path == tenant.path if scope is Scope.STAFF else below(_tree.c.path, tenant.path)
    return sa.select(_members.c.id).join(_tree, _tree.c.id == _members.c.tenant_id).where(place)


def _members_of_user(user: User) -> Members:
    return sa.select(_members.c.id).where(_members.c.user_id == user.id)


def _member(membership: Membership) -> Members:
    return sa.select(_members.c.id).where(_members.c.id == membership.id)


async def _discarded(session: AsyncSession, members: Members, cause: str, now: datetime) -> None:
    """A binding *to* one of them is left to go stale: whoever made it is told why at their next login."""
    await _end_access(session, members, cause, now)
    made = sa.select(Binding).where(Binding.membership_id.in_(members), Binding.ended_at.is_(None))
    await _end_bindings(session, made, cause, now)


async def _undiscarded(session: AsyncSession, members: Members, now: datetime) -> None:
    """A binding to one of them that no login has met since would come back to life: it ends now."""
    to_them = sa.select(Binding).where(Binding.subject_membership_id.in_(members), Binding.ended_at.is_(None))
    await _end_bindings(session, to_them, "subject_discarded", now)


async def _end_access(session: AsyncSession, members: Members, cause: str, now: datetime) -> None:
    over = {"ended_at": now, "ended_cause": cause}
    await session.execute(
        sa.update(_sign_ins)
        .where(_sign_ins.c.membership_id.in_(members), _sign_ins.c.ended_at.is_(None))
        .values(**over)
    )
    as_or_by_them = sa.or_(_logins.c.actor_membership_id.in_(members), _logins.c.subject_membership_id.in_(members))
    await session.execute(sa.update(_logins).where(as_or_by_them, _logins.c.ended_at.is_(None)).values(**over))
    keys = sa.select(ApiKey).where(ApiKey.membership_id.in_(members), ApiKey.revoked_at.is_(None))
    for key in (await session.scalars(keys)).all():
        await key.revoke(session, now)


async def _end_bindings(session: AsyncSession, bindings: sa.Select[Binding], cause: str, now: datetime) -> None:
    for binding in (await session.scalars(bindings)).all():
        await binding.end(session, cause, now)
