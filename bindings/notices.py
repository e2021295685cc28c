"""Notices: what a person is yet to be told of those who stood in for them. Written with the start, told by letter.

At each start at most one letter an hour about one actor; what comes in between, and what a company wants gathered,
waits for the digest: one letter, a day after the oldest that waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column

from tenants.actor import Identity
from tenants.people import Membership
from tenants.policy import Notice
from tenants.records import Number, Record

QUIET = timedelta(hours=1)
"""How long nothing more is told at once about the same actor."""
GATHERED = timedelta(hours=24)
"""How long the oldest of what is gathered waits."""
SUBJECTS = 50
"""How many people are told in one transaction."""
TELLING = 0x554E444E
"""The advisory lock that lets one process tell at a time ("UNDN"): two could not see each other's letters."""
LOGIN = "login"
"""How it was done, when somebody opened an app by a binding; otherwise the kind of stand-in that was started."""


class AccessNotice(Record):
    """One start or login that its subject is to be told of. Nobody's reach holds it: the house writes and tells."""

    __tablename__ = "notices"

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    actor_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    actor_name: Mapped[str] = mapped_column(sa.String(250))
    actor_tenant_name: Mapped[str] = mapped_column(sa.String(200))
    via: Mapped[str] = mapped_column(sa.String(20))
    stand_in_id: Mapped[int] = mapped_column(Number)
    at_once: Mapped[bool]
    """To be told now; False once it waits for the digest."""
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    created_at: Mapped[datetime]
    told_at: Mapped[datetime | None]


_INSERT = sa.insert(AccessNotice.__table__)


async def note(
    connection: AsyncConnection,
    actor: Identity,
    subject_membership_id: int,
    tenant_id: int,
    wanted: Notice,
    now: datetime,
    *,
    via: str,
    stand_in_id: int,
    reason: str | None,
) -> None:
    """Note down, in the transaction of the start, what the subject's rules say they are told of."""
    if wanted is Notice.NONE:
        return
    row = {
        "tenant_id": tenant_id,
        "subject_membership_id": subject_membership_id,
        "actor_membership_id": actor.membership_id,
        "actor_name": actor.shown_name,
        "actor_tenant_name": actor.tenant_name,
        "via": via,
        "stand_in_id": stand_in_id,
        "at_once": wanted is Notice.AT_ONCE,
        "reason": reason,
        "created_at": now,
    }
    await connection.execute(_INSERT, row)


@dataclass(frozen=True, slots=True)
class Telling:
    """One letter to write: to whom, and about what, oldest first."""

    subject: Membership
    rows: Sequence[AccessNotice]
    at_once: bool
    """About one actor, and now; otherwise the digest."""


def untold(now: datetime) -> sa.ColumnElement[bool]:
    """What somebody is to be told now."""
    gathered = AccessNotice.created_at <= now - GATHERED
    return sa.and_(AccessNotice.told_at.is_(None), sa.or_(AccessNotice.at_once, gathered))


async def any_untold(session: AsyncSession, now: datetime) -> bool:
    """Whether `take_untold` would find anything."""
    return (await session.scalars(sa.select(AccessNotice.id).where(untold(now)).limit(1))).first() is not None


async def take_untold(session: AsyncSession, now: datetime) -> list[Telling]:
    """The letters to write now; what they tell is marked as told in this transaction, so that it is told once.

    For the house itself. Nothing is told to who wants no such letters, or is not there any more.
    """
    if not await _alone(session):
        return []
    due = sa.select(AccessNotice.subject_membership_id).where(untold(now)).distinct().limit(SUBJECTS)
    subjects = list(await session.scalars(due.order_by(AccessNotice.subject_membership_id)))
    people = await _people(session, subjects)
    lately = await _told_lately(session, subjects, now)
    theirs = sa.select(AccessNotice).where(
        AccessNotice.subject_membership_id.in_(subjects), AccessNotice.told_at.is_(None)
    )
    rows = await session.scalars(theirs.order_by(AccessNotice.subject_membership_id, AccessNotice.id))
    tellings = []
    for subject_id, waiting in groupby(rows.all(), key=attrgetter("subject_membership_id")):
        tellings += _tellings(people[subject_id], list(waiting), lately, now)
    await session.flush()
    return tellings


def _tellings(
    subject: Membership, waiting: list[AccessNotice], lately: set[tuple[int, int]], now: datetime
) -> list[Telling]:
    """What one person is told now of all that waits for them."""
    if subject.user.notices_muted or subject.user.discarded_at is not None:
        for row in waiting:
            row.at_once = False  # No letter went out, so none is a reason to hold the next one back.
        _mark(waiting, now)
        return []
    found = []
    pressing = sorted((row for row in waiting if row.at_once), key=attrgetter("actor_membership_id", "id"))
    for actor_id, about in groupby(pressing, key=attrgetter("actor_membership_id")):
        rows = list(about)
        if (subject.id, actor_id) in lately:
            for row in rows:
                row.at_once = False
        else:
            found.append(Telling(subject, rows, at_once=True))
            _mark(rows, now)
    gathered = [row for row in waiting if row.told_at is None]
    if gathered and gathered[0].created_at <= now - GATHERED:
        found.append(Telling(subject, gathered, at_once=False))
        _mark(gathered, now)
    return found


def _mark(rows: Sequence[AccessNotice], now: datetime) -> None:
    for row in rows:
        row.told_at = now


async def _people(session: AsyncSession, members: Sequence[int]) -> dict[int, Membership]:
    wanted = sa.select(Membership).where(Membership.id.in_(members))
    found = await session.scalars(wanted.options(joinedload(Membership.user), joinedload(Membership.tenant)))
    return {each.id: each for each in found}


async def _told_lately(session: AsyncSession, subjects: Sequence[int], now: datetime) -> set[tuple[int, int]]:
    """Whom a letter at once has told about whom within the hour."""
    wanted = sa.select(AccessNotice.subject_membership_id, AccessNotice.actor_membership_id).where(
        AccessNotice.subject_membership_id.in_(subjects), AccessNotice.at_once, AccessNotice.told_at > now - QUIET
    )
    return {(subject, actor) for subject, actor in await session.execute(wanted)}


async def _alone(session: AsyncSession) -> bool:
    """One process tells at a time. SQLite has one writer, so nobody else can be at it."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool((await session.execute(sa.select(sa.func.pg_try_advisory_xact_lock(TELLING)))).scalar_one())
