"""W2 and W3 in turns with node-oidc-provider, on one PostgreSQL: `python -m bench.against_peer --rounds 5`."""

import argparse
import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.house import durable, seeded
from bench.load import Figures, median
from bench.peer.provider import Admin, install, served
from bench.processes import OTHER_CPUS
from bench.run import NAMES, show
from bench.server import Server
from bench.workloads import WORKLOADS, Workload, one_run
from tests.postgres import Cluster, reserved_port

Side = tuple[Server, Workload]
"""A server, and what is done to it."""


def main() -> None:
    """Install, start both, and measure in turns."""
    given = words()
    install(given.peer_folder)
    os.sched_setaffinity(0, OTHER_CPUS)
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"Understudy and node-oidc-provider (ES256, node {version}) in turns on one PostgreSQL")
    print(f"medians of {given.rounds} rounds of {given.seconds:g} s, {given.connections} connections")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="understudy-bench-")))
        cluster = stack.enter_context(Cluster())
        house = stack.enter_context(seeded(durable(cluster, "ours", folder)))
        peer_database = durable(cluster, "peer", folder)
        port = stack.enter_context(reserved_port())
        ours = stack.enter_context(house.served())
        peer = stack.enter_context(served(given.peer_folder, peer_database, port))
        theirs = Admin(port).workloads(given.connections)
        for name in ("w2", "w3"):
            workload = asyncio.run(WORKLOADS[name](house, given.connections))
            in_turns(name, peer_database.pid, [(ours, workload), (peer, theirs[name])], given)


def in_turns(name: str, database_pid: int | None, sides: Sequence[Side], given: argparse.Namespace) -> None:
    """A warm-up of each, then ours, theirs, ours, theirs; and how the medians compare."""
    for server, workload in sides:
        one_run(server, database_pid, workload, min(1, given.seconds))
    runs: tuple[list[Figures], list[Figures]] = ([], [])
    for _ in range(given.rounds):
        for kept, (server, workload) in zip(runs, sides, strict=True):
            kept.append(one_run(server, database_pid, workload, given.seconds))
    for whose, kept in zip(("ours", "peer"), runs, strict=True):
        show(name, f"{NAMES[name]}, {whose}", kept)
    ours, theirs = median(runs[0]), median(runs[1])
    print(
        f"  {name} ours/peer: CPU of the server {ours.cpu / theirs.cpu:.2f}, with the database's "
        f"{(ours.cpu + ours.database_cpu) / (theirs.cpu + theirs.database_cpu):.2f}, "
        f"operations a second {ours.per_second / theirs.per_second:.2f}"
    )


def words() -> argparse.Namespace:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m bench.against_peer", allow_abbrev=False)
    found.add_argument("--rounds", type=int, default=5, help="of each (5)")
    found.add_argument("--seconds", type=float, default=3, help="of each round (3)")
    found.add_argument("--connections", type=int, default=8, help="at once (8)")
    place = Path.home() / ".cache" / "understudy-bench" / "peer"
    found.add_argument("--peer-folder", type=Path, default=place, help=f"where the peer is installed ({place})")
    return found.parse_args()


if __name__ == "__main__":
    main()
