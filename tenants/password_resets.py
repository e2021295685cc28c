"""Password resets: a letter to the verified address, good for an hour and one password. Nobody else sees one."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.actor import Actor
from tenants.links import Link, Purpose
from tenants.people import User, require_rank_everywhere
from tenants.refusals import Conflict, TooMany
from tenants.sign_in import WINDOW, Attempt, Failure, count_one
from tenants.text import email_address
from tenants.trail import record
from tenants.verbs import Verb

LIVES = timedelta(hours=1)
LETTERS_AN_HOUR = 5
"""To one person, whoever asks for them."""
ASKED_OF_PAIR = 5
"""Times that one network may ask for one address in a quarter of an hour."""
ASKED_OF_NETWORK = 30


async def require_resettable(session: AsyncSession, actor: Actor, user: User, now: datetime) -> None:
    """By who has rank over everywhere the person is; to a verified address, and not without end."""
    await require_rank_everywhere(session, actor, user)
    if user.discarded_at is not None:
        raise Conflict(f"{user.name} is discarded.")
    if user.email_verified_at is None:
        raise Conflict(f"{user.name} has not confirmed their address yet, so no letter goes there.", rule="unverified")
    if await _letters_lately(session, user, now) >= LETTERS_AN_HOUR:
        raise TooMany(f"{user.name} was sent {LETTERS_AN_HOUR} letters within an hour.", retry_after=3600)


async def may_have_letter(session: AsyncSession, user: User | None, now: datetime) -> bool:
    """Whether somebody who says they forgot their password is sent a letter. They are never told."""
    if user is None or user.discarded_at is not None or user.email_verified_at is None:
        return False
    return await _letters_lately(session, user, now) < LETTERS_AN_HOUR


async def ask_reset(session: AsyncSession, user: User, now: datetime) -> str:
    """The secret of a letter's link; older ones of the person are dead."""
    record(session, Verb.PASSWORD_RESET_ASKED, user)
    await session.flush()
    return await Link.make(session, Purpose.RESET, LIVES, now, user_id=user.id)


async def set_password(session: AsyncSession, user: User, password_hash: str) -> None:
    """The new password, by whoever showed the letter's link. Second factors stay as they are."""
    user.password_hash = password_hash
    record(session, Verb.PASSWORD_RESET, user)
    await session.flush()


async def count_asking(session: AsyncSession, email: str, address: str, now: datetime) -> None:
    """Count one who forgot, known or not. TooMany from one network, for one address or for many."""
    asked = _asking(email, address)
    rows, recent = Failure.__table__, Failure.__table__.c.minute > now - WINDOW
    of_pair = sa.case((rows.c.account == asked.account, rows.c.count), else_=0)
    lately = sa.select(sa.func.coalesce(sa.func.sum(of_pair), 0), sa.func.coalesce(sa.func.sum(rows.c.count), 0)).where(
        recent, rows.c.network == asked.network
    )
    pair, network = (await session.execute(lately)).one()
    if pair >= ASKED_OF_PAIR or network >= ASKED_OF_NETWORK:
        raise TooMany("Too many letters were asked for. Wait a quarter of an hour.", retry_after=900)
    await count_one(session, asked, now)


def _asking(email: str, address: str) -> Attempt:
    """Counted beside failed sign-ins, and never among them."""
    attempt = Attempt.of(email_address(email), address)
    return Attempt(attempt.account, f"reset {attempt.network}")


async def _letters_lately(session: AsyncSession, user: User, now: datetime) -> int:
    rows = Link.__table__
    lately = sa.select(sa.func.count()).where(
        rows.c.user_id == user.id,
        rows.c.purpose == Purpose.RESET.value,
        rows.c.created_at > now - timedelta(hours=1),
    )
    return (await session.execute(lately)).scalar_one()
