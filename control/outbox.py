"""Outboxes: tasks of each serving process that send what waits in the database, and no request waits for them.

What is due is taken first and sent after: of several processes one gets it, and if that one dies it is due again when
its lease is over. So nothing is left out, and something may come twice. No transaction is open while anybody is waited
for, and whoever does not answer holds up nobody but themselves.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

import structlog

from control.house import House

AT_ONCE = 32
"""Posts of one outbox that are on their way at the same time."""

log = structlog.get_logger()

Due = TypeVar("Due")


class Outbox(ABC):
    """A task that looks for what is due: when it is woken, and every so often for what others put there."""

    name: ClassVar[str]
    poll: ClassVar[float]
    """Seconds between two looks that nobody asked for."""
    farewell: ClassVar[float]
    """Seconds that what is on its way gets when the process ends."""

    def __init__(self, house: House, woken: asyncio.Event | None = None) -> None:
        self.house = house
        self.ending = False
        self.woken = woken or asyncio.Event()
        """Set, it looks at once."""
        self.under_way: dict[asyncio.Task[None], int] = {}
        """What goes on outside of `run`, with whom it is for."""

    @abstractmethod
    async def round(self, now: datetime) -> int:
        """One look at `now`: send what is due; returns how many."""

    async def run(self) -> None:
        """Send until told to stop. Whatever goes wrong is logged, and looked at again a little later."""
        while not self.ending:
            self.woken.clear()
            try:
                await self.round(self.house.clock())
            except Exception:
                log.exception(self.name)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), self.poll)

    def stop(self) -> None:
        """Take no more."""
        self.ending = True
        self.woken.set()

    async def arrive(self, within: float | None = None) -> None:
        """Wait for those that are on their way; after so many seconds they are called back."""
        await _finish(set(self.under_way), within)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It runs as long as this is open; what is on its way then may still arrive."""
        task = asyncio.create_task(self.run(), name=self.name)
        try:
            yield
        finally:
            self.stop()
            await _finish({task}, self.farewell)
            await self.arrive(self.farewell)


class Posts(Outbox, Generic[Due]):
    """An outbox of many receivers, each told in a task of its own, and none of them by too many at once."""

    farewell = 6.0
    """Longer than any post lasts."""

    def __init__(self, house: House, count: Callable[[str], None]) -> None:
        super().__init__(house)
        self._count = count
        """Counts what became of a try."""

    @abstractmethod
    async def take(self, now: datetime, room: int, busy: Counter[int]) -> Sequence[Due]:
        """Take what is due, at most `room` of them; `busy` counts what is on its way, by receiver."""

    @abstractmethod
    async def send(self, due: Due) -> tuple[StrEnum, str | None]:
        """One try, written down; returns what became of it, and what went wrong."""

    @abstractmethod
    def receiver(self, due: Due) -> int:
        """Who is told, by number."""

    @abstractmethod
    def about(self, due: Due) -> Mapping[str, Any]:
        """What the log says of one."""

    async def round(self, now: datetime) -> int:
        """Send off what is due, and wait for none of it."""
        return await self.look(now)

    async def look(self, now: datetime) -> int:
        """Send off what is due at `now`, as far as there is room; returns how many."""
        room = AT_ONCE - len(self.under_way)
        if room <= 0:
            return 0
        taken = await self.take(now, room, Counter(self.under_way.values()))
        for due in taken:
            task = asyncio.create_task(self._tell(due))
            self.under_way[task] = self.receiver(due)
            task.add_done_callback(self._done)
        return len(taken)

    def _done(self, task: asyncio.Task[None]) -> None:
        # There is room again, and its receiver may have more to come.
        del self.under_way[task]
        self.woken.set()

    async def _tell(self, due: Due) -> None:
        try:
            outcome, trouble = await self.send(due)
        except Exception:
            # The lease runs out, and it is tried again.
            log.exception(self.name, **self.about(due))
            return
        self._count(outcome.value)
        log.info(self.name, outcome=outcome.value, error=trouble, **self.about(due))


async def _finish(tasks: set[asyncio.Task[None]], within: float | None) -> None:
    """Wait for these; those that are not done by then are called back."""
    if not tasks:
        return
    _, unfinished = await asyncio.wait(tasks, timeout=within)
    for each in unfinished:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
