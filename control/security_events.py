"""Security events: the outbox of those that wait, verifications and what was held (bindings/security_events.py).

Each app is sent one at a time, the oldest first.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from bindings.security_events import Outcome, Pushing, due, forget, note, take
from bindings.signals import headers, waiting_event
from control import metrics
from control.house import House
from control.logouts import ACCEPTED, trouble_of
from control.outbound import Outbound
from control.outbox import Posts

SWEEP = timedelta(hours=1)
"""Between two looks for those that are too old to keep."""


class Pusher(Posts[Pushing]):
    """Pushes the events of one house."""

    name = "security events"
    poll = 1.0

    def __init__(self, house: House, outbound: Outbound) -> None:
        super().__init__(house, metrics.count_security_event)
        self._outbound = outbound
        self._swept: datetime | None = None

    async def take(self, now: datetime, room: int, busy: Counter[int]) -> Sequence[Pushing]:
        """The next of each app that is not being told just now."""
        async with self.house.store.hot.connect() as connection:
            ids = await due(connection, now, set(busy), room)
        if self._swept is None or now >= self._swept + SWEEP:
            self._swept = now
            async with self.house.store.writer.begin() as connection:
                await forget(connection, now)
        if not ids:
            return ()
        async with self.house.store.writer.begin() as connection:
            return await take(connection, ids, now)

    async def send(self, pushing: Pushing) -> tuple[Outcome, str | None]:
        """Push it, and write down how that went."""
        event = await waiting_event(self.house.issuer, pushing, self.house.clock())
        said = headers(self.house.settings.secret_key, pushing.client_id, pushing.sealed)
        trouble = await trouble_of(self._outbound.post(pushing.address, event.encode(), said), ACCEPTED)
        now = self.house.clock()
        async with self.house.store.writer.begin() as connection:
            return await note(connection, pushing, trouble, now), trouble

    def receiver(self, pushing: Pushing) -> int:
        """The app."""
        return pushing.app_id

    def about(self, pushing: Pushing) -> Mapping[str, Any]:
        """Which app, and how often."""
        return {"app": pushing.client_id, "tries": pushing.tries}


@asynccontextmanager
async def pushing(house: House) -> AsyncIterator[None]:
    """Events are pushed as long as this is open."""
    async with Pusher(house, Outbound(loopback=house.settings.on_this_machine)).running():
        yield
