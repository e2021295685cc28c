"""Binding: from the next login, a membership stands in for an extension's membership at the apps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bindings.apps import App
from bindings.facts import Found, fetch_facts
from bindings.guard import Act, Party, Refused, judge
from bindings.notices import note
from tenants.actor import Actor, Identity, Via
from tenants.identities import live_identities
from tenants.people import Membership, User
from tenants.phones import Extension
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Permission
from tenants.text import clean, reason_given
from tenants.trail import numbered, record
from tenants.verbs import Verb

UNUSED = timedelta(days=90)
"""A binding that nobody used for so long has ended."""
EVERY_APP = 0
"""Stands for every app in `binding_apps`, so that one unique index covers both."""

# What ending a binding needs of the logins made through it, without the class that looks back at this one.
_LOGINS = sa.table(
    "logins",
    sa.column("binding_id", Number),
    sa.column("app_id", Number),
    sa.column("ended_at", DateTimeUTC(timezone=True)),
    sa.column("ended_cause", sa.String()),
)


class Binding(Record, Audited):
    """Who stands in for whom at the apps, why and until when. It pins extension and both memberships."""

    __tablename__ = "bindings"
    noun = "binding"
    derived = frozenset({"last_used_at"})

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    extension_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("extensions.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    made_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    accepted_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    ticket: Mapped[str | None] = mapped_column(sa.String(100))
    mode: Mapped[str] = mapped_column(sa.String(10), default="full")
    actor_name: Mapped[str] = mapped_column(sa.String(250))
    subject_name: Mapped[str] = mapped_column(sa.String(250))
    tenant_name: Mapped[str] = mapped_column(sa.String(200))
    number: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_cause: Mapped[str | None] = mapped_column(sa.String(40))

    apps: Mapped[list["BindingApp"]] = relationship(lazy="raise", viewonly=True)

    @property
    def label(self) -> str:
        """Whom it makes one: kept as of then, since nobody joins to a person out of reach."""
        return f"{self.subject_name}, ext {self.number} at {self.tenant_name}"

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its subject is; and always one's own, which one must be able to end after a move."""
        if reach.extent is Extent.SELF:
            return sa.or_(cls.user_id == reach.user_id, cls.subject_membership_id == reach.membership_id)
        return sa.or_(reach.tenants(cls.tenant_id), cls.user_id == reach.user_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its subject's tenant; one's own, and one to oneself, always."""
        if self.user_id == reach.user_id or self.subject_membership_id == reach.membership_id:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def make(
        cls,
        session: AsyncSession,
        actor: Actor,
        user: User,
        extension: Extension,
        now: datetime,
        *,
        apps: Sequence[App] | None = None,
        reason: str | None = None,
        ticket: str | None = None,
        ends_at: datetime | None = None,
        mode: str = "full",
    ) -> "Binding":
        """Bind oneself to an extension, for every app or the chosen ones. Raises the guard's Refused.

        Each live membership of the user is asked, the current one first; the first that the guard allows is pinned.
        """
        if actor.true is None or user.id != actor.true.user_id:
            raise NotPermitted("This binds yourself only. Propose it to somebody else.")
        asked = Wish.of(user, extension, apps, reason, ticket, ends_at, mode)
        authorised = await authorise(
            session, actor, user.id, extension, reason=asked.reason, ticket=asked.ticket, mode=mode
        )
        # The person's row is the lock: of two bindings at once the later one takes over, and one stays live.
        await session.execute(sa.select(User.id).where(User.id == user.id).with_for_update())
        await give_way(session, user.id, asked.app_ids, now)
        return await cls.write(session, actor, asked, authorised, now, accepted_at=now)

    @classmethod
    async def write(
        cls,
        session: AsyncSession,
        actor: Actor,
        asked: "Wish",
        authorised: tuple[Identity, Found],
        now: datetime,
        *,
        accepted_at: datetime | None,
    ) -> "Binding":
        """Write down what the guard allowed: in force when it is accepted, a proposal until then."""
        pinned, found = authorised
        subject, extension = found.facts.subject, asked.extension
        if subject is None:
            raise OutOfReach
        binding = cls(
            id=await numbered(session, cls.__tablename__),
            user_id=asked.user.id,
            membership_id=pinned.membership_id,
            subject_membership_id=subject.membership_id,
            extension_id=extension.id,
            tenant_id=extension.tenant_id,
            made_by_id=actor.standing.membership_id,
            accepted_at=accepted_at,
            reason=asked.reason,
            ticket=asked.ticket,
            mode=asked.mode,
            actor_name=pinned.shown_name,
            subject_name=subject.name,
            tenant_name=subject.tenant_name,
            number=extension.number,
            created_at=now,
            ends_at=_within_cap(asked.ends_at, found.facts.policy.binding_days, now),
        )
        session.add(binding)
        record(
            session,
            Verb.BOUND if accepted_at is not None else Verb.BINDING_PROPOSED,
            binding,
            reason=asked.reason,
            ticket=asked.ticket,
            subject=identity_of(subject),
            stand_in_id=binding.id,
            apps=asked.client_ids,
        )
        await session.flush()
        live = True if accepted_at is not None else None
        for app_id in asked.app_ids:
            session.add(BindingApp(binding_id=binding.id, user_id=binding.user_id, app_id=app_id, live=live))
        await session.flush()
        if accepted_at is not None:
            await binding.note(session, pinned, found, now)
        return binding

    async def note(self, session: AsyncSession, pinned: Identity, found: Found, now: datetime) -> None:
        """Note down for its subject that it is in force, where their rules say that they are told."""
        await note(
            await session.connection(),
            pinned,
            self.subject_membership_id,
            self.tenant_id,
            found.facts.policy.notice,
            now,
            via=Via.BINDING,
            stand_in_id=self.id,
            reason=self.reason,
        )

    async def end(self, session: AsyncSession, cause: str, now: datetime) -> None:
        """End it for good, and every login made through it in the same transaction."""
        if self.ended_at is not None:
            raise Conflict("This binding has ended already.")
        # Asked first: a question between the change and its entry would flush the change without it.
        subject = await subject_identity(session, self)
        self.ended_at, self.ended_cause = now, cause
        record(session, Verb.BINDING_ENDED, self, stand_in_id=self.id, cause=cause, subject=subject)
        await session.flush()
        await session.execute(
            sa.update(BindingApp.__table__).where(BindingApp.__table__.c.binding_id == self.id).values(live=None)
        )
        await session.execute(
            sa.update(_LOGINS)
            .where(_LOGINS.c.binding_id == self.id, _LOGINS.c.ended_at.is_(None))
            .values(ended_at=now, ended_cause=f"binding_{cause}")
        )

    async def release(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """End it by hand: one's own always; another's with the right to, in reach of its subject."""
        own = actor.true is not None and actor.true.user_id == self.user_id
        subjects = actor.standing.membership_id == self.subject_membership_id
        if not own and not subjects:
            await require_ender(session, actor, self.membership_id)
        await self.end(session, "released" if own else "ended_by_subject" if subjects else "ended_by_admin", now)


@dataclass(frozen=True, slots=True)
class Wish:
    """A binding as it is asked for: who becomes whom, at which apps, why and until when."""

    user: User
    extension: Extension
    app_ids: list[int]
    client_ids: list[str] | None
    """The chosen apps by name; None for every app."""
    reason: str | None
    ticket: str | None
    ends_at: datetime | None
    mode: str

    @classmethod
    def of(
        cls,
        user: User,
        extension: Extension,
        apps: Sequence[App] | None,
        reason: str | None,
        ticket: str | None,
        ends_at: datetime | None,
        mode: str,
    ) -> "Wish":
        """What was typed, cleaned. Raises Invalid."""
        return cls(
            user,
            extension,
            sorted(app.id for app in apps) if apps else [EVERY_APP],
            [app.client_id for app in apps] if apps else None,
            reason_given(reason, asked=False),
            clean(ticket, "ticket")[:100] if ticket else None,
            ends_at,
            mode,
        )


class BindingApp(Record):
    """Which app a live binding holds: one live binding per user and app, by a unique index."""

    __tablename__ = "binding_apps"
    __table_args__ = (sa.UniqueConstraint("user_id", "app_id", "live"),)

    binding_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("bindings.id"))
    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    app_id: Mapped[int] = mapped_column(Number)
    live: Mapped[bool | None]
    """True while live, null before and after: nulls do not collide in a unique index."""

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its binding is."""
        rows = Binding.__table__
        if reach.extent in {Extent.SELF, Extent.NOTHING}:
            return cls.user_id == reach.user_id
        theirs = sa.select(rows.c.id).where(reach.tenants(rows.c.tenant_id))
        return sa.or_(cls.user_id == reach.user_id, cls.binding_id.in_(theirs))

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own; a proposed one holds nothing before its person says yes; others' end by their binding's verb."""
        proposed = self.live is None and bool(sa.inspect(self).pending)
        return set() if proposed or self.user_id == reach.user_id else None


async def require_ender(session: AsyncSession, actor: Actor, membership_id: int) -> None:
    """Whoever ends somebody else's stand-in has the right to, over the membership that stands in."""
    if not actor.may(Permission.END_STAND_INS):
        raise NotPermitted("Your role may not end what others stand in by.")
    if actor.standing.role == "admin":
        return
    members = Membership.__table__
    wanted = sa.select(members.c.role, members.c.tenant_id).where(members.c.id == membership_id)
    theirs = (await session.execute(wanted)).one()
    # Operators end their own and those of fellow operators; an admin's only by an admin.
    fellow = (actor.standing.role, actor.standing.tenant_id)
    if fellow != (theirs.role, theirs.tenant_id) or theirs.role != "operator":
        raise NotPermitted("Only an admin may end this.")


@dataclass(frozen=True, slots=True)
class Staleness:
    """Why a binding no longer holds: a rule's name and the sentence people read."""

    rule: str
    sentence: str


class Pinned(Protocol):
    """What staleness looks at in a binding: the record itself, or its columns in a row of the login path."""

    @property
    def subject_membership_id(self) -> int: ...
    @property
    def number(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def last_used_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def ended_cause(self) -> str | None: ...


async def authorise(
    session: AsyncSession,
    actor: Actor,
    user_id: int,
    extension: Extension,
    *,
    reason: str | None,
    ticket: str | None,
    mode: str,
) -> tuple[Identity, Found]:
    """The first live membership of the user that the guard allows; else what it said of the current one."""
    identities = await live_identities(session, user_id=user_id)
    current = actor.standing.membership_id
    identities.sort(key=lambda each: (each.membership_id != current, each.membership_id))
    first: Refused | None = None
    for identity in identities:
        found = await fetch_facts(
            session,
            Act.BIND,
            identity.membership_id,
            extension_id=extension.id,
            reason=reason,
            ticket=ticket,
            mode=mode,
            standing_in=actor.standing_in,
            strong=actor.strong,
        )
        if found is None or not found.extension_live:
            raise OutOfReach
        refused = judge(found.facts)
        if refused is None:
            return identity, found
        first = first or refused
    raise first or OutOfReach()


async def staleness(connection: AsyncConnection | AsyncSession, binding: Binding, now: datetime) -> Staleness | None:
    """Why the binding no longer holds now, or None. Computed each time, never stored while nobody met it."""
    return (await judged(connection, binding, now))[0]


async def judged(
    connection: AsyncConnection | AsyncSession, binding: Binding, now: datetime
) -> tuple[Staleness | None, Found | None]:
    """The same, with the facts that it was decided by: None where the row alone told."""
    over = run_out(binding, now)
    if over is not None:
        return over, None
    found = await fetch_facts(
        connection,
        Act.BIND,
        binding.membership_id,
        subject_membership_id=binding.subject_membership_id,
        extension_id=binding.extension_id,
        reason=binding.reason,
        ticket=binding.ticket,
        mode=binding.mode,
        now=now,
    )
    return broken(binding, found), found


def run_out(binding: Pinned, now: datetime) -> Staleness | None:
    """Ended, at its end, or unused for too long: what the row alone tells."""
    if binding.ended_at is not None:
        return Staleness(binding.ended_cause or "ended", "This binding has ended.")
    if binding.ends_at is not None and now >= binding.ends_at:
        return Staleness("expired", "The binding reached its end.")
    if now >= (binding.last_used_at or binding.created_at) + UNUSED:
        return Staleness("unused", "The binding was not used for 90 days.")
    return None


def broken(binding: Pinned, found: Found | None) -> Staleness | None:
    """The extension went to somebody else or out of use, or the guard no longer allows: what the facts tell."""
    if found is None or not found.extension_live:
        return Staleness("extension", f"Extension {binding.number} is no longer in use.")
    if found.extension_membership_id != binding.subject_membership_id:
        return Staleness("reassigned", f"Extension {binding.number} now belongs to somebody else.")
    refused = judge(found.facts)
    return Staleness(refused.rule, refused.sentence) if refused else None


async def live_binding(session: AsyncSession | AsyncConnection, user_id: int, app_id: int | None) -> Binding | None:
    """The open binding of a person for an app (a chosen app beats every app), or for every app when None.

    A proposal that waits for the person's answer comes first: it is not in force, and a page asks about it.
    From a bare connection it is a reading that no session knows, good for looking at alone.
    """
    asked = {"user": user_id, "app": EVERY_APP if app_id is None else app_id}
    if isinstance(session, AsyncSession):
        return (await session.scalars(_LIVE, asked)).one_or_none()
    row = (await session.execute(_LIVE_ROW, asked)).mappings().one_or_none()
    return Binding(**row) if row is not None else None


def _live(wanted: sa.Select[Any]) -> sa.Select[Any]:
    return (
        wanted.join(BindingApp, BindingApp.binding_id == Binding.id)
        .where(
            BindingApp.user_id == sa.bindparam("user"),
            sa.or_(BindingApp.live.is_(True), sa.and_(Binding.accepted_at.is_(None), Binding.ended_at.is_(None))),
            BindingApp.app_id.in_([EVERY_APP, sa.bindparam("app")]),
        )
        .order_by(Binding.accepted_at.is_not(None), BindingApp.app_id.desc(), Binding.id.desc())
        .limit(1)
    )


_LIVE = _live(sa.select(Binding))
_LIVE_ROW = _live(sa.select(*Binding.__table__.c))


async def open_bindings(session: AsyncSession, user_id: int) -> list[Binding]:
    """Every binding of a person that is in force, newest first; not those that wait for their answer."""
    wanted = sa.select(Binding).where(
        Binding.user_id == user_id, Binding.ended_at.is_(None), Binding.accepted_at.is_not(None)
    )
    return list(await session.scalars(wanted.order_by(Binding.id.desc())))


async def find_binding(session: AsyncSession, binding_id: int) -> Binding:
    """The binding, when in reach; otherwise OutOfReach."""
    binding = await session.get(Binding, binding_id)
    if binding is None:
        raise OutOfReach
    return binding


async def give_way(session: AsyncSession, user_id: int, chosen: list[int], now: datetime) -> None:
    """A new binding takes its apps from the old ones; an old one that has none left is replaced.

    A new binding for every app takes all: whoever says "every app" means every app.
    """
    held = sa.select(BindingApp).where(BindingApp.user_id == user_id, BindingApp.live.is_(True))
    rows = list(await session.scalars(held))
    taken = [row for row in rows if EVERY_APP in chosen or row.app_id in chosen]
    for row in taken:
        row.live = None
    await session.flush()
    for binding in await open_bindings(session, user_id):
        left = [row for row in rows if row.binding_id == binding.id and row not in taken]
        if not left:
            past = binding.ends_at is not None and binding.ends_at <= now
            await binding.end(session, "expired" if past else "replaced", now)
        elif any(row.binding_id == binding.id for row in taken):
            await _end_logins_at(session, binding.id, [row.app_id for row in taken], now)


async def _end_logins_at(session: AsyncSession, binding_id: int, app_ids: list[int], now: datetime) -> None:
    await session.execute(
        sa.update(_LOGINS)
        .where(_LOGINS.c.binding_id == binding_id, _LOGINS.c.app_id.in_(app_ids), _LOGINS.c.ended_at.is_(None))
        .values(ended_at=now, ended_cause="binding_replaced")
    )


def _within_cap(ends_at: datetime | None, days: int | None, now: datetime) -> datetime | None:
    if ends_at is not None and ends_at <= now:
        raise Invalid("The end lies in the past.", field="ends_at")
    if days is None:
        return ends_at
    latest = now + timedelta(days=days)
    return latest if ends_at is None else min(ends_at, latest)


def identity_of(party: Party) -> Identity:
    """The guard's party as the trail names it."""
    return Identity(
        party.membership_id,
        party.user_id,
        party.name,
        "",
        party.role,
        party.tenant_id,
        party.tenant_name,
        party.tenant_kind,
        party.path,
    )


async def subject_identity(session: AsyncSession, binding: Binding) -> Identity | None:
    """The binding's subject, named as when it was made."""
    theirs = Membership.__table__
    row = (
        await session.execute(
            sa.select(theirs.c.user_id, theirs.c.role).where(theirs.c.id == binding.subject_membership_id)
        )
    ).one()
    return Identity(
        binding.subject_membership_id,
        row.user_id,
        binding.subject_name,
        "",
        row.role,
        binding.tenant_id,
        binding.tenant_name,
        "",
        "",
    )
