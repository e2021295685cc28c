"""Something of somebody else's that listens on this machine: it keeps what it is sent, and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Came:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """Its fields."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class Receiver:
    """Tests turn its knobs: what it answers, and whether it answers at all."""

    port: int = 0
    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bytes | None = None
    """All of the answer, where it is to be no honest one."""
    silent: bool = False
    came: list[Came] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/backchannel-logout"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.partition(": ") for line in head[1:] if line)
            headers = {name.lower(): value for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.keep(Came(head[0], headers, body))
            if self.silent:
                await reader.read()
                return
            writer.write(self.raw if self.raw is not None else self._answer())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def keep(self, came: Came) -> None:
        """A request came."""
        self.came.append(came)
        self.heard.set()

    def _answer(self) -> bytes:
        said = {"Content-Length": str(len(self.body)), "Connection": "close"} | self.headers
        lines = [f"HTTP/1.1 {self.status}", *(f"{name}: {value}" for name, value in said.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None, receiver: Receiver | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = receiver or Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
