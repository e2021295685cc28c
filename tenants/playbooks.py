"""Playbooks: what a company does when; Markdown, every version kept, any two compared, an older one restored as new."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.text import clean, lines_of, named
from tenants.trail import numbered, record
from tenants.tree import Tenant
from tenants.verbs import Verb

LONGEST = 200_000
"""Characters of a playbook."""
NOTE = 300


class Playbook(Record, Audited):
    """One playbook; its text lies in its versions, the newest is in force."""

    __tablename__ = "playbooks"
    noun = "playbook"
    lends = frozenset({"title", "version", "discarded_at"})
    lends_new = True
    __table_args__ = (sa.UniqueConstraint("id", "tenant_id"),)

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    title: Mapped[str] = mapped_column(sa.String(200))
    version: Mapped[int]
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        """Its title."""
        return self.title

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; everybody of a company may read what it does when."""
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def write(
        cls, session: AsyncSession, actor: Actor, tenant: Tenant, title: str, body: str, note: str, now: datetime
    ) -> "Playbook":
        """A new playbook with its first version."""
        if tenant.discarded_at is not None:
            raise Conflict(f"{tenant.name} is discarded.")
        playbook = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=tenant.id,
            title=named(title, "title"),
            version=1,
            created_at=now,
        )
        session.add(playbook)
        record(session, Verb.PLAYBOOK_CREATED, playbook)
        await session.flush()
        session.add(_version(playbook, actor, body, note, now))
        await session.flush()
        return playbook

    async def revise(
        self, session: AsyncSession, actor: Actor, title: str, body: str, note: str, now: datetime, *, seen: int
    ) -> None:
        """Write a new version upon version `seen`. Conflict (rule `version`) when a newer one came in between."""
        await self._hold(session, seen)
        self.title, self.version = named(title, "title"), self.version + 1
        record(session, Verb.PLAYBOOK_CHANGED, self)
        await session.flush()
        session.add(_version(self, actor, body, note, now))
        await session.flush()

    async def restore(self, session: AsyncSession, actor: Actor, number: int, now: datetime, *, seen: int) -> None:
        """Make an older version's text the newest one: a version of its own, so nothing is lost."""
        await self._hold(session, seen)
        old = await find_version(session, self.id, number)
        if number == self.version:
            raise Conflict("This is the newest version already.")
        self.title, self.version = old.title, self.version + 1
        record(session, Verb.PLAYBOOK_RESTORED, self, restored=number)
        await session.flush()
        session.add(_version(self, actor, old.body, "", now, restored_from=number))
        await session.flush()

    async def discard(self, session: AsyncSession, now: datetime) -> None:
        """Out of use; every version stays."""
        if self.discarded_at is not None:
            raise Conflict(f"{self.title} is discarded already.")
        self.discarded_at = now
        record(session, Verb.PLAYBOOK_DISCARDED, self)
        await session.flush()

    async def undiscard(self, session: AsyncSession) -> None:
        """In use again."""
        if self.discarded_at is None:
            raise Conflict(f"{self.title} is not discarded.")
        self.discarded_at = None
        record(session, Verb.PLAYBOOK_UNDISCARDED, self)
        await session.flush()

    async def _hold(self, session: AsyncSession, seen: int) -> None:
        """The row is the lock: of two who write at once the second is told of the first."""
        await session.refresh(self, with_for_update=True)
        if self.discarded_at is not None:
            raise Conflict(f"{self.title} is discarded.")
        if seen != self.version:
            raise Conflict("Somebody wrote a newer version in the meantime.", rule="version")


class PlaybookVersion(Record):
    """One version as it was written; the database refuses to change or delete it."""

    __tablename__ = "playbook_versions"
    __table_args__ = (
        sa.UniqueConstraint("playbook_id", "number"),
        sa.ForeignKeyConstraint(["playbook_id", "tenant_id"], ["playbooks.id", "playbooks.tenant_id"]),
    )

    playbook_id: Mapped[int] = mapped_column(Number)
    tenant_id: Mapped[int] = mapped_column(Number)
    number: Mapped[int]
    title: Mapped[str] = mapped_column(sa.String(200))
    body: Mapped[str] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.String(300))
    author_membership_id: Mapped[int | None] = mapped_column(Number)
    author_name: Mapped[str] = mapped_column(sa.String(250))
    restored_from: Mapped[int | None]
    created_at: Mapped[datetime]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its playbook is."""
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}


def _version(
    playbook: Playbook, actor: Actor, body: str, note: str, now: datetime, *, restored_from: int | None = None
) -> PlaybookVersion:
    """The version that the playbook stands at now, under the name of whoever really wrote it."""
    note = clean(note, "note")
    if len(note) > NOTE:
        raise Invalid(f"A note has at most {NOTE} characters.", field="note")
    true = actor.true
    return PlaybookVersion(
        playbook_id=playbook.id,
        tenant_id=playbook.tenant_id,
        number=playbook.version,
        title=playbook.title,
        body=lines_of(body, "body", LONGEST),
        note=note or None,
        author_membership_id=true.membership_id if true else None,
        author_name=true.shown_name if true else f"system: {actor.system}",
        restored_from=restored_from,
        created_at=now,
    )


async def find_playbook(session: AsyncSession, playbook_id: int) -> Playbook:
    """The playbook, when in reach; otherwise OutOfReach."""
    playbook = await session.get(Playbook, playbook_id)
    if playbook is None:
        raise OutOfReach
    return playbook


async def find_version(session: AsyncSession, playbook_id: int, number: int) -> PlaybookVersion:
    """One version of a playbook in reach; otherwise OutOfReach."""
    # Compared as the wider number: PostgreSQL takes none beyond 32 bits for the column's own.
    wanted = sa.select(PlaybookVersion).where(
        PlaybookVersion.playbook_id == playbook_id, PlaybookVersion.number == sa.literal(number, Number)
    )
    version = (await session.scalars(wanted)).one_or_none()
    if version is None:
        raise OutOfReach
    return version


async def versions_of(session: AsyncSession, playbook_id: int, limit: int) -> list[PlaybookVersion]:
    """The newest versions of a playbook, without their texts being compared."""
    wanted = sa.select(PlaybookVersion).where(PlaybookVersion.playbook_id == playbook_id)
    return list(await session.scalars(wanted.order_by(PlaybookVersion.number.desc()).limit(limit)))
