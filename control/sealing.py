"""Sealing: a task of each serving process that seals new entries, every second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from control import metrics
from control.beside import beside
from control.house import House
from tenants.sealed_trail import oldest_pending

EVERY = 1.0
"""Seconds between two looks."""

log = structlog.get_logger()


@asynccontextmanager
async def sealing(house: House, every: float = EVERY) -> AsyncIterator[None]:
    """Seal while the house is open."""
    async with beside(_every_second(house, every)):
        yield


async def look(house: House) -> int:
    """One look: how many entries were sealed. It is first asked without a lock whether any waits."""
    now = house.clock()
    async with house.store.hot.connect() as connection:
        oldest = await oldest_pending(connection)
    metrics.note_pending((now - oldest).total_seconds() if oldest is not None else 0)
    return await house.sealer.seal_all(now) if oldest is not None else 0


async def _every_second(house: House, every: float) -> None:
    while True:
        try:
            await look(house)
        except Exception:
            log.exception("sealer")
        await asyncio.sleep(every)
