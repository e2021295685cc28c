"""Invitations: creating a person is always an invitation, with the same words whether the address is known or not.

The letter's link proves that whoever opens it reads that mailbox. A copied link proves nothing: it shows the way.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

from tenants.actor import Actor
from tenants.credentials import digest, new_secret
from tenants.identities import live_identities
from tenants.links import Link, Purpose
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, TooMany
from tenants.roles import Permission, Role, grants
from tenants.text import email_address, named
from tenants.trail import Entry, numbered, record
from tenants.tree import Kind, Tenant, closed
from tenants.verbs import Verb

LIVES = timedelta(days=7)
HOUR = timedelta(hours=1)
MOST_AN_HOUR = 300
"""Letters and links that one inviter may send or make in an hour."""
MOST_PROVISIONED = 2_000
"""The same for a system that provisions a company's people: it fills a whole company at once."""
TEAMS_LENGTH = 500


class Invitation(Record, Audited):
    """An offer of a membership to an address. Prepared first; its letter and link come when it is sent."""

    __tablename__ = "invitations"
    noun = "invitation"
    secret = frozenset({"token_hash"})

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    email: Mapped[str] = mapped_column(sa.String(254))
    name: Mapped[str] = mapped_column(sa.String(200))
    role: Mapped[str] = mapped_column(sa.String(20))
    extension_id: Mapped[int | None] = mapped_column(Number)
    invited_by_id: Mapped[int | None] = mapped_column(Number)
    token_hash: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    accepted_by_id: Mapped[int | None] = mapped_column(Number)
    """The membership that came of it."""
    together_id: Mapped[int | None] = mapped_column(Number)
    """The first of several that were made together and go out in one letter."""
    external_id: Mapped[str | None] = mapped_column(sa.String(255), default=None)
    """What the system that provisions its membership calls it (RFC 7643 section 3.1)."""
    membership_number: Mapped[int | None] = mapped_column(Number, default=None)
    """The id that is kept for its membership: whoever provisioned it knows it by that from the start."""
    team_ids: Mapped[str | None] = mapped_column(sa.String(500), default=None)
    """The teams that are meant for the joiner, each number between spaces."""

    tenant: Mapped[Tenant] = relationship(lazy="raise", viewonly=True)

    @property
    def label(self) -> str:
        """The address it is for."""
        return self.email

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def prepare(
        cls,
        session: AsyncSession,
        actor: Actor,
        tenant_id: int,
        email: str,
        name: str,
        role: Role,
        now: datetime,
        *,
        extension_id: int | None = None,
        provisioned: tuple[int | None, str | None] = (None, None),
    ) -> "Invitation":
        """An invitation-to-be. Looks at nothing outside the tenant, so it cannot tell whether the address is known.

        `provisioned` is the number that its membership will have, and what the system that provisions it calls it.
        """
        _require_grant(actor, role)
        tenant = await session.get(Tenant, tenant_id)
        if tenant is None:
            raise OutOfReach
        if tenant.discarded_at is not None:
            raise Conflict(f"{tenant.name} is discarded.")
        if role is Role.OPERATOR and tenant.kind == Kind.CUSTOMER:
            raise Invalid("An operator belongs to an organization above, not to a company.", field="role")
        address = email_address(email)
        waiting = sa.select(cls).where(cls.tenant_id == tenant_id, cls.email == address, cls.waiting())
        same = (await session.scalars(waiting)).first()
        if same is not None and (same.role != role or extension_id not in {None, same.extension_id}):
            raise Conflict(f"{address} is invited to {tenant.name} already, in another way. Revoke that first.")
        if same is not None:
            return same
        invitation = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=tenant_id,
            email=address,
            name=named(name or address.partition("@")[0]),
            role=role.value,
            extension_id=extension_id,
            invited_by_id=actor.true.membership_id if actor.true else None,
            created_at=now,
            membership_number=provisioned[0],
            external_id=provisioned[1],
        )
        session.add(invitation)
        record(session, Verb.INVITATION_PREPARED, invitation)
        await session.flush()
        return invitation

    @classmethod
    def waiting(cls) -> sa.ColumnElement[bool]:
        """Neither accepted nor taken back, however old."""
        return sa.and_(cls.accepted_at.is_(None), cls.revoked_at.is_(None))

    @property
    def open(self) -> bool:
        """Neither accepted nor taken back, however old."""
        return self.accepted_at is None and self.revoked_at is None

    def expired(self, now: datetime) -> bool:
        """Its letter is too old; it may be sent again."""
        return self.expires_at is not None and self.expires_at <= now

    def require_sender(self, actor: Actor) -> None:
        """By who might have given that role, and while it is open."""
        if not grants(actor.standing.role, Role(self.role)):
            raise NotPermitted("Your role could not have sent this invitation.", rule="rank")
        if not self.open:
            raise Conflict("This invitation is no longer open.")

    async def provision(self, session: AsyncSession, number: int, external_id: str | None) -> None:
        """It is kept by a system that provisions people, which knows its membership by this number."""
        self.membership_number, self.external_id = number, external_id
        record(session, Verb.INVITATION_CHANGED, self)
        await session.flush()

    async def rewrite(
        self, session: AsyncSession, actor: Actor, *, name: str, role: Role, external_id: str | None
    ) -> None:
        """What is offered, and to whom by name, while it waits. NotPermitted for a role the actor may not grant."""
        self.require_sender(actor)
        _require_grant(actor, role)
        if role is Role.OPERATOR and (await session.get_one(Tenant, self.tenant_id)).kind == Kind.CUSTOMER:
            raise Invalid("An operator belongs to an organization above, not to a company.", field="role")
        wanted = (named(name), role.value, external_id)
        if wanted != (self.name, self.role, self.external_id):
            self.name, self.role, self.external_id = wanted
            record(session, Verb.INVITATION_CHANGED, self)
            await session.flush()

    @property
    def teams(self) -> set[int]:
        """The ids of the teams that are meant for the joiner."""
        return {int(each) for each in (self.team_ids or "").split()}

    async def mean_teams(self, session: AsyncSession, teams: set[int]) -> None:
        """Whoever joins is put into these teams. Invalid for more than can be kept."""
        said = f" {' '.join(str(each) for each in sorted(teams))} " if teams else None
        if said is not None and len(said) > TEAMS_LENGTH:
            raise Invalid("Too many teams for somebody who has not joined yet.", field="members")
        if said != self.team_ids:
            self.team_ids = said
            record(session, Verb.INVITATION_CHANGED, self)
            await session.flush()

    async def hold_back(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """As if it had only been prepared: its letter and links are good for nothing until it is sent again."""
        self.require_sender(actor)
        self.token_hash = self.sent_at = self.expires_at = None
        record(session, Verb.INVITATION_CHANGED, self)
        await session.flush()
        await Link.spend(session, Purpose.JOIN, now, about_id=self.id)

    async def copy_link(self, session: AsyncSession, actor: Actor, now: datetime) -> str:
        """A link to show once; returns its secret. It shows its holder the way, and proves nobody's address."""
        self.require_sender(actor)
        await require_allowance(session, actor, 1, now)
        await Link.spend(session, Purpose.JOIN, now, about_id=self.id)
        secret = await Link.make(session, Purpose.JOIN, LIVES, now, about_id=self.id)
        self.invited_by_id = actor.standing.membership_id
        record(session, Verb.INVITATION_LINK_MADE, self)
        await session.flush()
        return secret

    async def voucher(self, session: AsyncSession) -> Actor | None:
        """Who stands behind it, as they are now; None when nobody does any more, or its tenant is closed."""
        if await closed(session, self.tenant.path):
            return None
        if self.invited_by_id is None:
            return Actor.house("invitation")
        for identity in await live_identities(session, membership_id=self.invited_by_id):
            inviter = Actor.of(identity)
            if inviter.may(Permission.INVITE_MEMBERS) and inviter.reach().holds(self.tenant.path):
                return inviter if grants(identity.role, Role(self.role)) else None
        return None

    async def accept(
        self, session: AsyncSession, membership_id: int, now: datetime, *, not_given: str | None = None
    ) -> None:
        """It was taken up. `not_given` is the number of an extension that somebody else has by now."""
        self.accepted_at, self.accepted_by_id = now, membership_id
        more: dict[str, Any] = {"extension_not_given": not_given} if not_given else {}
        record(session, Verb.INVITATION_ACCEPTED, self, **more)
        await session.flush()
        await Link.spend(session, Purpose.JOIN, now, about_id=self.id)

    async def forget_extension(self, session: AsyncSession) -> None:
        """It is for a membership alone from now on: the extension that was meant is not to be had any more."""
        if not self.open:
            raise Conflict("This invitation is no longer open.")
        self.extension_id = None
        record(session, Verb.INVITATION_CHANGED, self)
        await session.flush()

    async def revoke(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """Take it back; nobody can accept it any more. By who might have given that role."""
        self.require_sender(actor)
        self.revoked_at = now
        record(session, Verb.INVITATION_REVOKED, self)
        await session.flush()
        await Link.spend(session, Purpose.JOIN, now, about_id=self.id)


async def send(session: AsyncSession, actor: Actor, invitations: Sequence[Invitation], now: datetime) -> str:
    """Make them one letter's; returns what its link carries, good for 7 days. Links made before are dead.

    Whoever sends vouches for them from now on. TooMany beyond what one may send in an hour.
    """
    for each in invitations:
        each.require_sender(actor)
    await require_allowance(session, actor, len(invitations), now)
    for each in invitations:
        await Link.spend(session, Purpose.JOIN, now, about_id=each.id)
    return await renew(session, invitations, now, vouched_by=actor.standing.membership_id)


async def renew(
    session: AsyncSession, invitations: Sequence[Invitation], now: datetime, *, vouched_by: int | None = None
) -> str:
    """Give them a new secret, of which each knows a hash of its own: one can be taken back without the others."""
    first, secret = min(each.id for each in invitations), new_secret()
    for each in invitations:
        each.together_id = first if len(invitations) > 1 else None
        each.token_hash = _hash(secret, each.id)
        each.sent_at, each.expires_at = now, now + LIVES
        each.invited_by_id = vouched_by or each.invited_by_id
        record(session, Verb.INVITATION_SENT, each)
    await session.flush()
    return f"{first}-{secret}"


async def by_letter(session: AsyncSession, token: str, now: datetime, *, hold: bool = False) -> list[Invitation]:
    """The invitations that a letter's link is good for, oldest first; none when it is spent, too old or unknown.

    `hold` locks them, so that of many who come at once one is the first.
    """
    number, _, secret = token.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and secret):
        return []
    both = sa.or_(Invitation.id == int(number), Invitation.together_id == int(number))
    found = await session.scalars(_with_tenant(both, hold=hold))
    return [each for each in found if _known(each, secret) and not each.expired(now)]


async def by_copy(session: AsyncSession, token: str, now: datetime, *, hold: bool = False) -> list[Invitation]:
    """The invitation that a copied link leads to; none when it is spent, too old or unknown."""
    link = await Link.look(session, token, Purpose.JOIN, now)
    if link is None:
        return []
    return list(await session.scalars(_with_tenant(Invitation.id == link.about_id, hold=hold)))


async def sent_with(session: AsyncSession, invitation: Invitation) -> list[Invitation]:
    """It and the open ones that went out in the same letter, as far as the session reaches."""
    if invitation.together_id is None:
        return [invitation]
    together = sa.select(Invitation).where(Invitation.together_id == invitation.together_id, Invitation.waiting())
    found = list(await session.scalars(together.order_by(Invitation.id)))
    return found if invitation in found else [invitation]


async def allowance(session: AsyncSession, actor: Actor, now: datetime) -> int:
    """How many letters and links the inviter may still send or make now, wherever those of the last hour lie by now."""
    who = {"inviter": actor.standing.membership_id, "since": now - HOUR}
    return max(0, most_an_hour(actor) - (await session.execute(_LATELY, who)).scalar_one())


_entries = Entry.__table__
_LATELY = sa.select(sa.func.count()).where(
    _entries.c.actor_membership_id == sa.bindparam("inviter"),
    _entries.c.occurred_at > sa.bindparam("since"),
    _entries.c.verb.in_((Verb.INVITATION_SENT.value, Verb.INVITATION_LINK_MADE.value)),
)


def most_an_hour(actor: Actor) -> int:
    """How many letters and links are sent or made in an hour at most."""
    return MOST_PROVISIONED if actor.provisioning else MOST_AN_HOUR


async def require_allowance(session: AsyncSession, actor: Actor, count: int, now: datetime) -> None:
    """TooMany when `count` more would be beyond what one inviter sends in an hour."""
    if count > await allowance(session, actor, now):
        raise TooMany(
            f"One person sends at most {most_an_hour(actor)} invitations in an hour. Go on later.",
            retry_after=int(HOUR.total_seconds()),
        )


def _with_tenant(wanted: sa.ColumnElement[bool], *, hold: bool) -> sa.Select[Invitation]:
    found = sa.select(Invitation).where(wanted, Invitation.waiting()).order_by(Invitation.id)
    # The tenants are read apart: an outer join cannot be locked.
    found = found.options(selectinload(Invitation.tenant)).execution_options(populate_existing=True)
    return found.with_for_update() if hold else found


def _known(invitation: Invitation, secret: str) -> bool:
    return hmac.compare_digest(invitation.token_hash or "", _hash(secret, invitation.id))


def _hash(secret: str, invitation_id: int) -> str:
    return digest(f"{secret}:{invitation_id}")


def _require_grant(actor: Actor, role: Role) -> None:
    who = actor.apparent
    if actor.true is not None and (who is None or not grants(who.role, role)):
        raise NotPermitted(f"Your role may not grant {role}.", rule="rank")
