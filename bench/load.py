"""A small load generator: HTTP/1.1 over kept connections, each answer handed to its checks."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass


class BadAnswer(AssertionError):
    """An answer was not the one that there has to be: the run is void."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower case; of a repeated one the last counts."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One kept connection to a port of this machine."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.host = f"127.0.0.1:{port}"
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect."""
        return cls(port, *await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Answer:
        """Send a request and read the whole answer."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.host}",
            *(f"{key}: {said}" for key, said in headers.items()),
        ]
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        said = {key.lower(): text.strip() for key, _, text in (line.partition(":") for line in head[1:] if line)}
        status = int(head[0].split(" ", 2)[1])
        if "content-length" not in said and status != 204:
            raise BadAnswer(f"{method} {path}: an answer without a length")
        return Answer(status, said, await self.reader.readexactly(int(said.get("content-length", 0))))

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


Operation = Callable[[Connection], Awaitable[None]]
"""What is measured: one or several requests with their checks. Raises BadAnswer."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a run; times in milliseconds. `cpu` is per operation: the server's, then its database's."""

    per_second: float
    p50: float
    p99: float
    cpu: float
    database_cpu: float

    @classmethod
    def of(cls, taken: Sequence[float], elapsed: float, cpu: float, database_cpu: float) -> "Figures":
        """From what each operation took, and the CPU seconds of all. Raises BadAnswer when there were too few."""
        if len(taken) < 2:
            raise BadAnswer("fewer than two operations were done: give it more seconds")
        cuts = statistics.quantiles(taken, n=100)
        each = 1000 / len(taken)
        return cls(len(taken) / elapsed, cuts[49] * 1000, cuts[98] * 1000, cpu * each, database_cpu * each)


def median(runs: Sequence[Figures]) -> Figures:
    """The middle of each figure."""
    return Figures(*(statistics.median(getattr(run, name) for run in runs) for name in Figures.__slots__))


async def work(port: int, lanes: Sequence[Operation], seconds: float, most: int) -> tuple[list[float], float]:
    """Run each lane over a connection of its own for so long, `most` operations in all; what each took, and all."""
    taken: list[float] = []
    connections = [await Connection.open(port) for _ in lanes]
    begun = time.perf_counter()

    async def go_on(operation: Operation, connection: Connection) -> None:
        while len(taken) < most and time.perf_counter() < begun + seconds:
            start = time.perf_counter()
            await operation(connection)
            taken.append(time.perf_counter() - start)

    try:
        await asyncio.gather(*(go_on(lane, connection) for lane, connection in zip(lanes, connections, strict=True)))
    finally:
        for connection in connections:
            connection.close()
    return taken, time.perf_counter() - begun
