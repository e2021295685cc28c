"""Letters about passwords: the link to set a new one, and the word that it was set."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from tenants.letters import Addressee, LetterKind
from tenants.password_resets import LIVES, ask_reset
from tenants.people import User


async def send_reset(house: House, session: AsyncSession, user: User, now: datetime, *, who: str | None = None) -> None:
    """The letter to somebody's verified address. `who` is the admin who had it sent."""
    secret, until = await ask_reset(session, user, now), now + LIVES
    words = {"link": house.link(f"/reset/{secret}"), "until": until.isoformat()}
    words |= {"who": who} if who else {}
    await house.letter(
        session, LetterKind.PASSWORD_RESET, reader(user), user.home_tenant_id, now, expires_at=until, **words
    )


async def tell_password_changed(house: House, session: AsyncSession, user: User, now: datetime) -> None:
    """So that whoever did not do it learns of it."""
    await house.letter(session, LetterKind.PASSWORD_CHANGED, reader(user), user.home_tenant_id, now)


def reader(user: User, address: str | None = None) -> Addressee:
    """Somebody as a letter addresses them: at their own address, or at another."""
    return Addressee(address or user.email, user.name, user.locale, user.id)
