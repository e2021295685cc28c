"""Letters about a change of address: to the new one, to the old one, and the word that it was done."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.writing.resets import reader
from tenants.actor import Actor
from tenants.email_changes import CONFIRM_WITHIN, WAIT, EmailChange, apply_due
from tenants.letters import LetterKind
from tenants.links import Link, Purpose
from tenants.people import User
from tenants.reach import Reach

HOUSE = Actor.house("e-mail change")
EVERYWHERE = Reach.everywhere("e-mail change")


async def ask_change(
    house: House, session: AsyncSession, actor: Actor, user: User, email: str, now: datetime
) -> EmailChange:
    """Ask for another address, and write to it. The letter goes out whether somebody has the address or nobody."""
    change = await EmailChange.ask(session, actor, user, email, now)
    secret = await Link.make(session, Purpose.EMAIL_CONFIRM, CONFIRM_WITHIN, now, user_id=user.id, about_id=change.id)
    words = {"link": house.link(f"/email/confirm/{secret}"), "email": change.email}
    words |= {"until": change.expires_at.isoformat()} | ({} if change.own else {"who": actor.standing.shown_name})
    to = reader(user, change.email)
    await house.letter(
        session, LetterKind.EMAIL_CONFIRM, to, change.tenant_id, now, expires_at=change.expires_at, **words
    )
    return change


async def ask_old_address(
    house: House, session: AsyncSession, change: EmailChange, user: User, who: str, now: datetime
) -> None:
    """Write to the old address: it may agree, or cancel, without signing in."""
    until = now + WAIT
    secret = await Link.make(session, Purpose.EMAIL_AGREE, WAIT, now, user_id=user.id, about_id=change.id)
    words = {
        "link": house.link(f"/email/agree/{secret}"),
        "cancel_link": house.link(f"/email/agree/{secret}?cancel=1"),
        "email": change.email,
        "who": who,
        "until": until.isoformat(),
    }
    await house.letter(session, LetterKind.EMAIL_AGREE, reader(user), change.tenant_id, now, expires_at=until, **words)


async def tell_changed(house: House, session: AsyncSession, user: User, before: str, now: datetime) -> None:
    """The old address learns of it."""
    await house.letter(
        session, LetterKind.EMAIL_CHANGED, reader(user, before), user.home_tenant_id, now, email=user.email
    )


async def settle_changes(house: House, now: datetime) -> None:
    """Let those changes take effect whose 72 hours have passed: now and then, and before an address is looked up."""
    async with house.store.work(HOUSE, EVERYWHERE, now, writes=False) as session:
        if not await EmailChange.any_due(session, now):
            return
    async with house.store.work(HOUSE, EVERYWHERE, now) as session:
        for applied in await apply_due(session, now):
            await tell_changed(house, session, applied.user, applied.before, now)
