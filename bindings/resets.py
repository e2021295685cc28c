"""Resets: what ends when somebody's password is set anew by a letter, or their address is proved for the first time.

Whoever had the account before has it no longer: in the panel, at the apps, through keys, or standing in.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from bindings.endings import end_access, end_bindings, end_consents, members_of_user
from tenants.email_changes import EmailChange
from tenants.links import Link, Purpose
from tenants.password_resets import set_password
from tenants.people import User
from tenants.refusals import Gone
from tenants.sign_in import end_all_sign_ins


async def reset_access(session: AsyncSession, user: User, cause: str, now: datetime) -> None:
    """End every sign-in, login, API key, impersonation and binding of a person, and those in which they are the other.

    For a session of the house: whoever stands in for them may do so from a place that nobody's reach holds besides.
    The caller writes the entry of the act; keys and stand-ins write their own.
    """
    theirs = members_of_user(user)
    await end_access(session, theirs, cause, now)
    await end_all_sign_ins(session, user.id, cause, now)
    await Link.spend(session, Purpose.SECOND_FACTOR, now, user_id=user.id)
    concerned = sa.or_(Binding.membership_id.in_(theirs), Binding.subject_membership_id.in_(theirs))
    await end_bindings(session, sa.select(Binding).where(concerned, Binding.ended_at.is_(None)), cause, now)
    # Whoever had the account before may have let somebody in.
    await end_consents(session, theirs, cause, now)


async def reset_password(session: AsyncSession, secret: str, password_hash: str, now: datetime) -> User:
    """Spend the letter's link for a new password. Gone when it is spent, too old, or its person was discarded."""
    link = await Link.redeem(session, secret, Purpose.RESET, now)
    user = await session.get(User, link.user_id) if link.user_id is not None else None
    if user is None or user.discarded_at is not None:
        raise Gone("This link was used already, or it is too old. Ask for a new one.")
    await set_password(session, user, password_hash)
    await reset_access(session, user, "password_reset", now)
    # A wish of whoever had the password before: the person asks again.
    own = sa.select(EmailChange).where(EmailChange.user_id == user.id, EmailChange.own, EmailChange.unsettled())
    for change in (await session.scalars(own)).all():
        await change.cancel(session, now)
    return user
