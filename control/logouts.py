"""Logouts: a task of each serving process that tells apps that a login of theirs has ended.

It looks for logins that have ended, by whatever cause, and posts a logout token to their apps (OpenID Connect
Back-Channel Logout 1.0 section 2.5), a security event (bindings/signals.py), or both. They are taken first and posted
after: of several processes one gets a login, and if it dies the login is due again when its lease is over, so an app
may be told twice and is never left out. No transaction is open while an app is waited for, and an app that does not
answer holds up nobody but itself.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from bindings.keys import KeyRing
from bindings.logout_tokens import UNREGISTERED, Due, logout_token, note, take, untold
from bindings.signals import headers, session_revoked
from bindings.tokens import Issuer
from control import metrics
from control.house import House
from control.outbound import Answer, NotDelivered, Outbound

POLL = 0.25
"""Seconds between two looks: one query that a small index answers."""
AT_ONCE = 32
"""Posts on their way at the same time,"""
AT_ONE_APP = 4
"""to one app, and one alone to an app that did not answer the last time."""
FAREWELL = 6.0
"""Seconds that posts on their way get when the process ends: longer than any of them lasts."""
ACKNOWLEDGED = (200, 204)
ACCEPTED = (202,)
"""How a security event is taken (RFC 8935 section 2.2)."""

log = structlog.get_logger()


class Teller:
    """Tells the apps of one house."""

    def __init__(self, house: House, outbound: Outbound) -> None:
        self.house = house
        self._outbound = outbound
        self._issuer = Issuer(house.settings.public_url, house.store, KeyRing(house.store, house.settings.secret_key))
        self._under_way: dict[asyncio.Task[None], int] = {}
        self._silent: set[int] = set()
        """Apps that did not take the last one."""
        self._woken = asyncio.Event()
        self._ending = False

    async def run(self) -> None:
        """Tell until told to stop. Whatever goes wrong is logged, and looked at again a little later."""
        while not self._ending:
            self._woken.clear()
            try:
                await self.look(self.house.clock())
            except Exception:
                log.exception("logouts")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL)

    def stop(self) -> None:
        """Take no more."""
        self._ending = True
        self._woken.set()

    async def look(self, now: datetime) -> int:
        """Send off what is due at `now`, as far as there is room; returns how many."""
        taken = await self._take(now)
        for due in taken:
            task = asyncio.create_task(self._tell(due))
            self._under_way[task] = due.app_id
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
        # There is room again, which may be what something else waits for.
        del self._under_way[task]
        self._woken.set()

    async def _take(self, now: datetime) -> Sequence[Due]:
        room = AT_ONCE - len(self._under_way)
        if room <= 0:
            return ()
        at_apps = Counter(self._under_way.values())
        busy = [app_id for app_id, count in at_apps.items() if count >= self._most_at(app_id)]
        async with self.house.store.hot.connect() as connection:
            found = await untold(connection, now, busy, 4 * AT_ONCE)
        chosen: list[str] = []
        for sid, app_id in found:
            if len(chosen) < room and at_apps[app_id] < self._most_at(app_id):
                at_apps[app_id] += 1
                chosen.append(sid)
        if not chosen:
            return ()
        async with self.house.store.writer.begin() as connection:
            return await take(connection, chosen, now)

    def _most_at(self, app_id: int) -> int:
        return 1 if app_id in self._silent else AT_ONE_APP

    async def _tell(self, due: Due) -> None:
        """One try, and what became of it."""
        try:
            trouble = await self._post(due)
            (self._silent.discard if trouble is None else self._silent.add)(due.app_id)
            now = self.house.clock()
            async with self.house.store.writer.begin() as connection:
                outcome = await note(connection, due, trouble, now)
        except Exception:
            # The lease runs out, and it is tried again.
            log.exception("logout", app=due.client_id, tries=due.tries)
            return
        metrics.count_logout(outcome.value)
        log.info("logout", app=due.client_id, outcome=outcome.value, tries=due.tries, error=trouble)

    async def _post(self, due: Due) -> str | None:
        """Tell it by each way that it asked for, none waiting for the other; returns what went wrong."""
        ways = [self._log_out(due.address, due)] if due.address is not None else []
        ways += [self._signal(due.signals_uri, due)] if due.signals_uri is not None else []
        if not ways:
            return UNREGISTERED
        # Tasks of their own only where there are two.
        troubles = await asyncio.gather(*ways) if len(ways) > 1 else [await ways[0]]
        return next((trouble for trouble in troubles if trouble is not None), None)

    async def _log_out(self, address: str, due: Due) -> str | None:
        token = await logout_token(self._issuer, due, self.house.clock())
        return await _trouble(self._outbound.post_form(address, {"logout_token": token}), ACKNOWLEDGED)

    async def _signal(self, address: str, due: Due) -> str | None:
        event = await session_revoked(self._issuer, due, self.house.clock())
        said = headers(self.house.settings.secret_key, due)
        return await _trouble(self._outbound.post(address, event.encode(), said), ACCEPTED)


async def _trouble(posted: Awaitable[Answer], well: Collection[int]) -> str | None:
    """What went wrong with a post, if anything."""
    try:
        answer = await posted
    except NotDelivered as trouble:
        return trouble.hitch.value
    return None if answer.status in well else f"status {answer.status}"


@asynccontextmanager
async def telling(house: House) -> AsyncIterator[None]:
    """Apps are told as long as this is open."""
    teller = Teller(house, Outbound(loopback=house.settings.on_this_machine))
    task = asyncio.create_task(teller.run(), name="logouts")
    try:
        yield
    finally:
        teller.stop()
        await asyncio.gather(task, return_exceptions=True)
        await teller.arrive(FAREWELL)
