"""Consent: a window in which somebody may stand in where the rules ask for consent, given to one organization.

Or to one operator, to whom the person speaks six digits: good for an hour, and then for an hour.
"""

import hmac
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor, Identity
from tenants.credentials import digest
from tenants.own_admins import require_own_admin
from tenants.people import Membership, User
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, TooMany
from tenants.roles import Permission
from tenants.sealing import mark
from tenants.sign_in import Attempt, Failure, count_one
from tenants.trail import numbered, record
from tenants.tree import Tenant, ancestors
from tenants.verbs import Verb

PURPOSE = "spoken digits"
LONGEST = timedelta(days=30)
SPOKEN = timedelta(hours=1)
"""How long digits can be said to somebody, and then how long they open."""
DIGITS = 6
TRIES = 5
"""Wrong digits, whoever says them, until those that are right are good for nothing."""
WRONG_AN_HOUR = 10
"""Wrong digits of one person, for whomever."""


class Consent(Record, Audited):
    """Who may stand in for whom, until when. With `digits` it waits for one operator to say them.

    `membership_id` is the one person it is for, or None for everybody in the company. `to_tenant_id` is whose people
    may use it; of spoken digits `operator_id` is the one person who said them, and nobody before that.
    """

    __tablename__ = "consents"
    noun = "consent"
    secret = frozenset({"digits"})
    derived = frozenset({"tries"})

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    membership_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    to_tenant_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    operator_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    granted_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    digits: Mapped[str | None] = mapped_column(sa.String(64))
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where it opens a company; of a member their own, and those that open everybody there."""
        if reach.extent is Extent.SELF:
            everybody = sa.and_(cls.membership_id.is_(None), cls.tenant_id == reach.tenant_id)
            return sa.or_(cls.membership_id == reach.membership_id, everybody)
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own; otherwise the company it opens."""
        if self.membership_id is not None and self.membership_id == reach.membership_id:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    def open_at(cls, now: datetime) -> sa.ColumnElement[bool]:
        """Not taken back and not over; those whose digits nobody has said yet are among them."""
        return sa.and_(cls.revoked_at.is_(None), cls.ends_at > now)

    def open(self, now: datetime) -> bool:
        """The same of one."""
        return self.revoked_at is None and now < self.ends_at

    @property
    def waits(self) -> bool:
        """Nobody has said its digits: it opens nothing yet."""
        return self.to_tenant_id is None and self.operator_id is None

    @classmethod
    async def grant(
        cls,
        session: AsyncSession,
        actor: Actor,
        tenant: Tenant,
        membership_id: int | None,
        to_tenant_id: int,
        ends_at: datetime,
        now: datetime,
    ) -> "Consent":
        """Open a window: of oneself, or of the whole company (`membership_id` None) by its own admins.

        To the company itself or one organization above it, for at most 30 days. NotPermitted, Invalid, Conflict.
        """
        who = _oneself(actor)
        if membership_id is None:
            await require_own_admin(session, actor, tenant, now)
        elif membership_id != who.membership_id or tenant.id != who.tenant_id:
            raise NotPermitted("Only they themselves can say who may stand in for them.", rule="policy")
        if tenant.discarded_at is not None:
            raise Conflict(f"{tenant.name} is discarded.")
        to = next((each for each in await may_be_let_in(session, tenant) if each.id == to_tenant_id), None)
        if to is None:
            raise Invalid(f"Choose {tenant.name} or an organization above it.", field="to")
        if not now < ends_at <= now + LONGEST:
            raise Invalid(f"It ends within {LONGEST.days} days.", field="ends_at")
        row = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=tenant.id,
            membership_id=membership_id,
            to_tenant_id=to.id,
            granted_by_id=who.membership_id,
            created_at=now,
            ends_at=ends_at,
        )
        session.add(row)
        whom = tenant.name if membership_id is None else who.name
        record(session, Verb.CONSENT_GRANTED, row, named=row.named(whom), to=to.name)
        await session.flush()
        return row

    @classmethod
    async def offer(cls, session: AsyncSession, secret_key: bytes, actor: Actor, now: datetime) -> str:
        """Six digits to speak to an operator, returned this once. Those before, that nobody has said, are dead."""
        who = _oneself(actor)
        # Of two at once the later one holds: the person's row is the lock.
        await session.execute(sa.select(Membership.id).where(Membership.id == who.membership_id).with_for_update())
        for earlier in (await session.scalars(_waiting(who.membership_id, now))).all():
            await earlier.revoke(session, actor, now)
        digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        number = await numbered(session, cls.__tablename__)
        row = cls(
            id=number,
            tenant_id=who.tenant_id,
            membership_id=who.membership_id,
            granted_by_id=who.membership_id,
            digits=mark(secret_key, PURPOSE, str(number), digits),
            created_at=now,
            ends_at=now + SPOKEN,
        )
        session.add(row)
        record(session, Verb.CONSENT_OFFERED, row, named=row.named(who.name))
        await session.flush()
        return digits

    @classmethod
    async def take(
        cls, session: AsyncSession, secret_key: bytes, subject: Membership, actor: Actor, digits: str, now: datetime
    ) -> "Consent | None":
        """Who says a person's digits may stand in for them, for an hour and alone. `subject` has its user loaded.

        None for wrong ones, whatever is wrong about them: the try is counted, so the caller commits before saying no.
        TooMany after ten wrong ones within an hour.
        """
        who = _oneself(actor)
        guessing = Attempt(digest(f"spoken digits by {who.user_id}"), "spoken digits")
        await _hold_back(session, guessing, now)
        # The row is the lock: of two who say the same at once, the second finds nothing that waits.
        waiting = _waiting(subject.id, now).with_for_update().execution_options(populate_existing=True)
        row = (await session.scalars(waiting)).one_or_none()
        said = mark(secret_key, PURPOSE, str(row.id if row else 0), digits)
        if row is None or row.tries >= TRIES or not hmac.compare_digest(row.digits or "", said):
            if row is not None:
                row.tries += 1
            await count_one(session, guessing, now)
            named = ("memberships", str(subject.id), subject.user.name)
            record(session, Verb.REFUSED, None, place=subject.tenant_id, named=named, rule="digits")
            await session.flush()
            return None
        row.operator_id, row.digits, row.ends_at = who.membership_id, None, now + SPOKEN
        record(session, Verb.CONSENT_REDEEMED, row, named=row.named(subject.user.name), to=who.shown_name)
        await session.flush()
        return row

    def require_revocable(self, actor: Actor) -> None:
        """NotPermitted unless it is one's own, or one keeps the rules of the company: taking back only tightens."""
        who = _oneself(actor)
        if self.membership_id != who.membership_id and not actor.may(Permission.MANAGE_POLICY):
            raise NotPermitted("This was given by the company. Its admins take it back.", rule="policy")

    async def revoke(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """Take it back. Doors call `bindings.consenting.revoke`, which ends what needed it."""
        self.require_revocable(actor)
        if not self.open(now):
            raise Conflict("This is over already.")
        name = await _whose(session, self)
        self.revoked_at = now
        record(session, Verb.CONSENT_REVOKED, self, named=self.named(name))
        await session.flush()

    async def cut(self, session: AsyncSession, now: datetime, cause: str) -> None:
        """End it because those it was given to are not above any more."""
        name = await _whose(session, self)
        self.revoked_at = now
        record(session, Verb.CONSENT_REVOKED, self, named=self.named(name), cause=cause)
        await session.flush()

    def named(self, whom: str) -> tuple[str, str, str]:
        """How an entry names it: by who is let others in to."""
        return (self.__tablename__, str(self.id), whom)


async def find_consent(session: AsyncSession, consent_id: int) -> Consent:
    """The window, when in reach; otherwise OutOfReach."""
    row = await session.get(Consent, consent_id)
    if row is None:
        raise OutOfReach
    return row


async def may_be_let_in(session: AsyncSession, tenant: Tenant) -> list[Tenant]:
    """Whom a window may be given to: the organizations above, the nearest first, and the company itself."""
    line = await ancestors(session, tenant.path)
    return [each for each in (*line[-2::-1], line[-1]) if each.discarded_at is None]


def spoken(typed: str) -> str:
    """The digits as somebody wrote them down, without spaces and dashes. Invalid when they are not six."""
    digits = "".join(each for each in typed if not (each.isspace() or each in "-–."))
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        raise Invalid("Six digits, as the person reads them out.", field="digits")
    return digits


def _waiting(membership_id: int, now: datetime) -> sa.Select[Consent]:
    """Digits of somebody that nobody has said yet; one at most."""
    return sa.select(Consent).where(
        Consent.membership_id == membership_id, Consent.digits.is_not(None), Consent.open_at(now)
    )


async def _hold_back(session: AsyncSession, guessing: Attempt, now: datetime) -> None:
    rows = Failure.__table__
    wrong = sa.select(sa.func.coalesce(sa.func.sum(rows.c.count), 0)).where(
        rows.c.account == guessing.account, rows.c.minute > now - timedelta(hours=1)
    )
    if (await session.execute(wrong)).scalar_one() >= WRONG_AN_HOUR:
        raise TooMany("Too many wrong digits. Wait an hour, or ask for a window.", retry_after=3600)


def _oneself(actor: Actor) -> Identity:
    """Nobody says yes in another's name. NotPermitted while standing in, OutOfReach for the house."""
    if actor.true is None:
        raise OutOfReach
    if actor.standing_in:
        raise NotPermitted("Stop impersonating first: this would outlive your standing in.", rule="outlives")
    return actor.true


async def _whose(session: AsyncSession, row: Consent) -> str:
    """Who was let others in to: the person, or the company."""
    people, members, tree = User.__table__, Membership.__table__, Tenant.__table__
    wanted = (
        sa.select(tree.c.name).where(tree.c.id == row.tenant_id)
        if row.membership_id is None
        else sa.select(people.c.name)
        .join(members, members.c.user_id == people.c.id)
        .where(members.c.id == row.membership_id)
    )
    return str((await session.execute(wanted)).scalar_one())
