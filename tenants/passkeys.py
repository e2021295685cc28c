"""Passkeys: keys on somebody's own devices (WebAuthn Level 3), to sign in with alone or after a password."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.people import User
from tenants.personal import Personal
from tenants.records import Audited, Json, Number, Record
from tenants.refusals import Conflict, Invalid
from tenants.text import clean
from tenants.trail import numbered, record
from tenants.verbs import Verb

MOST = 20
"""How many passkeys one person may have."""
NAME = 100


class Passkey(Personal, Record, Audited):
    """One device's public key. Binary values are base64url, as browsers send them."""

    __tablename__ = "passkeys"
    noun = "passkey"
    derived = frozenset({"sign_count", "last_used_at"})
    secret = frozenset({"credential_id", "public_key"})

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    """The person's home, where its history belongs."""
    credential_id: Mapped[str] = mapped_column(sa.String(1400), unique=True)
    public_key: Mapped[str] = mapped_column(sa.Text)
    sign_count: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    name: Mapped[str] = mapped_column(sa.String(100))
    transports: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]

    @classmethod
    async def add(
        cls,
        session: AsyncSession,
        user: User,
        *,
        name: str,
        credential_id: str,
        public_key: str,
        sign_count: int,
        transports: list[str],
        now: datetime,
    ) -> "Passkey":
        """Keep what a ceremony has proved. Conflict for one that is known already, or one too many."""
        if len(await passkeys_of(session, user.id)) >= MOST:
            raise Conflict(f"You have {MOST} passkeys. Remove one that you do not use.")
        rows = cls.__table__
        known = sa.select(rows.c.id).where(rows.c.credential_id == credential_id)
        if (await session.execute(known)).first() is not None:
            raise Conflict("This passkey is set up already.")
        passkey = cls(
            id=await numbered(session, cls.__tablename__),
            user_id=user.id,
            tenant_id=user.home_tenant_id,
            credential_id=credential_id,
            public_key=public_key,
            sign_count=sign_count,
            name=_named(name),
            transports=transports,
            created_at=now,
        )
        session.add(passkey)
        record(session, Verb.PASSKEY_ADDED, passkey)
        await session.flush()
        return passkey

    async def rename(self, session: AsyncSession, name: str) -> None:
        """Call it something else."""
        name = _named(name)
        if name != self.name:
            self.name = name
            record(session, Verb.PASSKEY_CHANGED, self)
            await session.flush()

    async def remove(self, session: AsyncSession, now: datetime) -> None:
        """Take it out of use for good; the record stays."""
        if self.discarded_at is not None:
            raise Conflict("This passkey is removed already.")
        self.discarded_at = now
        record(session, Verb.PASSKEY_REMOVED, self)
        await session.flush()

    async def accept(self, session: AsyncSession, sign_count: int, now: datetime) -> bool:
        """Note that it was used. False when its counter did not grow: there may be a copy (WebAuthn, section 7.2)."""
        rows = Passkey.__table__
        counts = sa.or_(rows.c.sign_count < sign_count, sa.and_(rows.c.sign_count == 0, sa.literal(sign_count) == 0))
        used = (
            sa.update(rows)
            .where(rows.c.id == self.id, rows.c.discarded_at.is_(None), counts)
            .values(sign_count=sign_count, last_used_at=now)
            .returning(rows.c.id)
        )
        return (await session.execute(used)).first() is not None


async def passkeys_of(session: AsyncSession, user_id: int) -> list[Passkey]:
    """The person's passkeys in use, oldest first, as far as the session reaches."""
    theirs = sa.select(Passkey).where(Passkey.user_id == user_id, Passkey.discarded_at.is_(None))
    return list(await session.scalars(theirs.order_by(Passkey.id)))


def _named(name: str) -> str:
    name = clean(name, "name").strip()
    if not 1 <= len(name) <= NAME:
        raise Invalid(f"A name has 1 to {NAME} characters.", field="name")
    return name
