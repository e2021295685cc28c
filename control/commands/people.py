"""Commands about people: the first admins, the way back in, and API keys."""

import secrets
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.commands.opening import EVERYWHERE, TERMINAL, find_place, opened
from control.set_up import give_password, make_admin, never_set_up, root_tenant, set_up
from tenants.actor import PROVISIONING, Identity
from tenants.api_keys import ApiKey
from tenants.credentials import hash_password
from tenants.factors import factors_of, reset_factors
from tenants.identities import live_identities
from tenants.people import Membership, User, find_membership
from tenants.refusals import Conflict, OutOfReach
from tenants.roles import Role
from tenants.sign_in import end_all_sign_ins, find_by_email
from tenants.text import email_address
from tenants.trail import record
from tenants.tree import find_tenant
from tenants.verbs import Verb


def new_password() -> str:
    """A password that nobody can guess, for somebody who changes it at once."""
    return secrets.token_urlsafe(15)


async def create_admin(email: str, name: str | None, where: str | None, organization: str) -> list[str]:
    """Make somebody an admin, of the platform unless `where` names a tenant. Returns what to print."""
    password = new_password()
    hashed = await hash_password(password)
    name = name or email_address(email).partition("@")[0].replace(".", " ").title()
    async with opened() as house:
        now = house.clock()
        async with house.store.work(TERMINAL, EVERYWHERE, now) as session:
            known = await find_by_email(session, email) is not None
            if where is None and await never_set_up(session):
                membership = await set_up(session, organization, name, email, hashed, now)
            else:
                tenant = await (find_place(session, where) if where else root_tenant(session))
                if tenant is None:
                    raise OutOfReach("There is no platform yet: make its first admin without --tenant.")
                membership = await make_admin(session, tenant, name, email, hashed, now)
            said = [f"{membership.user.name} <{membership.user.email}> is an admin of {membership.tenant.name}."]
    return said if known else [*said, *_password_lines(password)]


async def recover_admin(email: str) -> list[str]:
    """Let an admin of the platform back in: undiscarded, admin again, with a new password. Returns what to print."""
    password = new_password()
    hashed = await hash_password(password)
    async with opened() as house:
        now = house.clock()
        async with house.store.work(TERMINAL, EVERYWHERE, now) as session:
            membership = await _platform_membership(session, email)
            user = membership.user
            await _bring_back(session, user, membership)
            if membership.role != Role.ADMIN:
                await membership.change_role(session, TERMINAL, Role.ADMIN, now)
            await give_password(session, user, hashed)
            await end_all_sign_ins(session, user.id, "recovered", now)
            said = [f"{user.name} <{user.email}> is an admin of {membership.tenant.name}; every sign-in has ended."]
            if (await factors_of(session, user.id)).count:
                await reset_factors(session, user, "recovered at the terminal", now)
                said.append("The second factors are gone: the next sign-in asks to set up new ones.")
    return [*said, *_password_lines(password)]


async def _platform_membership(session: AsyncSession, email: str) -> Membership:
    user, root = await find_by_email(session, email), await root_tenant(session)
    if user is not None and root is not None:
        theirs = sa.select(Membership.id).where(Membership.user_id == user.id, Membership.tenant_id == root.id)
        membership_id = (await session.scalars(theirs)).one_or_none()
        if membership_id is not None:
            return await find_membership(session, membership_id)
    raise OutOfReach(f"{email} never was in the platform. Run `understudy admin create {email}`.")


async def _bring_back(session: AsyncSession, user: User, membership: Membership) -> None:
    """Undo a discard of either, which nobody above the platform could."""
    for thing, verb in ((user, Verb.USER_UNDISCARDED), (membership, Verb.MEMBERSHIP_UNDISCARDED)):
        if thing.discarded_at is not None:
            thing.discarded_at = thing.discarded_level_id = None
            record(session, verb, thing)
            await session.flush()


def _password_lines(password: str) -> list[str]:
    return [f"Password, shown this once: {password}", "Sign in with it and choose your own under Account."]


async def create_key(email: str, where: str | None, days: int, scopes: Sequence[str], name: str) -> str:
    """A new API key of somebody's membership; returns the key itself, which is kept nowhere."""
    async with opened() as house:
        now = house.clock()
        async with house.store.work(TERMINAL, EVERYWHERE, now) as session:
            if frozenset(scopes) == PROVISIONING:
                return await _provision(session, email, where, days, name, now)
            identity = await _one_identity(session, email, where)
            membership = await find_membership(session, identity.membership_id)
            _, key = await ApiKey.make(session, membership, name, list(scopes), days, now)
    return key


async def _provision(session: AsyncSession, email: str, where: str | None, days: int, name: str, now: datetime) -> str:
    """A key for the people of one company, by an admin there or, the nearest first, above it."""
    if where is None:
        tenant = await find_tenant(session, (await _one_identity(session, email, None)).tenant_id)
    else:
        tenant = await find_place(session, where)
    user = await find_by_email(session, email)
    identities = await live_identities(session, user_id=user.id) if user else []
    above = [identity for identity in identities if tenant.path.startswith(identity.path)]
    if not above:
        raise OutOfReach(f"{email} has no live membership in {tenant.name} or above it.")
    nearest = max(above, key=lambda identity: (identity.role is Role.ADMIN, len(identity.path)))
    membership = await find_membership(session, nearest.membership_id)
    _, key = await ApiKey.provision(session, membership, tenant, name, days, now)
    return key


async def _one_identity(session: AsyncSession, email: str, where: str | None) -> Identity:
    """The one live membership that is meant."""
    user = await find_by_email(session, email)
    identities = await live_identities(session, user_id=user.id) if user else []
    if where is not None:
        tenant = await find_place(session, where)
        identities = [identity for identity in identities if identity.tenant_id == tenant.id]
    if not identities:
        raise OutOfReach(f"{email} has no live membership{f' in {where}' if where else ''}.")
    if len(identities) > 1:
        places = ", ".join(identity.tenant_name for identity in identities)
        raise Conflict(f"{email} is in {places}: say where with --tenant.")
    return identities[0]
