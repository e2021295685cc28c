"""Webhooks: the outbox that tells tenants' programs of what happens (Standard Webhooks 1.0).

First the trail is read on and deliveries are written, then those that are due are taken and posted. What comes twice
has the same `webhook-id`; each webhook is sent one message at a time.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.webhook_deliveries import Outcome, WebhookDelivery
from bindings.webhook_feed import anything_new, feed
from bindings.webhook_sending import Sending, due, note, take
from bindings.webhooks import secrets_of, signed
from control import metrics
from control.house import House
from control.outbound import NotDelivered, Outbound
from control.outbox import Posts
from control.writing.webhooks import tell_webhook_disabled
from tenants.actor import Actor
from tenants.reach import Reach

SWEEP = timedelta(hours=1)
"""Between two looks for deliveries that are too old to keep."""


class Sender(Posts[Sending]):
    """Tells the webhooks of one house."""

    name = "webhooks"
    poll = 1.0
    """A few small readings where nothing has happened."""

    def __init__(self, house: House, outbound: Outbound) -> None:
        super().__init__(house, metrics.count_webhook)
        self._outbound = outbound
        self._swept: datetime | None = None

    async def round(self, now: datetime) -> int:
        """Read on, and send off what is due."""
        await self.read_on(now)
        sent = await self.look(now)
        await self._sweep(now)
        return sent

    async def read_on(self, now: datetime) -> int:
        """Write deliveries of what has happened since the last look; returns how many."""
        async with self._work(now, writes=False) as session:
            if not await anything_new(session):
                return 0
        async with self._work(now) as session:
            return await feed(session, now)

    async def take(self, now: datetime, room: int, busy: Counter[int]) -> Sequence[Sending]:
        """The next message of each webhook that is not being told just now."""
        async with self._work(now, writes=False) as session:
            ids = await due(session, now, set(busy), room)
        if not ids:
            return ()
        async with self._work(now) as session:
            return await take(session, ids, now)

    async def send(self, sending: Sending) -> tuple[Outcome, str | None]:
        """Post it, and write down how that went."""
        status, trouble = await self._post(sending)
        now = self.house.clock()
        async with self._work(now) as session:
            noted = await note(session, sending, status, trouble, now)
            if noted.disabled is not None:
                await tell_webhook_disabled(self.house, session, noted.disabled, noted.cause, now)
        return noted.outcome, trouble

    def receiver(self, sending: Sending) -> int:
        """The webhook."""
        return sending.webhook_id

    def about(self, sending: Sending) -> Mapping[str, Any]:
        """Which webhook, and how often."""
        return {"webhook": sending.webhook_id, "tries": sending.tries}

    async def _post(self, sending: Sending) -> tuple[int | None, str | None]:
        """Post it; returns the status, and what went wrong."""
        now = self.house.clock()
        keys = secrets_of(self.house.settings.secret_key, sending.webhook_id, sending.sealed, now)
        headers = {"Content-Type": "application/json"} | signed(keys, sending.message_id, now, sending.body)
        try:
            answer = await self._outbound.post(sending.url, sending.body, headers)
        except NotDelivered as trouble:
            return None, trouble.hitch.value
        return answer.status, None if 200 <= answer.status < 300 else f"status {answer.status}"

    async def _sweep(self, now: datetime) -> None:
        if self._swept is not None and now < self._swept + SWEEP:
            return
        self._swept = now
        async with self._work(now) as session:
            await WebhookDelivery.forget(session, now)

    def _work(self, now: datetime, *, writes: bool = True) -> AbstractAsyncContextManager[AsyncSession]:
        return self.house.store.work(Actor.house("webhooks"), Reach.everywhere("webhooks"), now, writes=writes)


@asynccontextmanager
async def posting(house: House) -> AsyncIterator[None]:
    """Webhooks are told as long as this is open."""
    async with Sender(house, Outbound(loopback=house.settings.on_this_machine)).running():
        yield
