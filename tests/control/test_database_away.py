"""The database goes away and comes back: a clear 503 with Retry-After, nothing changed, then as before."""

import asyncio
import contextlib
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from control.app import create_app
from control.settings import Settings
from tests.cast import Cast, Clock
from tests.control.pages.visit import PANEL, Panel
from tests.postgres import reserved_port


class Cable:
    """A line to the database that can be cut and mended, on loopback."""

    def __init__(self, host: str, port: int) -> None:
        self.there = (host, port)
        self.lines: set[asyncio.StreamWriter] = set()
        self.server: asyncio.Server | None = None

    async def mend(self, port: int) -> None:
        self.server = await asyncio.start_server(self.carry, "127.0.0.1", port)

    async def cut(self) -> None:
        assert self.server is not None
        self.server.close()
        for writer in self.lines:
            writer.transport.abort()
        await self.server.wait_closed()

    async def carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_in, far_out = await asyncio.open_connection(*self.there)
        self.lines |= {near_out, far_out}
        await asyncio.gather(pour(near_in, far_out), pour(far_in, near_out))


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while heard := await reader.read(65536):
            writer.write(heard)
            await writer.drain()
    writer.transport.abort()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_database_that_is_away_is_said_so_and_missed_only_while_it_is(
    database: str, cast: Cast, clock: Clock, tmp_path: Path
) -> None:
    asked = urlsplit(database)
    cable = Cable(str(asked.hostname), int(asked.port or 5432))
    with reserved_port() as port:
        await cable.mend(port)
        through = database.replace(f":{asked.port}/", f":{port}/")
        named = {
            "UNDERSTUDY_DATABASE_URL": through,
            "UNDERSTUDY_DATA_DIR": str(tmp_path / "data"),
            "UNDERSTUDY_PUBLIC_URL": PANEL,
        }
        app = create_app(Settings.load(named), clock=lambda: clock.now)
        panel = Panel(app, app.state.house.store, cast, clock)
        pia = await panel.visit("Pia", "/bindings")
        assert pia.shown.status_code == 200

        await cable.cut()
        for path in ("/bindings", "/users", "/oauth/jwks"):
            answer = await pia.open(path)
            assert (path, answer.status_code, answer.headers["retry-after"]) == (path, 503, "5")
            assert "Traceback" not in answer.text
        assert "cannot be reached" in (await pia.open("/users")).text
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PANEL) as program:
            ready = await program.get("/readyz")
            assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
            assert (await program.get("/healthz")).status_code == 200
            key = {"Authorization": "Bearer understudy_something"}
            problem = await program.get("/api/v1/me", headers=key)
            assert (problem.status_code, problem.headers["content-type"]) == (503, "application/problem+json")

        await cable.mend(port)
        assert (await pia.open("/bindings")).status_code == 200
        assert (await pia.open("/readyz")).status_code == 200
        await cable.cut()
        await app.state.house.store.close()
