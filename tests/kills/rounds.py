"""The loop: everybody works, the panel is killed, it comes back on the same data, and so on."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tenants.api_keys import SCOPES, ApiKey
from tenants.people import Membership
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import ORIGIN, Cast, house_work
from tests.kills.acks import Ledger
from tests.kills.server import PATIENCE, Panel
from tests.kills.verdict import judge
from tests.kills.worker import Target, Worker
from tests.postgres import reserved_port

CREW = {
    "Ada": (("Bakery", "201"), ("Clinic", "301"), ("Dairy", "101")),
    "Olaf": (("Bakery", "201"), ("Bakery", "202"), ("Clinic", "301")),
    "Opal": (("Bakery", "202"), ("Clinic", "301")),
    "Pia": (("Dairy", "101"),),
}
"""Who works, and whom they bind to: people who hold both products."""
MOST_HEARD = 40
"""Acknowledgements in a round until the kill, at most."""
LONGEST = 0.05
"""Seconds that it waits after the last of them, at most: any moment of a request, on a quick machine and a slow one."""


@dataclass
class Figures:
    """What came of it. `acks` counts what was acknowledged, by its kind."""

    rounds: int
    seconds: float
    acks: Counter[str]
    cut_off: int
    misses: list[str]

    def __str__(self) -> str:
        """One line."""
        acks = ", ".join(f"{count} {name}" for name, count in sorted(self.acks.items()))
        return (
            f"{self.rounds} kills in {self.seconds:.0f} s; {sum(self.acks.values())} acknowledged ({acks}); "
            f"{self.cut_off} requests cut off; {len(self.misses)} missing or in disagreement"
        )


async def kill_again_and_again(
    database: str, folder: Path, cast: Cast, rounds: int, seed: int, tell: Callable[[int], object] = lambda _: None
) -> Figures:
    """Run the rounds on a seeded database; `tell` hears of each that is over."""
    chance = random.Random(seed)
    begun = time.monotonic()
    with reserved_port() as port:
        panel = Panel(database, folder, port)
        ledger = Ledger()
        workers = await crew(panel, cast, chance, ledger)
        for number in range(1, rounds + 1):
            await one_round(panel, workers, ledger, chance.randrange(MOST_HEARD), chance.uniform(0, LONGEST))
            tell(number)
        rest(panel)
    store, now = Store(database), datetime.now(UTC)
    try:
        async with house_work(store, now) as session:
            misses = await judge(session, ledger.acks)
    finally:
        await store.close()
    counts = Counter(type(ack).__name__ for ack in ledger.acks)
    return Figures(rounds, time.monotonic() - begun, counts, sum(worker.cut_off for worker in workers), misses)


async def crew(panel: Panel, cast: Cast, chance: random.Random, ledger: Ledger) -> list[Worker]:
    """Everybody with a key and a sign-in, made by the product's own verbs."""
    store, now = Store(panel.database), datetime.now(UTC)
    workers = []
    try:
        for name, places in CREW.items():
            identity = cast.identity(name)
            async with house_work(store, now) as session:
                membership = await session.get_one(Membership, identity.membership_id)
                _, key = await ApiKey.make(session, membership, "kills", list(SCOPES), 1, now)
            async with house_work(store, now) as session:
                _, cookie = await SignIn.start(session, identity, ORIGIN, "kills", now)
            lines = [cast.extension(*place) for place in places]
            targets = [Target(line.id, line.membership_id or 0) for line in lines]
            workers.append(
                Worker(
                    identity.user_id,
                    identity.membership_id,
                    targets,
                    key,
                    {panel.settings.cookie("sign-in"): cookie},
                    cast.secrets,
                    random.Random(chance.random()),
                    ledger,
                )
            )
    finally:
        await store.close()
    return workers


async def one_round(panel: Panel, workers: list[Worker], ledger: Ledger, count: int, pause: float) -> None:
    """Start, work until so much is acknowledged, and kill -9 in the middle. Raises what surprised a worker."""
    process = panel.start()
    work = asyncio.gather(*(worker.work(panel.address) for worker in workers))
    heard = asyncio.ensure_future(ledger.hear(count))
    either: set[asyncio.Future[Any]] = {work, heard}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(pause)
    finally:
        heard.cancel()
        process.kill()
        process.join(PATIENCE)
    await work


def rest(panel: Panel) -> None:
    """Back once more after the last kill, and then ended as asked: whatever was cut off is settled now."""
    process = panel.start()
    process.terminate()
    process.join(PATIENCE)
