"""Idempotency keys: the answer to a change is stored in the change's own transaction and given again."""

import hashlib
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Reach
from tenants.records import Json, Number, Record
from tenants.refusals import Conflict

LENGTH = 200


class Answer(Record):
    """What a credential was answered to one Idempotency-Key. Secrets are left out."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (sa.UniqueConstraint("membership_id", "key"),)

    membership_id: Mapped[int] = mapped_column(Number)
    key: Mapped[str] = mapped_column(sa.String(LENGTH))
    request_hash: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int]
    body: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """One's own."""
        return cls.membership_id == reach.membership_id

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own."""
        return set() if self.membership_id == reach.membership_id else None


def request_hash(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same one."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()


async def earlier_answer(session: AsyncSession, membership_id: int, key: str, asked: str) -> Answer | None:
    """The answer already given to this key; Conflict when the key was used for another request."""
    found = sa.select(Answer).where(Answer.membership_id == membership_id, Answer.key == key)
    answer = (await session.scalars(found)).one_or_none()
    if answer is not None and answer.request_hash != asked:
        raise Conflict("This Idempotency-Key was used for another request.", rule="idempotency")
    return answer
