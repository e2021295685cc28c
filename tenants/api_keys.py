"""API keys: a program acts as one membership, narrowed to scopes, until a day. Only hashes are stored."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import PROVISIONING, Identity
from tenants.credentials import digest, new_secret
from tenants.people import Membership
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Permission, Role, may
from tenants.text import named
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb

PREFIX = "understudy_"
SCOPES = ("read", "write", "stand_in")
"""What a key of the API may be given, in any number."""
DAYS = 90
MOST_DAYS = 365


class ApiKey(Record, Audited):
    """A bearer key of one membership."""

    __tablename__ = "api_keys"
    noun = "API key"
    derived = frozenset({"last_used_at"})
    secret = frozenset({"key_hash"})

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    key_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    scopes: Mapped[str] = mapped_column(sa.String(60))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its membership is; one's own for a member."""
        return cls.user_id == reach.user_id if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant; one's own always."""
        if self.user_id == reach.user_id:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def make(
        cls,
        session: AsyncSession,
        membership: Membership,
        name: str,
        scopes: list[str],
        days: int,
        now: datetime,
    ) -> tuple["ApiKey", str]:
        """A new key and the secret itself, shown once. `days` until it expires, at most 365."""
        if not scopes or set(scopes) - set(SCOPES):
            raise Invalid(f"Scopes are {', '.join(SCOPES)}.", field="scopes")
        kept = " ".join(scope for scope in SCOPES if scope in scopes)
        return await cls._keep(session, membership, membership.tenant_id, name, kept, days, now)

    @classmethod
    async def provision(
        cls, session: AsyncSession, membership: Membership, tenant: Tenant, name: str, days: int, now: datetime
    ) -> tuple["ApiKey", str]:
        """A key that provisions the people of one company and opens nothing else, by an admin there or above.

        It acts as that admin's membership, and in that company only. NotPermitted for anybody else.
        """
        above = (await session.get_one(Tenant, membership.tenant_id)).path
        if not may(Role(membership.role), Permission.MANAGE_PEOPLE) or not tenant.path.startswith(above):
            raise NotPermitted("Only an admin of a company, or of an organization above it, provisions its people.")
        if tenant.discarded_at is not None:
            raise Conflict(f"{tenant.name} is discarded.")
        return await cls._keep(session, membership, tenant.id, name, " ".join(PROVISIONING), days, now)

    @classmethod
    async def _keep(
        cls,
        session: AsyncSession,
        membership: Membership,
        tenant_id: int,
        name: str,
        scopes: str,
        days: int,
        now: datetime,
    ) -> tuple["ApiKey", str]:
        if not 1 <= days <= MOST_DAYS:
            raise Invalid(f"A key lives 1 to {MOST_DAYS} days.", field="days")
        secret = new_secret(PREFIX)
        key = cls(
            tenant_id=tenant_id,
            membership_id=membership.id,
            user_id=membership.user_id,
            name=named(name),
            key_hash=digest(secret),
            scopes=scopes,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        session.add(key)
        record(session, Verb.API_KEY_CREATED, key)
        await session.flush()
        return key, secret

    async def switch(self, session: AsyncSession, identity: Identity) -> None:
        """Act as another membership of the same person from now on. OutOfReach for anybody else's."""
        if identity.user_id != self.user_id:
            raise OutOfReach
        if identity.membership_id == self.membership_id:
            return
        self.membership_id, self.tenant_id = identity.membership_id, identity.tenant_id
        record(session, Verb.API_KEY_SWITCHED, self)
        await session.flush()

    async def revoke(self, session: AsyncSession, now: datetime) -> None:
        """End it at once."""
        if self.revoked_at is not None:
            raise Conflict("This key is revoked already.")
        self.revoked_at = now
        record(session, Verb.API_KEY_REVOKED, self)
        await session.flush()
