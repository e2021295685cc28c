"""Set-up: the first admin of a new house, let in by a link that only the server's terminal shows."""

import hmac
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.settings import Settings
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.refusals import Conflict
from tenants.roles import Role
from tenants.sign_in import find_by_email
from tenants.text import email_address, named
from tenants.trail import record
from tenants.tree import Kind, Tenant
from tenants.verbs import Verb

HOUSE = Actor.house("set-up")
LOCK = 0x53455455
"""The advisory lock of set-up ("SETU")."""


def set_up_token(settings: Settings) -> str:
    """What the link carries: the same for every process of the house, and of no use once set-up is shut."""
    return hmac.new(settings.secret_key, b"set-up", "sha256").hexdigest()


async def never_set_up(session: AsyncSession) -> bool:
    """Whether there never was anybody. People are discarded, never deleted, so set-up shuts once and for all."""
    return (await session.execute(sa.select(User.id).limit(1))).first() is None


async def root_tenant(session: AsyncSession) -> Tenant | None:
    """The platform, when it has been founded."""
    return (await session.scalars(sa.select(Tenant).where(Tenant.parent_id.is_(None)))).first()


async def set_up(
    session: AsyncSession, organization: str, name: str, email: str, password_hash: str, now: datetime
) -> Membership:
    """Found the platform with its first admin. Raises Conflict once anybody ever was."""
    await _one_at_a_time(session)
    if not await never_set_up(session):
        raise Conflict("Understudy is set up already.", rule="set_up")
    # Before the first id is taken: PostgreSQL's sequences do not roll back, and the platform is number 1.
    name, email = named(name), email_address(email)
    root = await root_tenant(session) or await Tenant.found(session, None, Kind.PLATFORM, organization, None, now)
    return await make_admin(session, root, name, email, password_hash, now)


async def _one_at_a_time(session: AsyncSession) -> None:
    """Of two who set up at once the second one waits, and is too late. SQLite has one writer anyway."""
    if (await session.connection()).dialect.name == "postgresql":
        await session.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


async def make_admin(
    session: AsyncSession, tenant: Tenant, name: str, email: str, password_hash: str, now: datetime
) -> Membership:
    """An admin who can sign in at once: whoever stands at the server vouches for the address.

    Somebody who is known already keeps name and password. Raises Conflict for who has been in the tenant before.
    """
    user = await find_by_email(session, email)
    if user is None:
        user = await User.create(session, tenant, name, email, now)
        user.email_verified_at = now
        await give_password(session, user, password_hash)
    return await Membership.create(session, HOUSE, user, tenant, Role.ADMIN, now)


async def give_password(session: AsyncSession, user: User, password_hash: str) -> None:
    """Set a password without asking for the old one."""
    user.password_hash = password_hash
    record(session, Verb.PASSWORD_CHANGED, user)
    await session.flush()
