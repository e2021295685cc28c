"""A company's directory as it provisions: `(await scim.of("Elsa", "Zoo")).post("/Users", {...})`."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import cast as cast_type

import httpx
import pytest
from litestar import Litestar

from control.house import House
from control.settings import Settings
from tenants.api_keys import ApiKey
from tenants.people import find_membership
from tenants.store import Store
from tenants.tree import Tenant
from tests.cast import Cast, Clock, work_as
from tests.one_app import app_for, made

ROOT = "/scim/v2"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


@dataclass
class Directory:
    """A system with one company's key, or with none."""

    client: httpx.AsyncClient
    secret: str | None = None

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request; `if_match=…` becomes its header."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        sent |= {"Content-Type": "application/scim+json"} if body is not None else {}
        content = json.dumps(body) if body is not None else None
        return await self.client.request(method, ROOT + path, content=content, headers=sent)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.send("GET", path, **headers)

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self.send("POST", path, body)

    async def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.send("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **headers)

    async def invited(self, email: str, **more: Any) -> dict[str, Any]:
        """Somebody who has not joined yet."""
        body = {"schemas": [USER], "userName": email, "displayName": "New Person", **more}
        answer = await self.post("/Users", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


@dataclass
class Scim:
    """The service over one house."""

    app: Litestar
    client: httpx.AsyncClient
    store: Store
    cast: Cast
    clock: Clock

    async def of(self, admin: str, company: str | None = None) -> Directory:
        """A directory with the key that an admin made for a company, their own unless named."""
        actor = self.cast.actor(admin)
        async with work_as(self.store, actor, self.clock.now) as session:
            membership = await find_membership(session, actor.standing.membership_id)
            tenant_id = self.cast.tenant(company).id if company else membership.tenant_id
            tenant = await session.get_one(Tenant, tenant_id)
            _, secret = await ApiKey.provision(session, membership, tenant, "their directory", 90, self.clock.now)
        return Directory(self.client, secret)

    async def ordinary(self, admin: str) -> Directory:
        """A directory that comes with an ordinary key."""
        actor = self.cast.actor(admin)
        async with work_as(self.store, actor, self.clock.now) as session:
            membership = await find_membership(session, actor.standing.membership_id)
            scopes = ["read", "write", "stand_in"]
            _, secret = await ApiKey.make(session, membership, "ordinary", scopes, 90, self.clock.now)
        return Directory(self.client, secret)


@pytest.fixture(scope="session")
def scim_app() -> Litestar:
    """The app, built once: each test gives it a house of its own."""
    return made("http://localhost:8000")


@pytest.fixture
async def scim(
    scim_app: Litestar, store: Store, database: str, cast: Cast, clock: Clock, tmp_path: Path
) -> AsyncIterator[Scim]:
    settings = Settings.load({"UNDERSTUDY_DATABASE_URL": database, "UNDERSTUDY_DATA_DIR": str(tmp_path / "data")})
    app_for(House(settings, store, lambda: clock.now))
    transport = httpx.ASGITransport(cast_type(Any, scim_app), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield Scim(scim_app, client, store, cast, clock)
