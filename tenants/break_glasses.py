"""Breaking the glass: the way past `never` and consent, for one subject and one hour, with a second person's yes."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor, Identity
from tenants.email_changes import EmailChange
from tenants.identities import live_identities
from tenants.invitations import Invitation
from tenants.own_admins import SETTLED, appointed_by
from tenants.people import Membership
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Permission, Role
from tenants.text import REASON_LEAST, reason_given
from tenants.trail import Entry, numbered, record
from tenants.tree import Kind
from tenants.verbs import Verb

OPEN = timedelta(hours=1)
WAITS = timedelta(hours=24)
"""How long somebody may say yes: what was urgent a day ago is asked anew."""

HANDS = frozenset(
    {
        Verb.USER_CREATED,
        Verb.USER_UNDISCARDED,
        Verb.FACTORS_RESET,
        Verb.PASSWORD_RESET_ASKED,
        Verb.EMAIL_CHANGE_ASKED,
        Verb.EMAIL_CHANGED,
        Verb.MEMBERSHIP_CREATED,
        Verb.MEMBERSHIP_CHANGED,
        Verb.MEMBERSHIP_UNDISCARDED,
        Verb.INVITATION_PREPARED,
        Verb.INVITATION_CHANGED,
        Verb.INVITATION_SENT,
        Verb.INVITATION_LINK_MADE,
    }
)
"""What one does to another's account by which one could be that other, or make somebody who says yes."""


class BreakGlass(Record, Audited):
    """A platform admin asks, another one approves; it is open from then until `ends_at`, or until it is ended."""

    __tablename__ = "break_glasses"
    noun = "broken glass"

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    asked_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    reason: Mapped[str] = mapped_column(sa.String(1000))
    created_at: Mapped[datetime]
    approved_by_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    approved_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its subject is; a member sees those for themselves."""
        if reach.extent is Extent.SELF:
            return cls.subject_membership_id == reach.membership_id
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its subject's tenant; the subject may end it."""
        if reach.extent is Extent.SELF:
            return set() if self.subject_membership_id == reach.membership_id else None
        return {self.tenant_id}

    def state(self, now: datetime) -> str:
        """`waits` for a second person, `lapsed` when nobody said yes in time, `open`, or `over`."""
        if self.ended_at is not None:
            return "over"
        if self.ends_at is None:
            return "waits" if now < self.created_at + WAITS else "lapsed"
        return "open" if now < self.ends_at else "over"

    @classmethod
    async def ask(
        cls, session: AsyncSession, actor: Actor, subject: Membership, reason: str, now: datetime
    ) -> "BreakGlass":
        """Ask for it, with why. `subject` has its user loaded. It opens nothing before another one approves."""
        who = require_platform_admin(actor)
        said = reason_given(reason, asked=True)
        if said is None:
            raise Invalid(f"Say why in at least {REASON_LEAST} characters.", field="reason")
        if subject.user_id == who.user_id:
            raise Invalid("This is you already.", rule="self")
        mine = sa.select(cls).where(cls.asked_by_id == who.membership_id, cls.subject_membership_id == subject.id)
        for earlier in (await session.scalars(mine.where(cls.ended_at.is_(None)))).all():
            if earlier.state(now) in {"waits", "open"}:
                raise Conflict(f"You have asked for {subject.user.name} already.")
        row = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=subject.tenant_id,
            subject_membership_id=subject.id,
            asked_by_id=who.membership_id,
            reason=said,
            created_at=now,
        )
        session.add(row)
        named = row.named(subject.user.name)
        record(session, Verb.BREAK_GLASS_ASKED, row, named=named, reason=said)
        await session.flush()
        return row

    async def require_approvable(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """What stands before `approve`.

        Another person than who asked, and none of the two has made or reset the other in the last 30 days: whoever
        could sign in as the second person would be alone with it.
        """
        who = require_platform_admin(actor)
        if self.state(now) != "waits":
            raise Conflict("Nobody waits for a yes to this any more.")
        asker = next(iter(await live_identities(session, membership_id=self.asked_by_id)), None)
        if asker is None or not is_platform_admin(asker):
            raise Conflict("Whoever asked is no admin of the platform any more.")
        if asker.user_id == who.user_id:
            raise NotPermitted("Somebody else has to approve what you asked for.", rule="second_person")
        if await _made(session, asker, who, now) or await _made(session, who, asker, now):
            raise NotPermitted(
                f"One of you made the other an admin, or changed how they sign in, in the last {SETTLED.days} days. "
                "It takes a person who is independent of who asks.",
                rule="second_person",
            )

    async def approve(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """Say yes as the second person: it is open for an hour, for that one asker and that one subject."""
        # The row is the lock: of two who approve at once one does.
        await session.refresh(self, ["approved_at", "ends_at", "ended_at"], with_for_update=True)
        await self.require_approvable(session, actor, now)
        name = await _name_of(session, self)
        self.approved_by_id, self.approved_at = actor.standing.membership_id, now
        self.ends_at = now + OPEN
        record(session, Verb.BREAK_GLASS_APPROVED, self, named=self.named(name))
        await session.flush()

    def require_endable(self, actor: Actor) -> None:
        """By the subject, and by whoever keeps the rules there: the company's admins, and the two of the platform."""
        if actor.true is None:
            raise OutOfReach
        if actor.standing_in:
            raise NotPermitted("Stop impersonating first: this would outlive your standing in.", rule="outlives")
        if actor.true.membership_id != self.subject_membership_id and not actor.may(Permission.MANAGE_POLICY):
            raise NotPermitted("The person, their admins and the platform's end this.")

    async def end(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """End it before its hour is over, or say no to it. Doors call `bindings.consenting.end_glass`."""
        self.require_endable(actor)
        await session.refresh(self, ["approved_at", "ends_at", "ended_at"], with_for_update=True)
        if self.state(now) not in {"waits", "open"}:
            raise Conflict("This is over already.")
        name = await _name_of(session, self)
        self.ended_at = now
        record(session, Verb.BREAK_GLASS_ENDED, self, named=self.named(name))
        await session.flush()

    def named(self, whom: str) -> tuple[str, str, str]:
        """How an entry names it: by its subject."""
        return (self.__tablename__, str(self.id), whom)


def require_platform_admin(actor: Actor) -> Identity:
    """NotPermitted for whoever is no admin of the platform, as themselves."""
    who = actor.true
    if who is None or actor.standing_in or not is_platform_admin(who):
        raise NotPermitted("Only admins of the platform break the glass, two of them together.")
    return who


def is_platform_admin(who: Identity | None) -> bool:
    """Whether somebody is an admin of the platform."""
    return who is not None and who.role is Role.ADMIN and who.tenant_kind == Kind.PLATFORM


async def find_glass(session: AsyncSession, glass_id: int) -> BreakGlass:
    """The broken glass, when in reach; otherwise OutOfReach."""
    row = await session.get(BreakGlass, glass_id)
    if row is None:
        raise OutOfReach
    return row


async def _made(session: AsyncSession, first: Identity, second: Identity, now: datetime) -> bool:
    """Whether the first made the second what they are, or laid hands on how they sign in, in the last 30 days.

    Who was made admin by somebody whom the first made admin counts as made by the first.
    """
    givers = await appointed_by(session, second.membership_id, now)
    firsts = set(await session.scalars(sa.select(Membership.id).where(Membership.user_id == first.user_id)))
    if givers & firsts:
        return True
    seconds = sa.select(Membership.id).where(Membership.user_id == second.user_id)
    changes = sa.select(EmailChange.id).where(EmailChange.user_id == second.user_id)
    invited = sa.select(Invitation.id).where(
        sa.or_(Invitation.accepted_by_id.in_(seconds), Invitation.email == second.email)
    )
    theirs = [
        sa.and_(Entry.record_type == "users", Entry.record_id == str(second.user_id)),
        *(
            sa.and_(Entry.record_type == table, Entry.record_id.in_(_as_text(ids)))
            for table, ids in (("memberships", seconds), ("email_changes", changes), ("invitations", invited))
        ),
    ]
    by_hand = sa.select(Entry.id).where(
        Entry.actor_user_id == first.user_id,
        Entry.occurred_at > now - SETTLED,
        Entry.verb.in_([verb.value for verb in HANDS]),
        sa.or_(*theirs),
    )
    return (await session.scalars(by_hand.limit(1))).first() is not None


def _as_text(ids: sa.Select[int]) -> sa.Select[str]:
    [column] = ids.selected_columns
    return ids.with_only_columns(sa.cast(column, sa.String(40)))


async def _name_of(session: AsyncSession, row: BreakGlass) -> str:
    """Who is stood in for, discarded or not."""
    wanted = sa.select(Membership).where(Membership.id == row.subject_membership_id)
    subject = (await session.scalars(wanted.options(sa.orm.joinedload(Membership.user)))).one()
    return subject.user.name
