"""Proofs that were shown once: each is good a single time, whoever shows it and however many do at once."""

from datetime import datetime

import sqlalchemy as sa
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.credentials import digest
from tenants.records import Record
from tenants.store import Store

ASSERTION = "assertion"
"""The purpose of what a client proves itself by (RFC 7523)."""
GIVEN_BACK = "given_back"
"""The purpose of a token without a row that its holder gave back (RFC 7009): it is known by that it was seen."""
DPOP = "dpop"
"""The purpose of what the holder of a key shows with each request (RFC 9449)."""
LONGEST = 500
"""Characters of an identifier that a proof gives itself."""


class SeenProof(Record):
    """The identifier of one proof, by its hash, until it would be refused for its age anyway."""

    __tablename__ = "seen_proofs"
    __table_args__ = (sa.UniqueConstraint("purpose", "jti_hash"),)

    purpose: Mapped[str] = mapped_column(sa.String(20))
    jti_hash: Mapped[str] = mapped_column(sa.String(64))
    expires_at: Mapped[datetime]


_TIME = DateTimeUTC(timezone=True)
_FORGET = sa.text("DELETE FROM seen_proofs WHERE expires_at < :now").bindparams(sa.bindparam("now", type_=_TIME))
_SEE = sa.text(
    "INSERT INTO seen_proofs (purpose, jti_hash, expires_at) VALUES (:purpose, :hash, :until) "
    "ON CONFLICT (purpose, jti_hash) DO NOTHING RETURNING id"
).bindparams(sa.bindparam("until", type_=_TIME))


_SEEN = sa.text("SELECT 1 FROM seen_proofs WHERE purpose = :purpose AND jti_hash = :hash")


async def was_seen(connection: AsyncConnection | AsyncSession, purpose: str, owner: str, jti: str) -> bool:
    """Whether somebody has shown it."""
    asked = {"purpose": purpose, "hash": digest(f"{owner} {jti}")}
    return (await connection.execute(_SEEN, asked)).one_or_none() is not None


async def first_seen(store: Store, purpose: str, owner: str, jti: str, until: datetime, now: datetime) -> bool:
    """Whether nobody has shown this proof yet. It commits by itself: a proof is spent by whatever comes of it."""
    asked = {"purpose": purpose, "hash": digest(f"{owner} {jti}"), "until": until}
    async with store.writer.begin() as connection:
        await connection.execute(_FORGET, {"now": now})
        return (await connection.execute(_SEE, asked)).one_or_none() is not None
