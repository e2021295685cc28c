"""Streams: answers that go on for minutes. They are counted, and told when the process is asked to end."""

import asyncio
import contextlib
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

from tenants.refusals import TooMany

MOST = 200
"""Streams of one process,"""
MOST_OF_ONE = 8
"""and of one sign-in."""


class Streams:
    """The open streams of one process."""

    def __init__(self, *, every: float = 2.0, ticks: int = 150) -> None:
        self.every = every
        """Seconds between two looks at what a stream tells of."""
        self.ticks = ticks
        """Looks after which a stream ends by itself: five minutes. The browser asks again."""
        self._open: Counter[int] = Counter()
        self._leaving = asyncio.Event()

    def __len__(self) -> int:
        return self._open.total()

    @contextmanager
    def place(self, sign_in_id: int) -> Iterator[None]:
        """A place for one more. Raises TooMany."""
        self.require_room(sign_in_id)
        self._open[sign_in_id] += 1
        try:
            yield
        finally:
            self._open[sign_in_id] -= 1
            if not self._open[sign_in_id]:
                del self._open[sign_in_id]

    def require_room(self, sign_in_id: int) -> None:
        """Refuse where there is none: whoever asks looks now and then instead."""
        if len(self) >= MOST or self._open[sign_in_id] >= MOST_OF_ONE:
            raise TooMany("Too many pages are kept up to date already.", retry_after=30)

    async def looks(self) -> AsyncIterator[int]:
        """Wait until it is time for the next look, again and again; ends with the stream, or with the process."""
        for look in range(self.ticks):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), self.every)
            if self._leaving.is_set():
                return
            yield look

    def leave(self) -> None:
        """Let all streams end: a server waits for its answers before it goes."""
        self._leaving.set()


@asynccontextmanager
async def leaving_in_time(streams: Streams) -> AsyncIterator[None]:
    """End the streams when a signal asks the process to end, before whoever serves takes note of it.

    A server tells the house that it is over only when every answer is; nothing else would end a stream.
    """
    loop = asyncio.get_running_loop()
    before: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(streams.leave)
        before[number](number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = handler
                signal.signal(number, told)
    try:
        yield
    finally:
        streams.leave()
        for asked, handler in before.items():
            signal.signal(asked, handler)
