"""Logouts: the outbox that tells apps that a login of theirs has ended.

It looks for logins that have ended, by whatever cause, and posts a logout token to their apps (OpenID Connect
Back-Channel Logout 1.0 section 2.5), a security event (bindings/signals.py), or both.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from bindings.keys import KeyRing
from bindings.logout_tokens import HELD, UNREGISTERED, Due, Outcome, logout_token, note, take, untold
from bindings.signals import headers, hold, session_revoked
from bindings.tokens import Issuer
from control import metrics
from control.house import House
from control.outbound import Answer, NotDelivered, Outbound
from control.outbox import AT_ONCE, Posts

AT_ONE_APP = 4
"""Posts to one app at the same time, and one alone to an app that did not answer the last time."""
ACKNOWLEDGED = (200, 204)
ACCEPTED = (202,)
"""How a security event is taken (RFC 8935 section 2.2)."""


class Teller(Posts[Due]):
    """Tells the apps of one house."""

    name = "logouts"
    poll = 0.25
    """One query that a small index answers."""

    def __init__(self, house: House, outbound: Outbound) -> None:
        super().__init__(house, metrics.count_logout)
        self._outbound = outbound
        self._issuer = Issuer(house.settings.public_url, house.store, KeyRing(house.store, house.settings.secret_key))
        self._silent: set[int] = set()
        """Apps that did not take the last one."""

    async def take(self, now: datetime, room: int, busy: Counter[int]) -> Sequence[Due]:
        """Logins that have ended, a few of each app."""
        full = [app_id for app_id, count in busy.items() if count >= self._most_at(app_id)]
        async with self.house.store.hot.connect() as connection:
            found = await untold(connection, now, full, 4 * AT_ONCE)
        chosen: list[str] = []
        for sid, app_id in found:
            if len(chosen) < room and busy[app_id] < self._most_at(app_id):
                busy[app_id] += 1
                chosen.append(sid)
        if not chosen:
            return ()
        async with self.house.store.writer.begin() as connection:
            return await take(connection, chosen, now)

    async def send(self, due: Due) -> tuple[Outcome, str | None]:
        """Tell its app, and write down how that went."""
        trouble = await self._post(due)
        (self._silent.discard if trouble is None else self._silent.add)(due.app_id)
        now = self.house.clock()
        async with self.house.store.writer.begin() as connection:
            outcome = await note(connection, due, trouble, now)
            if due.held and outcome is not Outcome.WAITING:
                await hold(connection, self._issuer.url, due, now)
        return outcome, trouble

    def receiver(self, due: Due) -> int:
        """The app."""
        return due.app_id

    def about(self, due: Due) -> Mapping[str, Any]:
        """Which app, and how often."""
        return {"app": due.client_id, "tries": due.tries}

    def _most_at(self, app_id: int) -> int:
        return 1 if app_id in self._silent else AT_ONE_APP

    async def _post(self, due: Due) -> str | None:
        """Tell it by each way that it asked for, none waiting for the other; returns what went wrong."""
        ways = [self._log_out(due.address, due)] if due.address is not None else []
        ways += [self._signal(due.signals_uri, due)] if due.signals_uri is not None else []
        if not ways:
            return HELD if due.held else UNREGISTERED
        # Tasks of their own only where there are two.
        troubles = await asyncio.gather(*ways) if len(ways) > 1 else [await ways[0]]
        return next((trouble for trouble in troubles if trouble is not None), None)

    async def _log_out(self, address: str, due: Due) -> str | None:
        token = await logout_token(self._issuer, due, self.house.clock())
        return await trouble_of(self._outbound.post_form(address, {"logout_token": token}), ACKNOWLEDGED)

    async def _signal(self, address: str, due: Due) -> str | None:
        event = await session_revoked(self._issuer, due, self.house.clock())
        said = headers(self.house.settings.secret_key, due.client_id, due.signals_token)
        return await trouble_of(self._outbound.post(address, event.encode(), said), ACCEPTED)


async def trouble_of(posted: Awaitable[Answer], well: Collection[int]) -> str | None:
    """What went wrong with a post, if anything."""
    try:
        answer = await posted
    except NotDelivered as trouble:
        return trouble.hitch.value
    return None if answer.status in well else f"status {answer.status}"


@asynccontextmanager
async def telling(house: House) -> AsyncIterator[None]:
    """Apps are told as long as this is open."""
    async with Teller(house, Outbound(loopback=house.settings.on_this_machine)).running():
        yield
