"""Endings: suspending and discarding with all that they take along, in one transaction.

Doors call these rather than the verbs of the records, which know nothing of logins and bindings. Nothing that ends
here comes back by itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from bindings.impersonation import Impersonation, end_all
from bindings.login import LONGEST as LOGIN_LASTS
from bindings.login import Login
from tenants.actor import Actor
from tenants.api_keys import ApiKey
from tenants.consents import Consent
from tenants.people import Membership, User
from tenants.reach import below
from tenants.sign_in import IDLE, SignIn
from tenants.sign_in import LONGEST as SIGN_IN_LASTS
from tenants.tree import Scope, Suspension, Tenant

Members = sa.Select[int]
"""Who is meant: a select of membership ids."""

# Nobody's reach holds other people's sign-ins and logins, so these are read and ended as plain tables.
_members, _tree = Membership.__table__, Tenant.__table__
_sign_ins, _logins = SignIn.__table__, Login.__table__


@dataclass(frozen=True, slots=True)
class Stops:
    """What stops when a tenant is suspended: counted beforehand, for whoever is about to do it."""

    people: int
    """Memberships that have not ended."""
    tenants: int
    """Below it, where everything below is closed."""
    sign_ins: int
    logins: int
    api_keys: int
    impersonations: int
    bindings: int
    """By its people or to them: they go stale, and are over once a login has met them."""


async def what_stops(session: AsyncSession, actor: Actor, tenant: Tenant, scope: Scope, now: datetime) -> Stops:
    """What `suspend_tenant` would stop now. Refuses as it would."""
    tenant.require_closable(actor)
    members = _members_of_tenant(tenant, scope)
    beneath = sa.select(Tenant.id).where(
        below(Tenant.path, tenant.path), Tenant.id != tenant.id, Tenant.discarded_at.is_(None)
    )
    people = sa.select(Membership.id).where(Membership.id.in_(members), Membership.discarded_at.is_(None))
    keys = _keys(members, _tenants(tenant, scope)).where(ApiKey.expires_at > now)
    bound = sa.select(Binding.id).where(
        sa.or_(Binding.membership_id.in_(members), Binding.subject_membership_id.in_(members)),
        Binding.ended_at.is_(None),
    )
    return Stops(
        people=await _count(session, people),
        tenants=await _count(session, beneath) if scope is Scope.ALL else 0,
        sign_ins=await _count(session, _open_sign_ins(members, now)),
        logins=await _count(session, _open_logins(members, now)),
        api_keys=await _count(session, keys),
        impersonations=await _count(session, _impersonations(members, now)),
        bindings=await _count(session, bound),
    )


async def suspend_tenant(
    session: AsyncSession, actor: Actor, tenant: Tenant, scope: Scope, reason: str, now: datetime
) -> Suspension:
    """Close it: sign-ins, logins and keys end. Bindings go stale: their guard asks whether the tenant is open."""
    row = await tenant.suspend(session, actor, scope, reason, now)
    await end_access(session, _members_of_tenant(tenant, scope), "tenant_suspended", now, _tenants(tenant, scope))
    return row


async def discard_tenant(session: AsyncSession, actor: Actor, tenant: Tenant, now: datetime) -> None:
    """Discard it, and end the access of everybody there."""
    await tenant.discard(session, actor, now)
    members = _members_of_tenant(tenant, Scope.ALL)
    await _discarded(session, members, "tenant_discarded", now, _tenants(tenant, Scope.ALL))


async def undiscard_tenant(session: AsyncSession, actor: Actor, tenant: Tenant, now: datetime) -> None:
    """Bring the record back, without keys or bindings."""
    await tenant.undiscard(session, actor)
    await _undiscarded(session, _members_of_tenant(tenant, Scope.ALL), now)


async def discard_user(session: AsyncSession, actor: Actor, user: User, now: datetime) -> None:
    """Discard a person, and end their access everywhere."""
    await user.discard(session, actor, now)
    await _discarded(session, members_of_user(user), "user_discarded", now)


async def undiscard_user(session: AsyncSession, actor: Actor, user: User, now: datetime) -> None:
    """Bring the record back, without keys or bindings."""
    await user.undiscard(session, actor)
    await _undiscarded(session, members_of_user(user), now)


async def discard_membership(session: AsyncSession, actor: Actor, membership: Membership, now: datetime) -> None:
    """End a membership, and the access through it."""
    await membership.discard(session, actor, now)
    await _discarded(session, _member(membership), "membership_discarded", now)


async def end_membership_access(session: AsyncSession, membership_id: int, cause: str, now: datetime) -> None:
    """End what was opened through a membership that is over: sign-ins, logins, keys and what it stood in for."""
    await _discarded(session, sa.select(_members.c.id).where(_members.c.id == membership_id), cause, now)


async def undiscard_membership(session: AsyncSession, actor: Actor, membership: Membership, now: datetime) -> None:
    """Bring the record back, without keys or bindings."""
    await membership.undiscard(session, actor)
    await _undiscarded(session, _member(membership), now)


def _members_of_tenant(tenant: Tenant, scope: Scope) -> Members:
    return sa.select(_members.c.id).join(_tree, _tree.c.id == _members.c.tenant_id).where(_place(tenant, scope))


def _tenants(tenant: Tenant, scope: Scope) -> sa.Select[int]:
    return sa.select(_tree.c.id).where(_place(tenant, scope))


def _place(tenant: Tenant, scope: Scope) -> sa.ColumnElement[bool]:
    return _tree.c.path == tenant.path if scope is Scope.STAFF else below(_tree.c.path, tenant.path)


def members_of_user(user: User) -> Members:
    """Every membership of a person, ended ones as well."""
    return sa.select(_members.c.id).where(_members.c.user_id == user.id)


def _member(membership: Membership) -> Members:
    return sa.select(_members.c.id).where(_members.c.id == membership.id)


async def _count(session: AsyncSession, wanted: sa.Select[Any]) -> int:
    return await session.scalar(wanted.with_only_columns(sa.func.count(), maintain_column_froms=True)) or 0


def _open_sign_ins(members: Members, now: datetime) -> sa.Select[int]:
    return sa.select(_sign_ins.c.id).where(
        _sign_ins.c.membership_id.in_(members),
        _sign_ins.c.ended_at.is_(None),
        _sign_ins.c.last_seen_at > now - IDLE,
        _sign_ins.c.created_at > now - SIGN_IN_LASTS,
    )


def _open_logins(members: Members, now: datetime) -> sa.Select[str]:
    return sa.select(_logins.c.id).where(
        _as_or_by(members),
        _logins.c.ended_at.is_(None),
        sa.or_(_logins.c.ends_at.is_(None), _logins.c.ends_at > now),
        _logins.c.created_at > now - LOGIN_LASTS,
    )


def _as_or_by(members: Members) -> sa.ColumnElement[bool]:
    return sa.or_(_logins.c.actor_membership_id.in_(members), _logins.c.subject_membership_id.in_(members))


def _keys(members: Members, tenants: sa.Select[int] | None = None) -> sa.Select[ApiKey]:
    """Theirs, and those by which somebody above provisions one of the tenants."""
    whose: sa.ColumnElement[bool] = ApiKey.membership_id.in_(members)
    if tenants is not None:
        whose = sa.or_(whose, ApiKey.tenant_id.in_(tenants))
    return sa.select(ApiKey).where(whose, ApiKey.revoked_at.is_(None))


def _impersonations(members: Members, now: datetime) -> sa.Select[Impersonation]:
    """Those that go on now, with one of them on either side."""
    concerned = sa.or_(Impersonation.actor_membership_id.in_(members), Impersonation.subject_membership_id.in_(members))
    return sa.select(Impersonation).where(concerned, Impersonation.ended_at.is_(None), Impersonation.ends_at > now)


async def _discarded(
    session: AsyncSession, members: Members, cause: str, now: datetime, tenants: sa.Select[int] | None = None
) -> None:
    """A binding *to* one of them is left to go stale: whoever made it is told why at their next login."""
    await end_access(session, members, cause, now, tenants)
    made = sa.select(Binding).where(Binding.membership_id.in_(members), Binding.ended_at.is_(None))
    await end_bindings(session, made, cause, now)
    await end_consents(session, members, cause, now)


async def _undiscarded(session: AsyncSession, members: Members, now: datetime) -> None:
    """A binding to one of them that no login has met since would come back to life: it ends now."""
    to_them = sa.select(Binding).where(Binding.subject_membership_id.in_(members), Binding.ended_at.is_(None))
    await end_bindings(session, to_them, "subject_discarded", now)


async def end_access(
    session: AsyncSession, members: Members, cause: str, now: datetime, tenants: sa.Select[int] | None = None
) -> None:
    """End their sign-ins, logins, keys and impersonations, with one of them on either side.

    `tenants` are those that close: keys by which they are provisioned from above end too.
    """
    over = {"ended_at": now, "ended_cause": cause}
    await session.execute(
        sa.update(_sign_ins)
        .where(_sign_ins.c.membership_id.in_(members), _sign_ins.c.ended_at.is_(None))
        .values(**over)
    )
    await session.execute(sa.update(_logins).where(_as_or_by(members), _logins.c.ended_at.is_(None)).values(**over))
    for key in (await session.scalars(_keys(members, tenants))).all():
        await key.revoke(session, now)
    await end_all(session, (await session.scalars(_impersonations(members, now))).all(), cause, now)


async def end_bindings(session: AsyncSession, bindings: sa.Select[Binding], cause: str, now: datetime) -> None:
    """End these bindings for good."""
    for binding in (await session.scalars(bindings)).all():
        await binding.end(session, cause, now)


async def end_consents(session: AsyncSession, members: Members, cause: str, now: datetime) -> None:
    """Close the windows that they opened to themselves, and make their spoken digits good for nothing."""
    opened = sa.select(Consent).where(Consent.membership_id.in_(members), Consent.open_at(now))
    for consent in (await session.scalars(opened)).all():
        await consent.cut(session, now, cause)
