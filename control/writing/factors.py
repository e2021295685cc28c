"""Letters about second factors: to the person, whoever changed something about how they sign in."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.writing.resets import reader
from tenants.actor import Identity
from tenants.letters import LetterKind
from tenants.people import User


async def tell_added(house: House, session: AsyncSession, user: User, what: str, now: datetime) -> None:
    """One was set up: `what` is totp, recovery_codes or a passkey by its name."""
    await house.letter(session, LetterKind.FACTOR_ADDED, reader(user), user.home_tenant_id, now, what=what)


async def tell_removed(house: House, session: AsyncSession, user: User, what: str, now: datetime) -> None:
    """One was removed."""
    await house.letter(session, LetterKind.FACTOR_REMOVED, reader(user), user.home_tenant_id, now, what=what)


async def tell_reset(house: House, session: AsyncSession, user: User, admin: Identity, now: datetime) -> None:
    """An admin took all of them away."""
    await house.letter(
        session,
        LetterKind.FACTORS_RESET,
        reader(user),
        user.home_tenant_id,
        now,
        who=admin.name,
        tenant=admin.tenant_name,
        link=house.link("/account/second-factor"),
    )
