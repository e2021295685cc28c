"""W1 to W3 and W5 against a started server."""

import asyncio
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.flows import CodeFlow, Introspection
from bench.house import BINDERS, House, published_keys
from bench.load import Connection, Figures, Operation, work
from bench.processes import cpu_seconds, resident_megabytes
from bench.server import Server

TOKENS = 50
"""Live tokens that introspection goes round."""
MOST = 20_000
"""Operations of one run, at most."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What the connections do, one lane each, and the check that follows when the clock has stopped."""

    lanes: Sequence[Operation]
    check: Callable[[], object] = lambda: None


def one_run(server: Server, database_pid: int | None, workload: Workload, seconds: float) -> Figures:
    """Load for so long, then the late checks. Raises BadAnswer: the run is void."""
    before = cpu_seconds(server.pid), cpu_seconds(database_pid)
    taken, elapsed = asyncio.run(work(server.port, workload.lanes, seconds, MOST))
    after = cpu_seconds(server.pid), cpu_seconds(database_pid)
    workload.check()
    return Figures.of(taken, elapsed, after[0] - before[0], after[1] - before[1])


async def bind_and_log_in(house: House, connections: int) -> Workload:
    """W1: bind over the API, then authorize and redeem as the other."""
    binders = [await house.binder(*who) for who in BINDERS[:connections]]
    return Workload(binders, lambda: [binder.flow.verify(published_keys(house.port)) for binder in binders])


async def log_in(house: House, connections: int) -> Workload:
    """W2: the code flow with an existing sign-in."""
    flow = await house.flow("Dan")
    return Workload([flow] * connections, lambda: flow.verify(published_keys(house.port)))


async def introspect(house: House, connections: int) -> Workload:
    """W3: introspection of live tokens of a binding."""
    binder = await house.binder("Olaf", "Bakery", "201")
    connection = await Connection.open(house.port)
    try:
        await binder.bind(connection)
        question = await tokens_of(binder.flow, connection, binder.flow.actor or "")
    finally:
        connection.close()
    binder.flow.verify(published_keys(house.port))
    return Workload([question] * connections)


async def tokens_of(flow: CodeFlow, connection: Connection, actor: str) -> Introspection:
    """Questions about fresh tokens of a flow."""
    tokens = [str((await flow.log_in(connection))["access_token"]) for _ in range(TOKENS)]
    return Introspection.of("/oauth/introspect", flow, tokens, actor)


WORKLOADS = {"w1": bind_and_log_in, "w2": log_in, "w3": introspect}


def cold_starts(house: House, rounds: int) -> tuple[float, float]:
    """W5: seconds from the start to the first 200 at /readyz, and idle resident megabytes; medians."""
    seen = []
    for _ in range(rounds):
        with house.served() as server:
            seen.append((server.start, resident_megabytes(server.pid)))
    return statistics.median(start for start, _ in seen), statistics.median(memory for _, memory in seen)
