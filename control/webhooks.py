"""Webhooks: a task of each serving process that tells tenants' programs of what happens (Standard Webhooks 1.0).

First the trail is read on and deliveries are written, then those that are due are taken and posted. They are taken
first and posted after: if a process dies they are due again when the lease is over, so that something may come twice,
under the same `webhook-id`, and nothing is left out. No transaction is open while somebody is waited for, and one
that does not answer holds up nobody but itself: each is sent one message at a time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.webhook_deliveries import WebhookDelivery
from bindings.webhook_feed import anything_new, feed
from bindings.webhook_sending import Sending, due, note, take
from bindings.webhooks import secrets_of, signed
from control import metrics
from control.house import House
from control.outbound import NotDelivered, Outbound
from tenants.actor import Actor
from tenants.reach import Reach

POLL = 1.0
"""Seconds between two looks: a few small readings where nothing has happened."""
AT_ONCE = 32
"""Posts on their way at the same time."""
FAREWELL = 6.0
"""Seconds that posts on their way get when the process ends: longer than any of them lasts."""
SWEEP = timedelta(hours=1)
"""Between two looks for deliveries that are too old to keep."""

log = structlog.get_logger()


class Sender:
    """Tells the webhooks of one house."""

    def __init__(self, house: House, outbound: Outbound) -> None:
        self.house = house
        self._outbound = outbound
        self._under_way: dict[asyncio.Task[None], int] = {}
        self._swept: datetime | None = None
        self._woken = asyncio.Event()
        self._ending = False

    async def run(self) -> None:
        """Tell until told to stop. Whatever goes wrong is logged, and looked at again a little later."""
        while not self._ending:
            self._woken.clear()
            try:
                now = self.house.clock()
                await self.read_on(now)
                await self.look(now)
                await self._sweep(now)
            except Exception:
                log.exception("webhooks")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL)

    def stop(self) -> None:
        """Take no more."""
        self._ending = True
        self._woken.set()

    async def read_on(self, now: datetime) -> int:
        """Write deliveries of what has happened since the last look; returns how many."""
        async with self._work(now, writes=False) as session:
            if not await anything_new(session):
                return 0
        async with self._work(now) as session:
            return await feed(session, now)

    async def look(self, now: datetime) -> int:
        """Send off what is due at `now`, as far as there is room; returns how many."""
        taken = await self._take(now)
        for sending in taken:
            task = asyncio.create_task(self._tell(sending))
            self._under_way[task] = sending.webhook_id
            task.add_done_callback(self._done)
        return len(taken)

    async def arrive(self, within: float | None = None) -> None:
        """Wait for those that are on their way; after so many seconds they are called back."""
        if not self._under_way:
            return
        _, unfinished = await asyncio.wait(self._under_way, timeout=within)
        for each in unfinished:
            each.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        # There is room again, and its webhook may have more to come.
        del self._under_way[task]
        self._woken.set()

    async def _take(self, now: datetime) -> Sequence[Sending]:
        room = AT_ONCE - len(self._under_way)
        if room <= 0:
            return ()
        async with self._work(now, writes=False) as session:
            ids = await due(session, now, set(self._under_way.values()), room)
        if not ids:
            return ()
        async with self._work(now) as session:
            return await take(session, ids, now)

    async def _tell(self, sending: Sending) -> None:
        """One try, and what became of it."""
        try:
            status, trouble = await self._post(sending)
            now = self.house.clock()
            async with self._work(now) as session:
                outcome = await note(session, sending, status, trouble, now)
        except Exception:
            # The lease runs out, and it is tried again.
            log.exception("webhook", webhook=sending.webhook_id, tries=sending.tries)
            return
        metrics.count_webhook(outcome.value)
        log.info("webhook", webhook=sending.webhook_id, outcome=outcome.value, tries=sending.tries, error=trouble)

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
    sender = Sender(house, Outbound(loopback=house.settings.on_this_machine))
    task = asyncio.create_task(sender.run(), name="webhooks")
    try:
        yield
    finally:
        sender.stop()
        await asyncio.gather(task, return_exceptions=True)
        await sender.arrive(FAREWELL)
