"""People: a User signs in, a Membership is who they are in a tenant."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, object_session, relationship

from tenants.actor import Actor, Identity
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import ADMIN_ACCESS, Role, above, grants
from tenants.text import email_address, named
from tenants.trail import numbered, record
from tenants.tree import Kind, Tenant, require_level
from tenants.verbs import Verb


class User(Record, Audited):
    """A person who can sign in. In reach when one of its memberships is; `home` keeps the record."""

    __tablename__ = "users"
    noun = "user"
    derived = frozenset({"last_sign_in_at"})
    secret = frozenset({"password_hash"})

    home_tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    email_verified_at: Mapped[datetime | None]
    password_hash: Mapped[str | None] = mapped_column(sa.String(255))
    second_factor: Mapped[bool] = mapped_column(default=False)
    locale: Mapped[str] = mapped_column(sa.String(20), default="en")
    zone: Mapped[str] = mapped_column(sa.String(64), default="Etc/UTC")
    theme: Mapped[str] = mapped_column(sa.String(10), default="system")
    keys_on: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]
    discarded_level_id: Mapped[int | None] = mapped_column(Number)
    factors_reset_at: Mapped[datetime | None]
    """When somebody took their second factors away: they are asked to set up new ones until they did."""
    notices_muted: Mapped[bool] = mapped_column(default=False)
    """They want no letters about who stood in for them. Only they themselves say so."""
    service: Mapped[bool] = mapped_column(default=False)
    """No person but a program: it has no password and no letters, and proves itself by a service account."""

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """A person is in reach when one of their memberships is."""
        if reach.whole:
            return sa.true()
        theirs = Membership.__table__
        if reach.extent is Extent.SELF:
            # By the membership as well: who stands in for it has no person's reach besides.
            itself = sa.select(theirs.c.user_id).where(theirs.c.id == reach.membership_id)
            return sa.or_(cls.id == reach.user_id, cls.id.in_(itself))
        return cls.id.in_(sa.select(theirs.c.user_id).where(reach.tenants(theirs.c.tenant_id)))

    @property
    def place(self) -> int | None:
        """Their history belongs to their home."""
        return self.home_tenant_id

    def touches(self, reach: Reach) -> set[int] | None:
        """Oneself always; otherwise the home of a new person, or any tenant they are in that the reach holds."""
        if reach.user_id and self.id == reach.user_id:
            return set()
        session = object_session(self)
        if reach.extent is Extent.SELF or session is None:
            return None
        if sa.inspect(self).pending:
            return {self.home_tenant_id}
        theirs = Membership.__table__
        inside = sa.select(theirs.c.id).where(theirs.c.user_id == self.id, reach.tenants(theirs.c.tenant_id)).limit(1)
        with session.no_autoflush:
            return set() if session.connection().execute(inside).first() else {self.home_tenant_id}

    @classmethod
    async def create(cls, session: AsyncSession, home: Tenant, name: str, email: str, now: datetime) -> "User":
        """A new person without a way to sign in yet. Whether the address is taken is for the caller to hide."""
        user = cls(
            id=await numbered(session, cls.__tablename__),
            home_tenant_id=home.id,
            name=named(name),
            email=email_address(email),
            created_at=now,
        )
        session.add(user)
        record(session, Verb.USER_CREATED, user)
        await session.flush()
        return user

    async def change(self, session: AsyncSession, **fields: Any) -> None:
        """Change the name or how the panel looks to them; the address has its own way."""
        if "name" in fields:
            fields["name"] = named(fields["name"])
        changed = {key: value for key, value in fields.items() if getattr(self, key) != value}
        if not changed:
            return
        for key, value in changed.items():
            setattr(self, key, value)
        record(session, Verb.USER_CHANGED, self)
        await session.flush()

    async def mute_notices(self, session: AsyncSession, actor: Actor, *, muted: bool) -> None:
        """Want no letters about who stood in for them, or want them again. By themselves alone."""
        if actor.standing_in or actor.true is None or actor.true.user_id != self.id:
            raise NotPermitted("Only the person themselves turns these letters off or on.")
        if muted == self.notices_muted:
            return
        self.notices_muted = muted
        record(session, Verb.NOTICES_MUTED, self)
        await session.flush()

    async def require_home(self, session: AsyncSession) -> None:
        """Their record is kept by who holds their home; NotPermitted elsewhere, where they are a guest."""
        if await session.get(Tenant, self.home_tenant_id) is None:
            raise NotPermitted("This must be done by the person or by their home organization.", rule="rank")

    async def require_discardable(self, session: AsyncSession, actor: Actor) -> None:
        """What stands before `discard`: they are in use, and the actor has rank over every place they are in."""
        if self.discarded_at is not None:
            raise Conflict(f"{self.name} is discarded already.")
        await require_rank_everywhere(session, actor, self)

    async def discard(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """Access goes at once, everywhere; the record stays. Needs rank over every place they are in."""
        await self.require_discardable(session, actor)
        self.discarded_at, self.discarded_level_id = now, actor.standing.tenant_id
        record(session, Verb.USER_DISCARDED, self)
        await session.flush()

    async def undiscard(self, session: AsyncSession, actor: Actor) -> None:
        """Bring the record back, at the discarder's level or above: as a plain member, without keys or bindings."""
        if self.discarded_at is None:
            raise Conflict(f"{self.name} is not discarded.")
        await require_level(session, actor, self.discarded_level_id)
        self.discarded_at = self.discarded_level_id = None
        record(session, Verb.USER_UNDISCARDED, self)
        await session.flush()
        for membership in await session.scalars(sa.select(Membership).where(Membership.user_id == self.id)):
            await membership.fall_back(session)


class Membership(Record, Audited):
    """A User in a Tenant with a Role: the identity everything speaks of. At most one per pair, ever."""

    __tablename__ = "memberships"
    noun = "membership"
    __table_args__ = (sa.UniqueConstraint("user_id", "tenant_id"), sa.UniqueConstraint("id", "tenant_id"))

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    role: Mapped[str] = mapped_column(sa.String(20))
    sponsor_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    role_given_by_id: Mapped[int | None] = mapped_column(Number)
    role_given_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]
    discarded_level_id: Mapped[int | None] = mapped_column(Number)
    external_id: Mapped[str | None] = mapped_column(sa.String(255), default=None)
    """What the system that provisions it calls it (RFC 7643 section 3.1)."""
    withdrawn: Mapped[bool] = mapped_column(default=False)
    """That system has deleted it: ended, and no longer shown to it (RFC 7644 section 3.6)."""

    user: Mapped[User] = relationship(lazy="raise", foreign_keys=[user_id])
    tenant: Mapped[Tenant] = relationship(lazy="raise", foreign_keys=[tenant_id])

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; oneself for a member."""
        if reach.extent is Extent.SELF:
            return sa.or_(cls.user_id == reach.user_id, cls.id == reach.membership_id)
        return reach.tenants(cls.tenant_id)

    @property
    def label(self) -> str:
        """The person's name as of then."""
        user = self.__dict__.get("user")
        return str(user.name) if user is not None else f"membership {self.id}"

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def create(
        cls,
        session: AsyncSession,
        actor: Actor,
        user: User,
        tenant: Tenant,
        role: Role,
        now: datetime,
        *,
        number: int | None = None,
    ) -> "Membership":
        """Put a person into a tenant. NotPermitted for a role the actor may not grant there.

        `number` is the id that was kept for it, where it was provisioned.
        """
        _require_grant(actor, tenant, role)
        pair = sa.select(cls).where(cls.user_id == user.id, cls.tenant_id == tenant.id)
        if (await session.scalars(pair)).first() is not None:
            raise Conflict(f"{user.name} has been in {tenant.name} before. Undiscard that membership instead.")
        if role is Role.OPERATOR and tenant.kind == Kind.CUSTOMER:
            raise Invalid("An operator belongs to an organization above, not to a company.", field="role")
        giver = actor.true.membership_id if actor.true else None
        membership = cls(
            id=number or await numbered(session, cls.__tablename__),
            user_id=user.id,
            tenant_id=tenant.id,
            role=role.value,
            role_given_by_id=giver,
            role_given_at=now,
            created_at=now,
        )
        membership.user, membership.tenant = user, tenant
        session.add(membership)
        record(session, Verb.MEMBERSHIP_CREATED, membership)
        await session.flush()
        return membership

    @classmethod
    async def sponsor(cls, session: AsyncSession, actor: Actor, customer: Tenant, now: datetime) -> "Membership":
        """Give the actor's own user a profile in a customer below: operator there, as long as their own place is live.

        It names its sponsor everywhere, may stand in for the people there, and manages nothing.
        """
        who = actor.standing
        if actor.standing_in or actor.true is None or who.sponsor is not None or who.role not in ADMIN_ACCESS:
            raise NotPermitted("Only admins and operators of an organization above make a profile in a company.")
        if customer.kind != Kind.CUSTOMER or customer.path == who.path or not customer.path.startswith(who.path):
            raise Invalid("A profile is made in a company below your organization.", field="tenant")
        if customer.discarded_at is not None:
            raise Conflict(f"{customer.name} is discarded.")
        pair = sa.select(cls).where(cls.user_id == who.user_id, cls.tenant_id == customer.id)
        found = (await session.scalars(pair)).one_or_none()
        if found is not None and found.discarded_at is None:
            raise Conflict(f"You have a place in {customer.name} already.")
        if found is not None:
            await require_level(session, actor, found.discarded_level_id)
        user = await session.get_one(User, who.user_id)
        profile = found or cls(
            id=await numbered(session, cls.__tablename__), user_id=who.user_id, tenant_id=customer.id, created_at=now
        )
        profile.discarded_at = profile.discarded_level_id = None
        profile.role, profile.sponsor_id = Role.OPERATOR.value, who.membership_id
        profile.role_given_by_id, profile.role_given_at = who.membership_id, now
        profile.user, profile.tenant = user, customer
        session.add(profile)
        record(session, Verb.MEMBERSHIP_SPONSORED, profile, sponsor=who.tenant_name)
        await session.flush()
        return profile

    async def change_role(self, session: AsyncSession, actor: Actor, role: Role, now: datetime) -> None:
        """Give another role, within what the actor may grant and outranks. One's own last admin role stays."""
        tenant = await session.get_one(Tenant, self.tenant_id)
        _require_grant(actor, tenant, role)
        _require_rank(actor, self, tenant)
        await self._refuse_losing_last_admin(session, actor)
        if role is Role.OPERATOR and tenant.kind == Kind.CUSTOMER:
            raise Invalid("An operator belongs to an organization above, not to a company.", field="role")
        self.role, self.role_given_at = role.value, now
        self.role_given_by_id = actor.true.membership_id if actor.true else None
        record(session, Verb.MEMBERSHIP_CHANGED, self)
        await session.flush()

    async def discard(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """End this membership at once. A tenant can always end its own."""
        if self.discarded_at is not None:
            raise Conflict("This membership has ended already.")
        tenant = await session.get_one(Tenant, self.tenant_id)
        _require_rank(actor, self, tenant)
        await self._refuse_losing_last_admin(session, actor)
        self.discarded_at, self.discarded_level_id = now, actor.standing.tenant_id
        record(session, Verb.MEMBERSHIP_DISCARDED, self)
        await session.flush()

    async def undiscard(self, session: AsyncSession, actor: Actor) -> None:
        """Bring the record back, at the discarder's level or above, as a plain member."""
        if self.discarded_at is None:
            raise Conflict("This membership has not ended.")
        await require_level(session, actor, self.discarded_level_id)
        self.discarded_at = self.discarded_level_id = None
        self.role, self.sponsor_id, self.withdrawn = Role.MEMBER.value, None, False
        record(session, Verb.MEMBERSHIP_UNDISCARDED, self)
        await session.flush()

    async def keep_external_id(self, session: AsyncSession, external_id: str | None) -> None:
        """What the system that provisions it calls it from now on."""
        if external_id != self.external_id:
            self.external_id = external_id
            record(session, Verb.MEMBERSHIP_CHANGED, self)
            await session.flush()

    async def withdraw(self, session: AsyncSession) -> None:
        """After it ended: the system that provisions it no longer wants to hear of it."""
        self.withdrawn = True
        record(session, Verb.MEMBERSHIP_CHANGED, self)
        await session.flush()

    async def fall_back(self, session: AsyncSession) -> None:
        """After its person was undiscarded: what a role granted does not come back by itself."""
        if self.discarded_at is None and self.role != Role.MEMBER:
            self.role, self.sponsor_id = Role.MEMBER.value, None
            record(session, Verb.MEMBERSHIP_CHANGED, self)
            await session.flush()

    async def _refuse_losing_last_admin(self, session: AsyncSession, actor: Actor) -> None:
        if self.role != Role.ADMIN or actor.true is None or actor.true.user_id != self.user_id:
            return
        others = (
            sa.select(Membership.id)
            .join(User, User.id == Membership.user_id)
            .where(
                Membership.tenant_id == self.tenant_id,
                Membership.role == Role.ADMIN,
                Membership.discarded_at.is_(None),
                User.discarded_at.is_(None),
                # A program answers for nobody.
                ~User.service,
                Membership.id != self.id,
            )
            .limit(1)
        )
        if (await session.scalars(others)).first() is None:
            raise Conflict("You are the last admin here. Make somebody else admin first.", rule="last_admin")


def has_admin_access(role: str) -> bool:
    """Whether a role has what seed 000 calls Admin Access: it may be bound."""
    return role in ADMIN_ACCESS


def _require_grant(actor: Actor, tenant: Tenant, role: Role) -> None:
    """Nobody grants a role they may not; the house itself (set-up, seed) may."""
    if actor.true is None:
        return
    who = actor.apparent
    if who is None or not grants(who.role, role) or not tenant.path.startswith(who.path):
        raise NotPermitted(f"Your role may not grant {role}.", rule="rank")


def _require_rank(actor: Actor, membership: Membership, tenant: Tenant) -> None:
    """The membership lies strictly below, or is outranked in the same tenant, or is the actor's own."""
    who = actor.apparent
    if actor.true is None or (who is not None and who.membership_id == membership.id):
        return
    strictly_below = who is not None and tenant.path != who.path and tenant.path.startswith(who.path)
    same_and_above = who is not None and tenant.path == who.path and _outranks(who, membership)
    if not (strictly_below or same_and_above):
        raise NotPermitted("Your role is not above theirs.", rule="rank")


def require_rank_over(actor: Actor, membership: Membership, tenant: Tenant) -> None:
    """Strictly above the membership's tenant, or of a role above theirs in the same one; never merely a peer."""
    who = actor.apparent
    below = who is not None and tenant.path != who.path and tenant.path.startswith(who.path)
    outranked = who is not None and tenant.path == who.path and above(who.role, Role(membership.role))
    if not (below or outranked):
        raise NotPermitted("Your role is not above theirs.", rule="rank")


def _outranks(who: Identity, membership: Membership) -> bool:
    # A tenant's admins answer for each other's place in it, except at the platform.
    if who.role is Role.ADMIN and membership.role == Role.ADMIN and who.tenant_kind != Kind.PLATFORM:
        return True
    return above(who.role, Role(membership.role))


async def require_rank_everywhere(session: AsyncSession, actor: Actor, user: User) -> None:
    """Acts on the whole person need rank over the home and every undiscarded membership, at least one."""
    must = "This must be done by the person or by their home organization."
    if actor.true is None:
        return
    theirs, tree = Membership.__table__, Tenant.__table__
    rows = await session.execute(
        sa.select(theirs.c.id, theirs.c.role, tree.c.path, tree.c.kind)
        .join(tree, tree.c.id == theirs.c.tenant_id)
        .where(theirs.c.user_id == user.id, theirs.c.discarded_at.is_(None))
    )
    home = (await session.execute(sa.select(tree.c.path).where(tree.c.id == user.home_tenant_id))).scalar_one()
    who = actor.apparent
    if who is None or not home.startswith(who.path) or user.id == actor.true.user_id:
        raise NotPermitted(must, rule="rank")
    found = rows.all()
    for row in found:
        ranked = row.path.startswith(who.path) and (row.path != who.path or above(who.role, Role(row.role)))
        if not ranked or (row.kind == Kind.PLATFORM and row.role == Role.ADMIN):
            raise NotPermitted(must, rule="rank")
    if not found:
        raise NotPermitted(must, rule="rank")


async def find_user(session: AsyncSession, user_id: int) -> User:
    """The person, when in reach; otherwise OutOfReach."""
    user = await session.get(User, user_id)
    if user is None:
        raise OutOfReach
    return user


async def find_membership(session: AsyncSession, membership_id: int) -> Membership:
    """The membership with its person and tenant, when in reach; otherwise OutOfReach."""
    wanted = (
        sa.select(Membership)
        .where(Membership.id == membership_id)
        .options(sa.orm.joinedload(Membership.user), sa.orm.joinedload(Membership.tenant))
    )
    membership = (await session.scalars(wanted)).one_or_none()
    if membership is None:
        raise OutOfReach
    return membership
