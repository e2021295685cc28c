"""Second factors: a code from an authenticator app (TOTP, RFC 6238), and ten recovery codes for the day it is lost."""

import secrets
from base64 import b32encode
from datetime import datetime

import sqlalchemy as sa
from passlib.exc import TokenError
from passlib.totp import TOTP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.credentials import digest
from tenants.people import User
from tenants.personal import Personal
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid
from tenants.sealing import seal, unseal
from tenants.trail import numbered, record
from tenants.verbs import Verb

PURPOSE = "totp"
STEP = 30
"""How long a code counts, in seconds; the one before and the one after are taken too (RFC 6238, section 5.2)."""
CODES = 10
FEW = 3
"""At so many recovery codes left it is time to make new ones."""


class Totp(Personal, Record, Audited):
    """A shared secret with somebody's authenticator app, sealed. Not in force before its first code was right."""

    __tablename__ = "totps"
    noun = "authenticator app"
    derived = frozenset({"last_counter"})
    secret = frozenset({"sealed"})

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    """The person's home, where its history belongs."""
    sealed: Mapped[str] = mapped_column(sa.Text)
    last_counter: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The time step of the last code that was taken: none of it or before is taken again."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @classmethod
    async def prepare(cls, session: AsyncSession, secret_key: bytes, user: User, now: datetime) -> "Totp":
        """A new secret for one's authenticator app, in force once a first code was right.

        Begun again, the unfinished one gets another secret. Conflict when one is in force.
        """
        totp = await totp_of(session, user.id)
        if totp is not None and totp.confirmed_at is not None:
            raise Conflict("You have an authenticator app already. Remove it before you set up another.")
        if totp is None:
            number = await numbered(session, cls.__tablename__)
            totp = cls(id=number, user_id=user.id, tenant_id=user.home_tenant_id, created_at=now)
            session.add(totp)
        totp.sealed = seal(secret_key, PURPOSE, str(user.id), TOTP.new().key)
        record(session, Verb.TOTP_PREPARED, totp)
        await session.flush()
        return totp

    def generator(self, secret_key: bytes) -> TOTP:
        """What makes and compares its codes; it holds the secret. Raises Sealed."""
        return TOTP(key=unseal(secret_key, PURPOSE, str(self.user_id), self.sealed), format="raw")

    async def confirm(self, session: AsyncSession, secret_key: bytes, code: str, now: datetime) -> None:
        """The first right code puts it in force. Invalid for a wrong one, Conflict when it is in force already."""
        if self.confirmed_at is not None or self.ended_at is not None:
            raise Conflict("This authenticator app is set up already.")
        if not await self.accept(session, secret_key, code, now):
            raise Invalid("This code is not right. Check the clock of your device.", field="code")
        self.confirmed_at = now
        record(session, Verb.TOTP_ADDED, self)
        await session.flush()

    async def accept(self, session: AsyncSession, secret_key: bytes, code: str, now: datetime) -> bool:
        """Whether the code is right and later than every one that was taken. Of the same code twice, one is."""
        try:
            counter = self.generator(secret_key).match(code, time=int(now.timestamp()), window=STEP).counter
        except TokenError:
            return False
        rows = Totp.__table__
        taken = (
            sa.update(rows)
            .where(rows.c.id == self.id, rows.c.ended_at.is_(None))
            .where(sa.or_(rows.c.last_counter.is_(None), rows.c.last_counter < counter))
            .values(last_counter=counter)
            .returning(rows.c.id)
        )
        return (await session.execute(taken)).first() is not None

    async def remove(self, session: AsyncSession, now: datetime) -> None:
        """Take it out of use for good."""
        self.ended_at = now
        record(session, Verb.TOTP_REMOVED, self)
        await session.flush()


class RecoveryCode(Record):
    """One of ten codes, good once. Only its hash is stored."""

    __tablename__ = "recovery_codes"
    __table_args__ = (sa.UniqueConstraint("user_id", "code_hash"),)

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    code_hash: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @classmethod
    async def make(cls, session: AsyncSession, user: User, now: datetime) -> list[str]:
        """Ten new ones, returned this once; those before are good for nothing more."""
        await cls.end_all(session, user.id, now)
        codes = [new_code() for _ in range(CODES)]
        session.add_all(cls(user_id=user.id, code_hash=digest(plain(code)), created_at=now) for code in codes)
        record(session, Verb.RECOVERY_CODES_MADE, None, place=user.home_tenant_id, named=_as_record(user), codes=CODES)
        await session.flush()
        return codes

    @classmethod
    async def spend(cls, session: AsyncSession, user: User, code: str, now: datetime) -> bool:
        """Use one up. Of the same code twice at once, one succeeds."""
        rows = cls.__table__
        spent = (
            sa.update(rows)
            .where(rows.c.user_id == user.id, rows.c.code_hash == digest(plain(code)))
            .where(rows.c.used_at.is_(None), rows.c.ended_at.is_(None))
            .values(used_at=now)
            .returning(rows.c.id)
        )
        if (await session.execute(spent)).first() is None:
            return False
        left = await cls.left(session, user.id)
        record(session, Verb.RECOVERY_CODE_USED, None, place=user.home_tenant_id, named=_as_record(user), left=left)
        await session.flush()
        return True

    @classmethod
    async def left(cls, session: AsyncSession, user_id: int) -> int:
        """How many can still be used."""
        rows = cls.__table__
        unused = sa.and_(rows.c.user_id == user_id, rows.c.used_at.is_(None), rows.c.ended_at.is_(None))
        return int((await session.execute(sa.select(sa.func.count()).where(unused))).scalar_one())

    @classmethod
    async def end_all(cls, session: AsyncSession, user_id: int, now: datetime) -> None:
        """Those that were not used can be used no more."""
        rows = cls.__table__
        live = sa.and_(rows.c.user_id == user_id, rows.c.used_at.is_(None), rows.c.ended_at.is_(None))
        await session.execute(sa.update(rows).where(live).values(ended_at=now))

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """One's own."""
        return sa.false() if reach.extent is Extent.NOTHING else cls.user_id == reach.user_id

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own."""
        return set() if self.user_id == reach.user_id else None


async def totp_of(session: AsyncSession, user_id: int) -> Totp | None:
    """The person's authenticator app, in force or being set up, as far as the session reaches."""
    return (
        await session.scalars(sa.select(Totp).where(Totp.user_id == user_id, Totp.ended_at.is_(None)))
    ).one_or_none()


def new_code() -> str:
    """A recovery code of 80 bits, in groups that can be copied by hand: "k3vd-7xqa-…"."""
    letters = b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def plain(code: str) -> str:
    """A code as it is compared: without the spaces and dashes that make it readable."""
    return "".join(letter for letter in code.casefold() if letter.isalnum())


def _as_record(user: User) -> tuple[str, str, str]:
    return ("users", str(user.id), user.name)
