"""Leaving: what ends with a sign-in, and what goes on under the next one of the same person."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from bindings.impersonation import Impersonation, end_all, end_those_of
from bindings.login import Login, end_logins_of
from control.visitor import Visitor
from tenants.people import Membership, User
from tenants.sign_in import SignIn, end_all_sign_ins


async def end_logins_from(session: AsyncSession, sign_in_id: int, now: datetime) -> None:
    """End what was opened from one browser's sign-in: the impersonation first, then the apps' logins."""
    await end_all(session, (await session.scalars(begun_from(sign_in_id))).all(), "signed_out", now)
    made = sa.update(Login).where(Login.sign_in_id == sign_in_id, Login.ended_at.is_(None))
    await session.execute(made.values(ended_at=now, ended_cause="signed_out"))


def begun_from(sign_in_id: int) -> sa.Select[Impersonation]:
    """The impersonations that one browser's sign-in began and that nobody has ended."""
    shown = sa.select(SignIn.impersonation_id).where(SignIn.id == sign_in_id)
    begun = sa.or_(Impersonation.sign_in_id == sign_in_id, Impersonation.id.in_(shown))
    return sa.select(Impersonation).where(begun, Impersonation.ended_at.is_(None))


async def end_other_sign_ins(session: AsyncSession, sign_in: SignIn, cause: str, now: datetime) -> None:
    """End every sign-in of the person but this one, and what was opened from them."""
    others = sa.select(SignIn.id).where(SignIn.user_id == sign_in.user_id, SignIn.ended_at.is_(None))
    for number in (await session.scalars(others.where(SignIn.id != sign_in.id))).all():
        await end_all(session, (await session.scalars(begun_from(number))).all(), cause, now)
    theirs = sa.update(SignIn).where(SignIn.user_id == sign_in.user_id, SignIn.ended_at.is_(None))
    await session.execute(theirs.where(SignIn.id != sign_in.id).values(ended_at=now, ended_cause=cause))


async def end_everywhere(session: AsyncSession, user: User, now: datetime) -> None:
    """End every sign-in and login of a person, what they stand in by now, and what others stand in for them by.

    The caller writes the entry of the act; each stand-in writes its own.
    """
    await end_those_of(session, user.id, "signed_out_everywhere", now)
    await end_all_sign_ins(session, user.id, "everywhere", now)
    await end_logins_of(session, user.id, "signed_out_everywhere", now)
    theirs = sa.select(Membership.id).where(Membership.user_id == user.id)
    onto = sa.select(Binding).where(Binding.subject_membership_id.in_(theirs), Binding.ended_at.is_(None))
    for binding in list(await session.scalars(onto)):
        await binding.end(session, "ended_by_subject", now)


async def give_way(session: AsyncSession, visitor: Visitor, old: SignIn) -> None:
    """Somebody else signs in at this browser: whoever was here is signed out, and so are their apps."""
    if visitor.actor is None or visitor.identity is None:
        return
    session.sync_session.info["actor"] = visitor.actor
    row = await session.get_one(SignIn, old.id)
    await row.end(session, visitor.identity, "replaced", visitor.now)
    await end_logins_from(session, old.id, visitor.now)


async def hand_over(session: AsyncSession, old: SignIn, begun: SignIn, now: datetime) -> None:
    """The same person proved themselves again: their apps' logins go on under the new sign-in."""
    row = await session.get_one(SignIn, old.id)
    row.ended_at, row.ended_cause = now, "proved_again"
    begun.impersonation_id = row.impersonation_id
    await session.flush()
    await session.execute(sa.update(Login).where(Login.sign_in_id == old.id).values(sign_in_id=begun.id))
