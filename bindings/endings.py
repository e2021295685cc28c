"""Endings: what a suspension or a discard takes with it, in the same transaction. None of it comes back by itself.

Who is meant is a select of membership ids: those of a tenant (and all below it), of a person, or a single one.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from bindings.login import Login
from tenants.api_keys import ApiKey
from tenants.people import Membership, User
from tenants.reach import below
from tenants.sign_in import SignIn
from tenants.tree import Scope, Tenant

Members = sa.Select[int]

# Nobody's reach holds other people's sign-ins and logins, so these are read and ended as plain tables.
_members, _tree = Membership.__table__, Tenant.__table__
_sign_ins, _logins = SignIn.__table__, Login.__table__


def members_of_tenant(tenant: Tenant, scope: Scope = Scope.ALL) -> Members:
    """The memberships of a tenant (scope `staff`), or of it and all below (scope `all`)."""
    place = _tree.c.path == tenant.path if scope is Scope.STAFF else below(_tree.c.path, tenant.path)
    return sa.select(_members.c.id).join(_tree, _tree.c.id == _members.c.tenant_id).where(place)


def members_of_user(user: User) -> Members:
    """Every membership of a person."""
    return sa.select(_members.c.id).where(_members.c.user_id == user.id)


def member(membership: Membership) -> Members:
    """This membership alone."""
    return sa.select(_members.c.id).where(_members.c.id == membership.id)


async def end_for_suspension(session: AsyncSession, tenant: Tenant, scope: Scope, now: datetime) -> None:
    """Sign-ins, logins and keys end. Bindings are stale from now on: their guard asks whether the tenant is open."""
    await _end_access(session, members_of_tenant(tenant, scope), "tenant_suspended", now)


async def end_for_discard(session: AsyncSession, members: Members, cause: str, now: datetime) -> None:
    """Sign-ins, logins and keys end, and the bindings these memberships made.

    A binding *to* one of them goes stale instead: whoever made it is told why at their next login.
    """
    await _end_access(session, members, cause, now)
    made = sa.select(Binding).where(Binding.membership_id.in_(members), Binding.ended_at.is_(None))
    await _end_bindings(session, made, cause, now)


async def end_for_undiscard(session: AsyncSession, members: Members, now: datetime) -> None:
    """A record comes back without its bindings: those to it that no login has met since end now."""
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
