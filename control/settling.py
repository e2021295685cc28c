"""Settling: a task of each serving process that lets what has waited long enough take effect, now and then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from control.house import House
from control.writing.addresses import settle_changes

EVERY = 60.0
"""Seconds between two looks. Who signs in meanwhile is not kept waiting: the sign-in looks as well."""

log = structlog.get_logger()


@asynccontextmanager
async def settling(house: House, every: float = EVERY) -> AsyncIterator[None]:
    """Look while the house is open."""
    task = asyncio.create_task(_now_and_then(house, every))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _now_and_then(house: House, every: float) -> None:
    while True:
        try:
            await settle_changes(house, house.clock())
        except Exception:
            log.exception("changes of address")
        await asyncio.sleep(every)
