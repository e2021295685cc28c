"""House: what every door needs at hand. One per process, kept in the app's state."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.keys import KeyRing
from bindings.tokens import Issuer
from control.rate_limits import RateLimits
from control.settings import Settings
from control.streams import Streams
from tenants.letters import Addressee, Letter, LetterKind
from tenants.sealed_trail import Sealer
from tenants.store import Store


class Clock:
    """The time of a request, read once: this machine's, corrected by the database's at each `set_by`."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC) + self.offset

    async def set_by(self, store: Store) -> None:
        """Take the database's time: with several machines there must be one clock."""
        if store.embedded:
            return
        async with store.hot.connect() as connection:
            theirs: datetime = (await connection.execute(sa.text("SELECT clock_timestamp()"))).scalar_one()
        self.offset = theirs - datetime.now(UTC)


@dataclass
class House:
    """Settings, database and clock of this process."""

    settings: Settings
    store: Store
    clock: Callable[[], datetime]
    posted: asyncio.Event = field(default_factory=asyncio.Event)
    """A letter was committed in this process: the sender looks."""
    streams: Streams = field(default_factory=Streams)
    """Answers of this process that go on for minutes."""

    @cached_property
    def issuer(self) -> Issuer:
        """Who signs in this process: the panel's address, its keys and its database."""
        return Issuer(self.settings.public_url, self.store, KeyRing(self.store, self.settings.secret_key))

    @cached_property
    def rate_limits(self) -> RateLimits:
        """What programs asked of this process lately."""
        return RateLimits(self.settings.quotas)

    @cached_property
    def sealer(self) -> Sealer:
        """Who seals the trail, and signs for it under the panel's address."""
        return Sealer.of(self.store, self.settings.secret_key, self.settings.public_url)

    async def letter(
        self,
        session: AsyncSession,
        kind: LetterKind,
        to: Addressee,
        tenant_id: int,
        now: datetime,
        *,
        expires_at: datetime | None = None,
        **words: str,
    ) -> Letter:
        """Put a letter into the outbox, in this transaction; `words` fill its template, and are kept sealed."""
        letter = await Letter.put(
            session, self.settings.secret_key, kind, to, tenant_id, now, expires_at=expires_at, **words
        )
        self.wake_sender_after(session)
        return letter

    def wake_sender_after(self, session: AsyncSession) -> None:
        """Have this process look into the outbox once the transaction is committed."""
        event.listen(session.sync_session, "after_commit", lambda _: self.posted.set())

    def link(self, path: str) -> str:
        """A page's whole address, for letters."""
        return f"{self.settings.public_url}{path}"
