"""`bin/test kills`: kill -9 in the middle of binding and logging in, on both databases.

Nothing that was acknowledged may be missing afterwards, and every row has to fold from its entries.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.conftest import BACKENDS, seeded, tell
from tests.kills.rounds import Figures, kill_again_and_again
from tests.postgres import Cluster


async def on_sqlite(rounds: int, seed: int, folder: Path) -> Figures:
    database = f"sqlite:///{folder / 'understudy.db'}"
    return await kill_again_and_again(database, folder, await seeded(database), rounds, seed, progress("sqlite"))


async def on_postgresql(rounds: int, seed: int, folder: Path) -> Figures:
    with Cluster() as cluster:
        cluster.create_database("kills")
        # What is acknowledged is on its way to the disk, as on a server that matters.
        await tell(cluster, "ALTER DATABASE kills SET synchronous_commit = on")
        database = cluster.url("kills")
        cast = await seeded(database)
        return await kill_again_and_again(database, folder, cast, rounds, seed, progress("postgresql"))


SHOWN = 50
"""Misses that are told one by one."""
ON = {"sqlite": on_sqlite, "postgresql": on_postgresql}


def progress(backend: str) -> Callable[[int], None]:
    """Says now and then how far it is."""

    def say(number: int) -> None:
        if number % 20 == 0:
            sys.stderr.write(f"{backend}: {number} kills\n")

    return say


def main() -> int:
    """Exit code: 0 when nothing is missing, 1 otherwise."""
    words = argparse.ArgumentParser(prog="bin/test kills", allow_abbrev=False)
    words.add_argument("--rounds", type=int, default=200, help="kills on each database (200)")
    words.add_argument("--seed", type=int, default=1, help="of the moments and the stories (1)")
    words.add_argument("--database", choices=BACKENDS, action="append", help="one of them alone")
    given = words.parse_args()
    missing = 0
    for backend in given.database or BACKENDS:
        with tempfile.TemporaryDirectory(prefix="understudy-kills-") as folder:
            figures = asyncio.run(ON[backend](given.rounds, given.seed, Path(folder)))
        lines = [f"{backend}, seed {given.seed}: {figures}", *(f"  {miss}" for miss in figures.misses[:SHOWN])]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        missing += len(figures.misses)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
