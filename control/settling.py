"""Settling: tasks of each serving process that let what has waited long enough take effect, now and then."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from control.beside import beside
from control.house import House
from control.writing.addresses import settle_changes
from control.writing.loosenings import settle_loosenings
from control.writing.stand_ins import tell_accesses

EVERY = 60.0
"""Seconds between two looks. Who signs in meanwhile is not kept waiting: the sign-in looks as well."""
SOON = 5.0
"""Seconds between two looks for what people are to be told at once."""

Step = Callable[[House, datetime], Awaitable[None]]
STEPS: tuple[tuple[str, Step, float], ...] = (
    ("changes of address", settle_changes, EVERY),
    ("loosenings", settle_loosenings, EVERY),
    ("notices of access", tell_accesses, SOON),
)
"""What is looked at, and how often. Each looks first whether there is anything, without a transaction that writes."""

log = structlog.get_logger()


@asynccontextmanager
async def settling(house: House, every: float | None = None) -> AsyncIterator[None]:
    """Look while the house is open; as often as each step says, or all of them every so many seconds."""
    looks = [_now_and_then(house, what, step, pause if every is None else every) for what, step, pause in STEPS]
    async with beside(*looks):
        yield


async def _now_and_then(house: House, what: str, step: Step, pause: float) -> None:
    while True:
        try:
            await step(house, house.clock())
        except Exception:
            log.exception(what)
        await asyncio.sleep(pause)
