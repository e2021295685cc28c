"""Reaping: a task of each serving process that writes down what has ended by itself, twice a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bindings.reaping import MOST, anything, ask_again, reap
from bindings.unfit_logins import sweep
from control.beside import beside
from control.house import House
from tenants.actor import Actor
from tenants.reach import Reach

EVERY = 0.5
"""Seconds between two looks."""
GUARD_EVERY = 20
"""Looks between two questions to the guard."""

log = structlog.get_logger()


@asynccontextmanager
async def reaping(house: House, every: float = EVERY) -> AsyncIterator[None]:
    """Look while the house is open."""
    async with beside(_now_and_then(house, every)):
        yield


async def look(house: House, *, guard: bool = False, after: int = 0) -> int:
    """One look, in a transaction of the house's own; where the next question to the guard goes on.

    It is first asked without a lock whether there is anything to do: mostly there is not.
    """
    now = house.clock()
    async with house.store.hot.connect() as connection:
        if not await anything(connection, now, guard=guard):
            return after
    ended, unfit = MOST, True
    while ended == MOST or unfit:
        # A few in each transaction: the first ones' apps are told while the others are being ended.
        async with house.store.work(Actor.house("reaper"), Reach.everywhere("reaper"), now) as session:
            ended = await reap(session, now)
        async with house.store.work(Actor.house("reaper"), Reach.everywhere("reaper"), now) as session:
            unfit = await sweep(session, now)
    if not guard:
        return after
    async with house.store.work(Actor.house("reaper"), Reach.everywhere("reaper"), now) as session:
        return await ask_again(session, now, after)


async def _now_and_then(house: House, every: float) -> None:
    looks, after = 0, 0
    while True:
        try:
            after = await look(house, guard=looks % GUARD_EVERY == 0, after=after)
        except Exception:
            log.exception("reaper")
        looks += 1
        await asyncio.sleep(every)
