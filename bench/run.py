"""The workloads against the product: `python -m bench.run w2 w3 --database postgresql`."""

import argparse
import asyncio
import os
from collections.abc import Sequence

from bench.guard import measure_guard, plant
from bench.house import House, database, seeded
from bench.load import Figures, median
from bench.processes import OTHER_CPUS
from bench.workloads import WORKLOADS, cold_starts, one_run

NAMES = {
    "w1": "bind, log in, token",
    "w2": "log in with a sign-in",
    "w3": "introspect",
    "w4": "the guard",
    "w5": "cold start",
}


def main() -> None:
    """Run what was asked for."""
    given = words()
    os.sched_setaffinity(0, OTHER_CPUS)  # and the database with it, which starts below this process
    for kind in given.database or ("sqlite", "postgresql"):
        chosen = given.workloads or list(NAMES)
        print(f"{kind}: medians of {given.rounds} rounds of {given.seconds:g} s, {given.connections} connections")
        if set(chosen) - {"w4"}:
            with database(kind) as at, seeded(at) as house:
                over_http(house, chosen, given)
        if "w4" in chosen:
            of_guard(kind, given)


def words() -> argparse.Namespace:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m bench.run", allow_abbrev=False)
    found.add_argument("workloads", nargs="*", choices=[*NAMES, []], metavar="w1..w5", help="all of them unless named")
    found.add_argument("--database", choices=("sqlite", "postgresql"), action="append", help="one of them alone")
    found.add_argument("--rounds", type=int, default=5, help="of each workload (5)")
    found.add_argument("--seconds", type=float, default=3, help="of each round (3)")
    found.add_argument("--connections", type=int, default=8, help="at once (8); w1 uses 4 at most")
    found.add_argument("--tenants", default="1000,10000,100000", help="sizes of the trees of w4 (1000,10000,100000)")
    return found.parse_args()


def over_http(house: House, chosen: Sequence[str], given: argparse.Namespace) -> None:
    """W1 to W3 on one server, each after a warm-up; W5 with servers of its own."""
    if set(chosen) & set(WORKLOADS):
        with house.served() as server:
            for name in (name for name in WORKLOADS if name in chosen):
                workload = asyncio.run(WORKLOADS[name](house, given.connections))
                one_run(server, house.database.pid, workload, min(1, given.seconds))
                runs = [one_run(server, house.database.pid, workload, given.seconds) for _ in range(given.rounds)]
                show(name, NAMES[name], runs)
    if "w5" in chosen:
        seconds, memory = cold_starts(house, given.rounds)
        print(f"  w5 {NAMES['w5']:24} {seconds:8.2f} s to the first 200 at /readyz, {memory:.0f} MB resident when idle")


def of_guard(kind: str, given: argparse.Namespace) -> None:
    """W4: each size in a database of its own."""
    for tenants in (int(size) for size in given.tenants.split(",")):
        with database(kind) as at:
            asyncio.run(plant(at, tenants))
            show("w4", f"{NAMES['w4']}, {tenants} tenants", asyncio.run(measure_guard(at, given.rounds, given.seconds)))


def show(name: str, what: str, runs: Sequence[Figures]) -> None:
    """One line: medians, and the range of the CPU time."""
    middle = median(runs)
    spread = f"[{min(run.cpu for run in runs):.2f}..{max(run.cpu for run in runs):.2f}]"
    print(
        f"  {name} {what:24} {middle.per_second:8.1f}/s  p50 {middle.p50:6.2f} ms  p99 {middle.p99:6.2f} ms"
        f"  CPU each {middle.cpu:.2f} ms {spread}, database {middle.database_cpu:.2f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
