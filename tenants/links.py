"""Links: secrets that are good for one act, once, for a while. Only their hashes are stored."""

from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.credentials import digest, new_secret
from tenants.reach import Reach
from tenants.records import Number, Record
from tenants.refusals import Gone


class Purpose(StrEnum):
    """What a link is good for: one made for one thing opens nothing else."""

    RESET = "reset"
    JOIN = "join"
    EMAIL_CONFIRM = "email_confirm"
    EMAIL_AGREE = "email_agree"
    SECOND_FACTOR = "second_factor"
    PASSKEY = "passkey"


class Link(Record):
    """One such secret. `about_id` is the record that the act is about, where it is not the user."""

    __tablename__ = "links"

    purpose: Mapped[str] = mapped_column(sa.String(20))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    user_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("users.id"))
    about_id: Mapped[int | None] = mapped_column(Number)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Nobody's: whoever holds the secret is asked nothing else."""
        return sa.false()

    def touches(self, reach: Reach) -> set[int] | None:
        """Nobody's place: whoever may start the act may have its link made."""
        return set()

    @classmethod
    async def make(
        cls,
        session: AsyncSession,
        purpose: Purpose,
        lives: timedelta,
        now: datetime,
        *,
        user_id: int | None = None,
        about_id: int | None = None,
    ) -> str:
        """A new link; returns its secret. Older ones of the same person and purpose are spent."""
        if user_id is not None:
            await cls.spend(session, purpose, now, user_id=user_id)
        secret = new_secret()
        session.add(
            cls(
                purpose=purpose.value,
                token_hash=digest(secret),
                user_id=user_id,
                about_id=about_id,
                created_at=now,
                expires_at=now + lives,
            )
        )
        await session.flush()
        return secret

    @classmethod
    async def spend(
        cls,
        session: AsyncSession,
        purpose: Purpose,
        now: datetime,
        *,
        user_id: int | None = None,
        about_id: int | None = None,
    ) -> None:
        """Make those of a person, or about a record, good for nothing more."""
        rows = cls.__table__
        whose = rows.c.user_id == user_id if user_id is not None else rows.c.about_id == about_id
        old = sa.and_(whose, rows.c.purpose == purpose.value, rows.c.consumed_at.is_(None))
        await session.execute(sa.update(rows).where(old).values(consumed_at=now))

    @classmethod
    async def look(cls, session: AsyncSession, secret: str, purpose: Purpose, now: datetime) -> "Link | None":
        """The link while it is good, without spending it: a page is shown, a mail scanner looked."""
        rows = cls.__table__
        wanted = sa.select(rows).where(
            rows.c.token_hash == digest(secret),
            rows.c.purpose == purpose.value,
            rows.c.consumed_at.is_(None),
            rows.c.expires_at > now,
        )
        row = (await session.execute(wanted)).mappings().one_or_none()
        return cls(**row) if row is not None else None

    @classmethod
    async def redeem(cls, session: AsyncSession, secret: str, purpose: Purpose, now: datetime) -> "Link":
        """Spend it. Of twenty at once one succeeds; Gone (410) for the others, and for one too old or unknown."""
        rows = cls.__table__
        spent = (
            sa.update(rows)
            .where(
                rows.c.token_hash == digest(secret),
                rows.c.purpose == purpose.value,
                rows.c.consumed_at.is_(None),
                rows.c.expires_at > now,
            )
            .values(consumed_at=now)
            .returning(*rows.c)
        )
        row = (await session.execute(spent)).mappings().one_or_none()
        if row is None:
            raise Gone("This link was used already, or it is too old. Ask for a new one.")
        return cls(**row)
