"""The API as programs meet it: `(await api.as_("Olaf")).get("/tenants")`."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from typing import cast as cast_type

import httpx
import pytest
from litestar import Litestar
from litestar.handlers.http_handlers import HTTPRouteHandler

from control.house import House
from control.settings import Settings
from tenants.api_keys import SCOPES, ApiKey
from tenants.people import find_membership
from tenants.store import Store
from tests.cast import Cast, Clock, work_as
from tests.one_app import app_for, made

API = "/api/v1"


@dataclass
class Program:
    """A program with somebody's key, or with none."""

    client: httpx.AsyncClient
    secret: str | None = None

    async def send(
        self, method: str, path: str, body: Any = None, *, once: str | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """One request. `once` is its Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        if once is not None:
            headers["Idempotency-Key"] = once
        return await self.client.request(
            method, path if path.startswith("/api") else API + path, json=body, content=content, headers=headers
        )

    async def get(self, path: str) -> httpx.Response:
        return await self.send("GET", path)

    async def post(self, path: str, body: Any = None, *, once: str | None = None) -> httpx.Response:
        return await self.send("POST", path, body, once=once)

    async def patch(self, path: str, body: Any = None, *, once: str | None = None) -> httpx.Response:
        return await self.send("PATCH", path, body, once=once)

    async def delete(self, path: str, *, once: str | None = None) -> httpx.Response:
        return await self.send("DELETE", path, once=once)


@dataclass
class Api:
    """The panel's API over one house, and keys for whoever a story needs."""

    app: Litestar
    client: httpx.AsyncClient
    store: Store
    cast: Cast
    clock: Clock
    programs: dict[tuple[str, str | None, tuple[str, ...]], Program] = field(default_factory=dict)

    async def as_(self, name: str, *, at: str | None = None, scopes: tuple[str, ...] = SCOPES) -> Program:
        """A program that acts as somebody of the cast."""
        if (name, at, scopes) not in self.programs:
            actor = self.cast.actor(name, at=at)
            async with work_as(self.store, actor, self.clock.now) as session:
                membership = await find_membership(session, actor.standing.membership_id)
                _, secret = await ApiKey.make(session, membership, "story", list(scopes), 90, self.clock.now)
            self.programs[name, at, scopes] = Program(self.client, secret)
        return self.programs[name, at, scopes]

    @property
    def stranger(self) -> Program:
        """A program without a key."""
        return Program(self.client)


def doors(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Method and address of every door of the API."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                if route.path.startswith("/api/v1") and "may" in handler.opt:
                    yield method, route.path_format, handler


@pytest.fixture(scope="session")
def one_app() -> Litestar:
    """The app, built once: each test gives it a house of its own."""
    return made("http://localhost:8000")


@pytest.fixture
async def api(
    one_app: Litestar, store: Store, database: str, cast: Cast, clock: Clock, tmp_path: Path
) -> AsyncIterator[Api]:
    settings = Settings.load({"UNDERSTUDY_DATABASE_URL": database, "UNDERSTUDY_DATA_DIR": str(tmp_path / "data")})
    app_for(House(settings, store, lambda: clock.now))
    transport = httpx.ASGITransport(cast_type(Any, one_app), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield Api(one_app, client, store, cast, clock)
