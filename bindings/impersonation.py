"""Impersonation: a membership stands in for another now, for at most 20 minutes, in the panel or at one app.

The row is the truth at each use: `over` tells from it alone whether it still goes on, `refused` asks the guard besides.
Whatever ends one calls `end`, which writes its one line about that however many come at the same moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.binding import identity_of, require_ender
from bindings.facts import Found, fetch_facts
from bindings.guard import Act, Party, Refused, judge
from bindings.notices import note
from tenants.actor import Actor, Identity
from tenants.credentials import digest
from tenants.people import Membership, User
from tenants.phones import Extension
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Invalid, OutOfReach
from tenants.roles import Role
from tenants.text import REASON_LEAST, clean, reason_given
from tenants.trail import numbered, record
from tenants.tree import Tenant
from tenants.verbs import Verb

LONGEST = timedelta(minutes=20)
GOODBYE = timedelta(seconds=10)
"""After a tab said goodbye it may come back so soon: a page that is loaded again says goodbye too."""
SILENCE = timedelta(seconds=150)
"""After so long without a sign of life the tab is taken to be closed, or never to have been opened."""
MODES = ("look", "full")
IMPERSONATION, TOKEN = "impersonation", "token"
"""The kinds: begun by a person in the panel or at an app, or by a program that exchanged a minted token."""
MANY = 10
"""Companies that one person goes into within an hour before somebody is told."""
STOPPED = "stopped"
"""The cause of who stopped by themselves."""

# What ending one needs of logins and sign-ins, without the classes that look back at this one.
_LOGINS = sa.table(
    "logins",
    sa.column("impersonation_id", Number),
    sa.column("ended_at", DateTimeUTC(timezone=True)),
    sa.column("ended_cause", sa.String()),
)
_SIGN_INS = sa.table("sign_ins", sa.column("id", Number), sa.column("impersonation_id", Number))


class Impersonation(Record, Audited):
    """One impersonation (`kind` impersonation) or exchanged token (`kind` token): the row is the truth at each use."""

    __tablename__ = "impersonations"
    noun = "impersonation"
    secret = frozenset({"token_hash"})
    derived = frozenset({"seen_at", "beat_at", "goodbye_at", "banner_at", "document"})

    kind: Mapped[str] = mapped_column(sa.String(20))
    user_id: Mapped[int] = mapped_column(Number)
    """Whose act it is: one of kind impersonation is live at a time."""
    actor_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    actor_tenant_id: Mapped[int] = mapped_column(Number)
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    app_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("apps.id"))
    """The app it was opened at; None in the panel."""
    sign_in_id: Mapped[int | None] = mapped_column(Number)
    """The browser's sign-in that started it; None where a key did."""
    extension_id: Mapped[int | None] = mapped_column(Number)
    mode: Mapped[str] = mapped_column(sa.String(10))
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    ticket: Mapped[str | None] = mapped_column(sa.String(100))
    actor_name: Mapped[str] = mapped_column(sa.String(250))
    subject_name: Mapped[str] = mapped_column(sa.String(250))
    subject_email: Mapped[str] = mapped_column(sa.String(254))
    tenant_name: Mapped[str] = mapped_column(sa.String(200))
    number: Mapped[str | None] = mapped_column(sa.String(20))
    back: Mapped[str | None] = mapped_column(sa.String(500))
    """The page of the panel where it was started: a path."""
    strong: Mapped[bool] = mapped_column(default=False)
    """The actor's sign-in had used a second factor."""
    token_hash: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    """Of an exchanged token: the hash of its `jti`."""
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_cause: Mapped[str | None] = mapped_column(sa.String(40))
    seen_at: Mapped[datetime | None]
    """When something was last done through it, about to the minute."""
    beat_at: Mapped[datetime | None]
    goodbye_at: Mapped[datetime | None]
    banner_at: Mapped[datetime | None]
    """When an app last said that it shows the banner."""
    document: Mapped[str | None] = mapped_column(sa.String(64))
    """Which page of an app holds it: another one, of a copied tab, is refused."""

    @property
    def label(self) -> str:
        """Who was whom, kept as of then."""
        return f"{self.subject_name} at {self.tenant_name}, by {self.actor_name}"

    @property
    def act(self) -> Act:
        """As what the guard is asked about it."""
        return Act.TOKEN if self.kind == TOKEN else Act.IMPERSONATE

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its subject or its actor is; a member's own, whichever side they are on."""
        if reach.extent is Extent.SELF:
            mine = reach.membership_id
            return sa.or_(cls.actor_membership_id == mine, cls.subject_membership_id == mine)
        return sa.or_(reach.tenants(cls.tenant_id), reach.tenants(cls.actor_tenant_id))

    def touches(self, reach: Reach) -> set[int] | None:
        """Its subject's tenant; one's own, on either side, always."""
        if reach.membership_id and reach.membership_id in {self.actor_membership_id, self.subject_membership_id}:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def start(
        cls,
        session: AsyncSession,
        actor: Actor,
        subject: Membership,
        asked: "Asked",
        now: datetime,
        *,
        kind: str = IMPERSONATION,
        jti: str | None = None,
    ) -> "Impersonation":
        """Stand in for somebody from now on. Raises the guard's Refused, or Invalid for what is missing.

        One is live at a time, of exchanged tokens (which are found again by their `jti`) one for each subject: another
        one of the same person gives way in the same transaction.
        """
        who = actor.true
        if actor.standing_in or who is None:
            raise Refused("nested", 409, "You are signed in as somebody else. Stop that first.")
        found = await fetch_facts(
            session,
            Act.TOKEN if kind == TOKEN else Act.IMPERSONATE,
            who.membership_id,
            subject_membership_id=subject.id,
            extension_id=asked.extension_id,
            reason=asked.reason,
            ticket=asked.ticket,
            mode=asked.mode,
            strong=actor.strong,
        )
        party = _allowed(found)
        if found is None:
            raise OutOfReach
        # The person's row is the lock: of two starts at once the later one takes over, and one stays live.
        await session.execute(sa.select(User.id).where(User.id == who.user_id).with_for_update())
        await _give_way(session, kind, who.user_id, subject.id, now)
        minutes = found.facts.policy.minutes
        row = cls(
            id=await numbered(session, cls.__tablename__),
            kind=kind,
            user_id=who.user_id,
            actor_membership_id=who.membership_id,
            actor_tenant_id=who.tenant_id,
            subject_membership_id=party.membership_id,
            tenant_id=party.tenant_id,
            app_id=asked.app_id,
            sign_in_id=actor.sign_in_id,
            extension_id=asked.extension_id,
            mode=asked.mode,
            reason=asked.reason,
            ticket=asked.ticket,
            actor_name=who.shown_name,
            subject_name=party.name,
            subject_email=await _address_of(session, party.user_id),
            tenant_name=party.tenant_name,
            number=found.extension_number or await _number_of(session, party.membership_id),
            back=asked.back,
            strong=actor.strong,
            token_hash=digest(jti) if jti is not None else None,
            created_at=now,
            ends_at=now + (LONGEST if minutes is None else min(LONGEST, timedelta(minutes=minutes))),
            seen_at=now if asked.app_id is None else None,
        )
        session.add(row)
        subject_then = identity_of(party)
        record(
            session,
            Verb.IMPERSONATION_STARTED,
            row,
            named=(cls.__tablename__, str(row.id), party.name),
            reason=asked.reason,
            ticket=asked.ticket,
            subject=subject_then,
            stand_in_id=row.id,
            mode=asked.mode,
            **({"broken_glass": True} if found.facts.broken_glass else {}),
        )
        await session.flush()
        if actor.sign_in_id is not None and asked.app_id is None and kind == IMPERSONATION:
            await session.execute(
                sa.update(_SIGN_INS).where(_SIGN_INS.c.id == actor.sign_in_id).values(impersonation_id=row.id)
            )
        await note(
            await session.connection(),
            who,
            party.membership_id,
            party.tenant_id,
            found.facts.policy.notice,
            now,
            via=row.kind,
            stand_in_id=row.id,
            reason=asked.reason,
        )
        return row

    def over(self, now: datetime) -> tuple[str, datetime] | None:
        """Why and when it ended, as far as the row alone tells; None while it goes on."""
        if self.ended_at is not None:
            return self.ended_cause or "ended", self.ended_at
        moments = [("expired", self.ends_at)]
        if self.goodbye_at is not None:
            moments.append(("tab_closed", self.goodbye_at + GOODBYE))
        if self.beat_at is not None:
            moments.append(("tab_closed", self.beat_at + SILENCE))
        elif self.app_id is not None and self.seen_at is None:
            moments.append(("tab_closed", self.created_at + SILENCE))
        cause, first = min(moments, key=lambda each: each[1])
        return (cause, first) if now >= first else None

    async def refused(
        self, connection: AsyncConnection | AsyncSession, now: datetime
    ) -> tuple[Refused | None, Found | None]:
        """What the guard says of it now, with the facts that it said so by. Asked at each use."""
        found = await fetch_facts(
            connection,
            self.act,
            self.actor_membership_id,
            subject_membership_id=self.subject_membership_id,
            reason=self.reason,
            ticket=self.ticket,
            mode=self.mode,
            strong=self.strong,
            now=now,
        )
        return (judge(found.facts) if found else Refused("live", 409, "This person is not there any more.")), found

    async def end(self, session: AsyncSession, cause: str, now: datetime, *, at: datetime | None = None) -> bool:
        """End it for good, and every login made through it in the same transaction.

        False when somebody was quicker: it is told once. `at` is when it really ended, where that was before now.
        """
        # Asked first: a question between the change and its entry would flush the change without it.
        subject = await _subject(session, self)
        await session.refresh(self, ["ended_at", "ended_cause"], with_for_update=True)
        if self.ended_at is not None:
            return False
        self.ended_at, self.ended_cause = at or now, cause
        own = cause == STOPPED
        record(
            session,
            Verb.IMPERSONATION_STOPPED if own else Verb.IMPERSONATION_ENDED,
            self,
            named=(self.__tablename__, str(self.id), subject.name if own else self.label),
            stand_in_id=self.id,
            subject=subject,
            cause=cause,
            actor=self.actor_name,
            seconds=int((self.ended_at - self.created_at).total_seconds()),
        )
        await session.flush()
        await session.execute(
            sa.update(_LOGINS)
            .where(_LOGINS.c.impersonation_id == self.id, _LOGINS.c.ended_at.is_(None))
            .values(ended_at=now, ended_cause=f"impersonation_{cause}"[:40])
        )
        return True

    async def stop(self, session: AsyncSession, actor: Actor, now: datetime) -> bool:
        """End it by hand: one's own always, one in which somebody is oneself always, others' with the right to.

        False when it was over already, by itself or by somebody quicker.
        """
        over = self.over(now)
        if over is not None:
            cause, at = over
            await self.end(session, cause, now, at=at)
            return False
        return await self.end(session, await self._hand(session, actor), now)

    async def _hand(self, session: AsyncSession, actor: Actor) -> str:
        """By whose hand it ends, as a cause. NotPermitted for whose it is not."""
        if actor.true is not None and actor.true.user_id == self.user_id:
            return STOPPED
        if actor.standing.membership_id == self.subject_membership_id:
            return "ended_by_subject"
        await require_ender(session, actor, self.actor_membership_id)
        return "ended_by_admin"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody who starts one says: why, how far, and where."""

    reason: str | None
    ticket: str | None = None
    mode: str = "full"
    extension_id: int | None = None
    app_id: int | None = None
    back: str | None = None

    @classmethod
    def of(
        cls,
        reason: str | None,
        ticket: str | None = None,
        mode: str | None = None,
        *,
        extension_id: int | None = None,
        app_id: int | None = None,
        back: str | None = None,
    ) -> "Asked":
        """What was typed, cleaned. Raises Invalid: a reason is always asked for."""
        if mode not in {None, *MODES}:
            raise Invalid(f"One of {', '.join(MODES)}.", field="mode")
        said = reason_given(reason, asked=True)
        if said is None:
            raise Invalid(f"Say why in at least {REASON_LEAST} characters.", field="reason")
        return cls(
            said,
            clean(ticket, "ticket")[:100] if ticket else None,
            mode or "full",
            extension_id,
            app_id,
            back,
        )


async def find_impersonation(session: AsyncSession, impersonation_id: int) -> Impersonation:
    """The impersonation, when in reach; otherwise OutOfReach."""
    row = await session.get(Impersonation, impersonation_id)
    if row is None:
        raise OutOfReach
    return row


async def end_all(session: AsyncSession, rows: Sequence[Impersonation], cause: str, now: datetime) -> int:
    """End these, each with its line; how many still went on."""
    count = 0
    for row in rows:
        over = row.over(now) if row.ended_at is None else None
        ended = await row.end(session, over[0] if over else cause, now, at=over[1] if over else None)
        count += ended and over is None
    return count


async def end_those_of(session: AsyncSession, user_id: int, cause: str, now: datetime) -> int:
    """End what a person stands in by and what others stand in for them by, at every place they are in.

    For a session of the house: nobody's reach holds all of those.
    """
    members = Membership.__table__
    theirs = sa.select(members.c.id).where(members.c.user_id == user_id)
    concerned = sa.or_(Impersonation.user_id == user_id, Impersonation.subject_membership_id.in_(theirs))
    live = sa.select(Impersonation).where(concerned, Impersonation.ended_at.is_(None))
    return await end_all(session, (await session.scalars(live)).all(), cause, now)


async def companies_lately(session: AsyncSession, user_id: int, now: datetime, *, but: int = 0) -> int:
    """How many companies somebody went into within the last hour, `but` the impersonation of that number."""
    rows = Impersonation.__table__
    wanted = sa.select(sa.func.count(sa.distinct(rows.c.tenant_id))).where(
        rows.c.user_id == user_id, rows.c.created_at > now - timedelta(hours=1), rows.c.id != but
    )
    return (await session.execute(wanted)).scalar_one()


def live_ones(now: datetime) -> sa.Select[Impersonation]:
    """Those that go on."""
    return sa.select(Impersonation).where(goes_on(now))


def goes_on(now: datetime) -> sa.ColumnElement[bool]:
    """What `over` says of a row, asked of all rows at once: nothing has ended it."""
    row = Impersonation
    opened = sa.or_(row.app_id.is_(None), row.seen_at.is_not(None), row.created_at > now - SILENCE)
    return sa.and_(
        row.ended_at.is_(None),
        row.ends_at > now,
        sa.or_(row.goodbye_at.is_(None), row.goodbye_at > now - GOODBYE),
        # Never unknown, so that its opposite holds for all the others.
        sa.or_(sa.and_(row.beat_at.is_not(None), row.beat_at > now - SILENCE), sa.and_(row.beat_at.is_(None), opened)),
    )


def _allowed(found: Found | None) -> Party:
    """The subject that the guard allows. Raises its Refused."""
    if found is None:
        raise OutOfReach
    refused = judge(found.facts)
    if refused is not None:
        raise refused
    if found.facts.subject is None:
        raise OutOfReach
    return found.facts.subject


async def _give_way(session: AsyncSession, kind: str, user_id: int, subject_id: int, now: datetime) -> None:
    """A new one ends the old one, which may have run out without anybody having looked."""
    mine = sa.select(Impersonation).where(
        Impersonation.user_id == user_id, Impersonation.kind == kind, Impersonation.ended_at.is_(None)
    )
    if kind == TOKEN:
        mine = mine.where(Impersonation.subject_membership_id == subject_id)
    await end_all(session, (await session.scalars(mine)).all(), "replaced", now)


async def _address_of(session: AsyncSession, user_id: int) -> str:
    people = User.__table__
    return str((await session.execute(sa.select(people.c.email).where(people.c.id == user_id))).scalar_one())


async def _number_of(session: AsyncSession, membership_id: int) -> str | None:
    """The subject's own number, which banners name: the first, where there are several."""
    phones = Extension.__table__
    own = sa.select(phones.c.number).where(phones.c.membership_id == membership_id, phones.c.discarded_at.is_(None))
    return (await session.execute(own.order_by(phones.c.number).limit(1))).scalar_one_or_none()


async def _subject(session: AsyncSession, row: Impersonation) -> Identity:
    """Who was stood in for, as they are now."""
    members, people, tree = Membership.__table__, User.__table__, Tenant.__table__
    wanted = (
        sa.select(
            members.c.user_id, members.c.role, people.c.name, people.c.email, tree.c.id, tree.c.name, tree.c.kind,
            tree.c.path,
        )
        .join(people, people.c.id == members.c.user_id)
        .join(tree, tree.c.id == members.c.tenant_id)
        .where(members.c.id == row.subject_membership_id)
    )  # fmt: skip
    user_id, role, name, email, *place = (await session.execute(wanted)).one()
    return Identity(row.subject_membership_id, user_id, name, email, Role(role), *place)
