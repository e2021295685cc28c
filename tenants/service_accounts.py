"""Service accounts: programs of a company, each with one membership there, that prove themselves by a secret or keys.

Behind one stands a User without a password or an address that takes letters: all that looks at people (the fence,
ranks, closing, history) looks at it in the same way, and nobody signs in, is bound to or stands in as it.
"""

import secrets
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor
from tenants.api_keys import SCOPES
from tenants.credentials import digest, new_secret
from tenants.people import Membership, User
from tenants.reach import Extent, Reach
from tenants.records import Audited, Json, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Role
from tenants.text import named
from tenants.trail import numbered, record
from tenants.tree import Tenant
from tenants.verbs import Verb

PREFIX = "service-"
NOWHERE = "service-accounts.invalid"
"""Where their addresses are: a domain that nobody can have (RFC 2606 section 2)."""


class ServiceAccount(Record, Audited):
    """A program of a tenant: what it proves itself by, and how far its tokens reach within its membership's rights."""

    __tablename__ = "service_accounts"
    noun = "service account"
    derived = frozenset({"last_used_at"})
    secret = frozenset({"secret_hash"})

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    client_id: Mapped[str] = mapped_column(sa.String(80), unique=True)
    secret_hash: Mapped[str | None] = mapped_column(sa.String(64))
    jwks: Mapped[dict[str, object] | None] = mapped_column(Json, default=None)
    scopes: Mapped[str] = mapped_column(sa.String(60))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where it is; no member has one."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def make(
        cls,
        session: AsyncSession,
        actor: Actor,
        tenant: Tenant,
        name: str,
        role: Role,
        scopes: list[str],
        now: datetime,
        jwks: dict[str, object] | None = None,
    ) -> tuple["ServiceAccount", str | None]:
        """A new one and its secret, shown once; with public keys it has none. Its role is one the actor may grant."""
        if not scopes or set(scopes) - set(SCOPES):
            raise Invalid(f"Scopes are {', '.join(SCOPES)}.", field="scopes")
        if tenant.discarded_at is not None:
            raise Conflict(f"{tenant.name} is discarded.")
        client_id, secret = f"{PREFIX}{secrets.token_hex(8)}", None if jwks else new_secret()
        user = User(
            id=await numbered(session, User.__tablename__),
            home_tenant_id=tenant.id,
            name=named(name),
            email=f"{client_id}@{NOWHERE}",
            created_at=now,
            service=True,
        )
        session.add(user)
        record(session, Verb.USER_CREATED, user)
        await session.flush()
        membership = await Membership.create(session, actor, user, tenant, role, now)
        account = cls(
            tenant_id=tenant.id,
            membership_id=membership.id,
            name=user.name,
            client_id=client_id,
            secret_hash=digest(secret) if secret is not None else None,
            jwks=jwks,
            scopes=" ".join(scope for scope in SCOPES if scope in scopes),
            created_at=now,
        )
        session.add(account)
        record(session, Verb.SERVICE_ACCOUNT_CREATED, account, role=role.value)
        await session.flush()
        return account, secret

    async def rotate(self, session: AsyncSession) -> str:
        """A new secret, shown once; the old one or the keys, and every token got by them, end at once."""
        self._require_in_use()
        secret = new_secret()
        self.secret_hash, self.jwks = digest(secret), None
        record(session, Verb.SERVICE_ACCOUNT_ROTATED, self)
        await session.flush()
        return secret

    async def prove_by(self, session: AsyncSession, actor: Actor, jwks: dict[str, object]) -> None:
        """By these public keys from now on (RFC 7523); what was before, and every token got by it, ends at once.

        A program that does so has all that the account may: nobody gives themselves more than they have.
        """
        self._require_in_use()
        if actor.scopes is not None and not set(self.scopes.split()) <= actor.scopes:
            raise NotPermitted("This account may do more than your key. Do it in the panel.", rule="scope")
        self.secret_hash, self.jwks = None, jwks
        record(session, Verb.SERVICE_ACCOUNT_KEYED, self)
        await session.flush()

    async def discard(self, session: AsyncSession, now: datetime) -> None:
        """No more tokens, and those that there are end at once. Its membership is ended by who calls this."""
        self._require_in_use()
        self.discarded_at = now
        record(session, Verb.SERVICE_ACCOUNT_DISCARDED, self)
        await session.flush()

    def _require_in_use(self) -> None:
        if self.discarded_at is not None:
            raise Conflict(f"{self.name} is discarded already.")


async def find_service_account(session: AsyncSession, account_id: int) -> ServiceAccount:
    """The service account, when in reach; otherwise OutOfReach."""
    account = await session.get(ServiceAccount, account_id)
    if account is None:
        raise OutOfReach
    return account
