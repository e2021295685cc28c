"""Invitations: creating a person is always an invitation, with the same words whether the address is known or not."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tenants.actor import Actor
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Role, grants
from tenants.text import email_address, named
from tenants.trail import numbered, record
from tenants.tree import Kind, Tenant
from tenants.verbs import Verb

LIVES = timedelta(days=7)


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
    ) -> "Invitation":
        """An invitation-to-be. Looks at nothing outside the tenant, so it cannot tell whether the address is known."""
        who = actor.apparent
        if actor.true is not None and (who is None or not grants(who.role, role)):
            raise NotPermitted(f"Your role may not grant {role}.", rule="rank")
        tenant = await session.get(Tenant, tenant_id)
        if tenant is None:
            raise OutOfReach
        if role is Role.OPERATOR and tenant.kind == Kind.CUSTOMER:
            raise Invalid("An operator belongs to an organization above, not to a company.", field="role")
        address = email_address(email)
        waiting = sa.select(cls).where(
            cls.tenant_id == tenant_id,
            cls.email == address,
            cls.accepted_at.is_(None),
            cls.revoked_at.is_(None),
        )
        same = (await session.scalars(waiting)).first()
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
        )
        session.add(invitation)
        record(session, Verb.INVITATION_PREPARED, invitation)
        await session.flush()
        return invitation

    async def revoke(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """Take it back; nobody can accept it any more. By who might have given that role."""
        if not grants(actor.standing.role, Role(self.role)):
            raise NotPermitted("Your role could not have sent this invitation.", rule="rank")
        if self.accepted_at is not None or self.revoked_at is not None:
            raise Conflict("This invitation is no longer open.")
        self.revoked_at = now
        record(session, Verb.INVITATION_REVOKED, self)
        await session.flush()
