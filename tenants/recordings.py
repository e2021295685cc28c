"""Call recordings: what is known of a call that was recorded, and what people noted of it.

A private one is its member's and their own company's business: whoever else reaches it sees that there was a call,
but neither who was at the other end nor what was noted. Both are secrets of the history as well, since what is
written there while a call is open to all would still stand there when it is private.
"""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from tenants.actor import Actor
from tenants.people import Membership
from tenants.phones import Extension
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Permission, Role
from tenants.text import REASON_LEAST, clean, reason_given
from tenants.trail import numbered, record
from tenants.tree import Tenant
from tenants.verbs import Verb

PARTY_LENGTH = 60
EXTERNAL_LENGTH = 100
NOTES_LENGTH = 4000
LONGEST = 7 * 24 * 3600
"""Seconds: a call that lasts a week is a mistake."""


class Direction(StrEnum):
    """Which way a call went, seen from the company."""

    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class Disposition(StrEnum):
    """What came of a call."""

    RESOLVED = "resolved"
    FOLLOW_UP = "follow_up"
    COMPLAINT = "complaint"
    SALE = "sale"
    VOICEMAIL = "voicemail"
    WRONG_NUMBER = "wrong_number"


class Recording(Record, Audited):
    """One recorded call. A private one is its member's and their own company's business."""

    __tablename__ = "recordings"
    noun = "recording"
    secret = frozenset({"notes", "party"})
    lends = frozenset({"notes", "disposition"})
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "external_id"),
        sa.ForeignKeyConstraint(["extension_id", "tenant_id"], ["extensions.id", "extensions.tenant_id"]),
        sa.ForeignKeyConstraint(["membership_id", "tenant_id"], ["memberships.id", "memberships.tenant_id"]),
    )

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    extension_id: Mapped[int | None] = mapped_column(Number)
    membership_id: Mapped[int | None] = mapped_column(Number)
    external_id: Mapped[str | None] = mapped_column(sa.String(100))
    """What the phone system calls it, so that it is not taken in twice."""
    direction: Mapped[str] = mapped_column(sa.String(10))
    party: Mapped[str] = mapped_column(sa.String(60))
    """Who was at the other end, as the phone system knew them."""
    started_at: Mapped[datetime]
    seconds: Mapped[int]
    disposition: Mapped[str | None] = mapped_column(sa.String(30))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    private: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]

    tenant: Mapped[Tenant] = relationship(lazy="raise", viewonly=True)
    extension: Mapped[Extension | None] = relationship(
        lazy="raise", viewonly=True, primaryjoin=Extension.id == sa.orm.foreign(extension_id)
    )
    membership: Mapped[Membership | None] = relationship(
        lazy="raise", viewonly=True, primaryjoin=Membership.id == sa.orm.foreign(membership_id)
    )

    @property
    def label(self) -> str:
        """When it began and how long it was: history is read by more people than may know who called."""
        return f"{self.started_at:%Y-%m-%d %H:%M} UTC, {self.seconds} s"

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; a member sees their own."""
        if reach.extent is Extent.SELF:
            return cls.membership_id == reach.membership_id
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant; a member's own is theirs to mark as private."""
        if reach.extent is Extent.SELF:
            return set() if self.membership_id == reach.membership_id and sa.inspect(self).persistent else None
        return {self.tenant_id}

    @classmethod
    async def take_in(
        cls,
        session: AsyncSession,
        tenant: Tenant,
        now: datetime,
        *,
        external_id: str,
        direction: Direction,
        party: str,
        started_at: datetime,
        seconds: int,
        extension: Extension | None = None,
        private: bool = False,
    ) -> "Recording":
        """What a phone system tells of a recorded call; it is whoever's has the extension now.

        The same `external_id` of the same tenant is taken in once: whoever tells it again is given what is here.
        """
        external_id = _line(external_id, "external_id", EXTERNAL_LENGTH)
        here = await _known(session, tenant.id, external_id)
        if here is not None:
            return here
        if extension is not None and extension.tenant_id != tenant.id:
            raise Invalid("A recording is of an extension of the same company.", field="extension")
        if not 0 <= seconds <= LONGEST:
            raise Invalid("This is not the length of a call.", field="seconds")
        made = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=tenant.id,
            extension_id=extension.id if extension else None,
            membership_id=extension.membership_id if extension else None,
            external_id=external_id,
            direction=direction.value,
            party=_line(party, "party", PARTY_LENGTH),
            started_at=started_at,
            seconds=seconds,
            private=private,
            created_at=now,
        )
        try:
            async with session.begin_nested():
                session.add(made)
                record(session, Verb.RECORDING_CREATED, made)
                await session.flush()
        except IntegrityError:
            here = await _known(session, tenant.id, external_id)
            if here is None:
                raise
            return here
        return made

    def readable_by(self, actor: Actor) -> bool:
        """Whether somebody may know who was at the other end, and what was noted. Nobody who stands in may."""
        return not self.private or self.belongs_to(actor)

    def belongs_to(self, actor: Actor) -> bool:
        """Whether it is somebody's own, or that of the company they run. Nobody's who stands in."""
        who = actor.apparent
        if who is None or actor.standing_in:
            return False
        return who.membership_id == self.membership_id or (who.tenant_id == self.tenant_id and _runs_company(actor))

    async def change(self, session: AsyncSession, actor: Actor, **fields: Any) -> None:
        """Note something else of it (`notes`, several lines), or give it another `disposition`."""
        if not self.readable_by(actor):
            raise NotPermitted("This recording is private: only its company writes on it.", rule="private")
        if "notes" in fields:
            fields["notes"] = _notes(fields["notes"])
        if fields.get("disposition"):
            if fields["disposition"] not in set(Disposition):
                raise Invalid("This is not one of the dispositions.", field="disposition")
            fields["disposition"] = Disposition(fields["disposition"]).value
        elif "disposition" in fields:
            fields["disposition"] = None
        await self._set(session, fields)

    async def set_private(self, session: AsyncSession, actor: Actor, private: bool) -> None:
        """Keep it from those above, or open it again: by its member, or an admin or supervisor of its company."""
        if not self.belongs_to(actor):
            raise NotPermitted("Only its member or its own company decides whether it is private.", rule="private")
        await self._set(session, {"private": private})

    def revealable_to(self, actor: Actor) -> bool:
        """Whether somebody may look into it at all: who edits recordings there, or stands in for whose it is."""
        own = actor.standing_in and actor.standing.membership_id == self.membership_id
        return not actor.look and (own or actor.may(Permission.EDIT_COMPANY_RECORDS))

    async def reveal(
        self, session: AsyncSession, actor: Actor, reason: str | None = None, *, requested: bool = False
    ) -> None:
        """Say that somebody looks into a private one, before they are shown it: from above, or standing in.

        Who stands in confirms it for this one recording: a reason, and `requested`, that its person asked for it.
        Raises Invalid for what is missing of these.
        """
        if not self.revealable_to(actor):
            raise NotPermitted("This recording is private: you may not look into it.", rule="private")
        if not self.private:
            raise Conflict("This recording is not private.")
        if actor.standing_in:
            reason = reason_given(reason or "", asked=True)
            if reason is None:
                raise Invalid(f"Say why in at least {REASON_LEAST} characters.", field="reason")
            if not requested:
                raise Invalid("Look into it only when you were asked to.", field="requested")
        record(session, Verb.RECORDING_REVEALED, self, reason=reason)
        await session.flush()

    async def discard(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """Out of every list; the record stays."""
        if self.discarded_at is not None:
            raise Conflict("This recording is discarded already.")
        if not self.readable_by(actor):
            raise NotPermitted("This recording is private: only its company discards it.", rule="private")
        self.discarded_at = now
        record(session, Verb.RECORDING_DISCARDED, self)
        await session.flush()

    async def _set(self, session: AsyncSession, fields: dict[str, Any]) -> None:
        if self.discarded_at is not None:
            raise Conflict("This recording is discarded.")
        changed = {key: value for key, value in fields.items() if getattr(self, key) != value}
        for key, value in changed.items():
            setattr(self, key, value)
        if changed:
            record(session, Verb.RECORDING_CHANGED, self)
            await session.flush()


def readable(actor: Actor) -> sa.ColumnElement[bool]:
    """Those recordings of which somebody may know all, as `readable_by` has it: a search looks into no others."""
    who = actor.apparent
    if who is None or actor.standing_in:
        return Recording.private.is_(False)
    theirs = Recording.tenant_id == who.tenant_id if _runs_company(actor) else sa.false()
    return sa.or_(Recording.private.is_(False), Recording.membership_id == who.membership_id, theirs)


def _runs_company(actor: Actor) -> bool:
    """An admin or supervisor of the tenant itself: no profile that was lent from above."""
    who = actor.apparent
    return who is not None and who.role in {Role.ADMIN, Role.SUPERVISOR} and who.sponsor is None


async def find_recording(session: AsyncSession, recording_id: int) -> Recording:
    """The recording with its tenant, extension and person, when in reach; otherwise OutOfReach."""
    wanted = sa.select(Recording).where(Recording.id == recording_id).options(*WITH_ALL)
    found = (await session.scalars(wanted, execution_options={"populate_existing": True})).one_or_none()
    if found is None:
        raise OutOfReach
    return found


WITH_ALL = (
    joinedload(Recording.tenant),
    joinedload(Recording.extension),
    joinedload(Recording.membership).joinedload(Membership.user),
)
"""What a list shows beside each recording."""


async def _known(session: AsyncSession, tenant_id: int, external_id: str) -> Recording | None:
    same = sa.select(Recording).where(Recording.tenant_id == tenant_id, Recording.external_id == external_id)
    return (await session.scalars(same)).one_or_none()


def _line(text: str, field: str, longest: int) -> str:
    text = clean(text, field)
    if not 1 <= len(text) <= longest:
        raise Invalid(f"This takes 1 to {longest} characters.", field=field)
    return text


def _notes(text: str | None) -> str | None:
    lines = [clean(line, "notes") for line in unicodedata.normalize("NFC", text or "").splitlines()]
    notes = "\n".join(lines).strip()
    if len(notes) > NOTES_LENGTH:
        raise Invalid(f"Notes have at most {NOTES_LENGTH} characters.", field="notes")
    return notes or None
