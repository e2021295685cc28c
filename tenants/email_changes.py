"""E-mail changes: a new address confirms, the old one agrees or lets 72 hours pass.

One's own change takes effect when the new address confirms it: who asked has just proved who they are. An admin's
waits for the old address besides, which may agree, or cancel within 72 hours without signing in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor
from tenants.identities import live_identities
from tenants.links import Link, Purpose
from tenants.people import Membership, User, require_rank_everywhere
from tenants.personal import Personal
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted
from tenants.text import email_address
from tenants.trail import numbered, record
from tenants.tree import Tenant
from tenants.verbs import Verb

CONFIRM_WITHIN = timedelta(days=3)
"""How long the new address has to confirm."""
WAIT = timedelta(hours=72)
"""How long the old address has to cancel, after the new one confirmed."""


class EmailChange(Personal, Record, Audited):
    """A wish for another address, until it is applied or cancelled. Its history belongs to the person's home."""

    __tablename__ = "email_changes"
    noun = "e-mail change"

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    email: Mapped[str] = mapped_column(sa.String(254))
    asked_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    own: Mapped[bool]
    """Asked for by the person themselves, rather than by an admin."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    agreed_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        """The address it would be."""
        return self.email

    @classmethod
    async def ask(cls, session: AsyncSession, actor: Actor, user: User, email: str, now: datetime) -> "EmailChange":
        """Ask for another address, in place of an earlier wish. Whether somebody has it is asked nowhere here.

        NotPermitted unless it is one's own, or the actor has rank over everywhere the person is.
        """
        own = actor.true is not None and actor.true.user_id == user.id
        if not own:
            await require_rank_everywhere(session, actor, user)
        address = email_address(email)
        if user.discarded_at is not None:
            raise Conflict(f"{user.name} is discarded.")
        if address == user.email:
            raise Invalid("This is the present address.", field="email")
        for earlier in await session.scalars(sa.select(cls).where(cls.user_id == user.id, cls.unsettled())):
            await earlier.cancel(session, now)
        change = cls(
            id=await numbered(session, cls.__tablename__),
            user_id=user.id,
            tenant_id=user.home_tenant_id,
            email=address,
            asked_by_id=actor.standing.membership_id,
            own=own,
            created_at=now,
            expires_at=now + CONFIRM_WITHIN,
        )
        session.add(change)
        record(session, Verb.EMAIL_CHANGE_ASKED, change)
        await session.flush()
        return change

    @classmethod
    def unsettled(cls) -> sa.ColumnElement[bool]:
        """Neither applied nor cancelled, however old."""
        return sa.and_(cls.applied_at.is_(None), cls.cancelled_at.is_(None))

    @classmethod
    def due(cls, now: datetime) -> sa.ColumnElement[bool]:
        """The old address has had its 72 hours."""
        return sa.and_(cls.unsettled(), cls.confirmed_at <= now - WAIT)

    @classmethod
    async def any_due(cls, session: AsyncSession, now: datetime) -> bool:
        """Whether `apply_due` would find any."""
        return (await session.scalars(sa.select(cls.id).where(cls.due(now)).limit(1))).first() is not None

    def pending(self, now: datetime) -> bool:
        """It may still take effect."""
        settled = self.applied_at is not None or self.cancelled_at is not None
        return not settled and (self.confirmed_at is not None or now < self.expires_at)

    @property
    def by_itself_at(self) -> datetime | None:
        """When it takes effect without the old address; None before the new one confirmed."""
        return self.confirmed_at + WAIT if self.confirmed_at is not None else None

    async def confirm(self, session: AsyncSession, now: datetime) -> None:
        """The new address is theirs."""
        if not self.pending(now) or self.confirmed_at is not None:
            raise Conflict("This change is over.")
        self.confirmed_at = now
        record(session, Verb.EMAIL_CHANGE_CONFIRMED, self)
        await session.flush()

    async def agree(self, session: AsyncSession, now: datetime) -> None:
        """The old address agrees, so nothing is waited for."""
        if not self.pending(now) or self.confirmed_at is None:
            raise Conflict("This change is over.")
        self.agreed_at = now
        record(session, Verb.EMAIL_CHANGE_AGREED, self)
        await session.flush()

    async def cancel(self, session: AsyncSession, now: datetime) -> None:
        """It never takes effect; its links are dead."""
        if self.applied_at is not None or self.cancelled_at is not None:
            raise Conflict("This change is over.")
        self.cancelled_at = now
        record(session, Verb.EMAIL_CHANGE_CANCELLED, self)
        await session.flush()
        await self._spend_links(session, now)

    async def apply(self, session: AsyncSession, now: datetime) -> str | None:
        """The new address takes the place of the old, which is returned; None when it was cancelled instead.

        An address that somebody has verified stays theirs. Reset letters to the old address are dead.
        """
        user = await session.get_one(User, self.user_id)
        holder = (await session.scalars(sa.select(User).where(User.email == self.email))).one_or_none()
        if user.discarded_at is not None or (holder is not None and holder.email_verified_at is not None):
            await self.cancel(session, now)
            return None
        if holder is not None:
            await release_address(session, holder)
        before = user.email
        user.email, user.email_verified_at = self.email, now
        record(session, Verb.EMAIL_CHANGED, user)
        await session.flush()
        self.applied_at = now
        record(session, Verb.EMAIL_CHANGE_APPLIED, self)
        await session.flush()
        await self._spend_links(session, now)
        await Link.spend(session, Purpose.RESET, now, user_id=user.id)
        return before

    async def _spend_links(self, session: AsyncSession, now: datetime) -> None:
        for purpose in (Purpose.EMAIL_CONFIRM, Purpose.EMAIL_AGREE):
            await Link.spend(session, purpose, now, user_id=self.user_id)


@dataclass(frozen=True, slots=True)
class Applied:
    """A change that took effect, and the address that it took the place of."""

    user: User
    before: str


async def apply_due(session: AsyncSession, now: datetime) -> Sequence[Applied]:
    """Let the changes take effect whose 72 hours have passed. Whoever asked must still have the rank for it.

    For the house itself, at any time and by as many at once as like.
    """
    waited = sa.select(EmailChange).where(EmailChange.due(now)).with_for_update()
    applied = []
    for change in (await session.scalars(waited)).all():
        if not await _still_ranked(session, change):
            await change.cancel(session, now)
        elif (before := await change.apply(session, now)) is not None:
            applied.append(Applied(await session.get_one(User, change.user_id), before))
    return applied


async def pending_change(session: AsyncSession, user_id: int, now: datetime) -> EmailChange | None:
    """The person's change under way, as far as the session reaches."""
    wanted = sa.select(EmailChange).where(EmailChange.user_id == user_id, EmailChange.unsettled())
    found = (await session.scalars(wanted)).one_or_none()
    return found if found is not None and found.pending(now) else None


async def pending_change_by_line(session: AsyncSession, user: User, actor: Actor, now: datetime) -> bool:
    """Somebody else's change of the person's address is under way, asked for from the actor's line.

    The line is whoever stands above or below the asker in the tree: none of them may weaken the person meanwhile.
    """
    rows, asker, tree = EmailChange.__table__, Membership.__table__, Tenant.__table__
    asked = (
        sa.select(tree.c.path)
        .join(asker, asker.c.tenant_id == tree.c.id)
        .join(rows, rows.c.asked_by_id == asker.c.id)
        .where(
            rows.c.user_id == user.id,
            rows.c.own.is_(False),
            rows.c.applied_at.is_(None),
            rows.c.cancelled_at.is_(None),
            sa.or_(rows.c.confirmed_at.is_not(None), rows.c.expires_at > now),
        )
    )
    mine = actor.standing.path
    return any(path.startswith(mine) or mine.startswith(path) for path in await session.scalars(asked))


async def release_address(session: AsyncSession, user: User) -> None:
    """Take an address from somebody who never verified it: it is its reader's. They keep their record."""
    if user.email_verified_at is not None:
        raise Conflict("A verified address stays its holder's.")
    user.email = f"released-{user.id}@invalid"
    record(session, Verb.EMAIL_CHANGED, user)
    await session.flush()


async def _still_ranked(session: AsyncSession, change: EmailChange) -> bool:
    if change.own:
        return True
    user = await session.get_one(User, change.user_id)
    for asker in await live_identities(session, membership_id=change.asked_by_id):
        try:
            await require_rank_everywhere(session, Actor.of(asker), user)
        except NotPermitted:
            return False
        return True
    return False
