"""A house to measure: a database in a temporary folder, the cast in it, and the product's own server on it."""

import asyncio
import contextlib
import json
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from joserfc.jwk import KeySet

from bench.flows import BindAndLogIn, CodeFlow
from bench.server import UNHELD, Server, serving
from control.seed import seed_cast
from control.settings import Settings
from tenants.api_keys import SCOPES, ApiKey
from tenants.people import Membership
from tenants.schema import migrate
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import ORIGIN, Cast, house_work, read_cast
from tests.postgres import Cluster, reserved_port

BINDERS = (("Ada", "Clinic", "301"), ("Olaf", "Bakery", "201"), ("Opal", "Bakery", "202"), ("Pia", "Dairy", "101"))
"""Who binds to whom: one connection each, since a person has one binding at a time."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where the rows are. `pid` is the database server's, None where there is none."""

    url: str
    folder: Path
    pid: int | None


@contextlib.contextmanager
def database(kind: str) -> Iterator[Database]:
    """An empty one, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as name:
        folder = Path(name)
        if kind == "sqlite":
            yield Database(f"sqlite:///{folder / 'understudy.db'}", folder, None)
            return
        with Cluster() as cluster:
            yield durable(cluster, "bench", folder)


def durable(cluster: Cluster, name: str, folder: Path) -> Database:
    """A new database of a cluster, whose commits wait for the log to be written."""
    cluster.create_database(name)
    cluster.run(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    return Database(cluster.url(name), folder, int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0]))


@dataclass(frozen=True, slots=True)
class House:
    """A seeded house, and where its server listens."""

    database: Database
    cast: Cast
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """What the server is told."""
        return {
            "UNDERSTUDY_DATABASE_URL": self.database.url,
            "UNDERSTUDY_DATA_DIR": str(self.database.folder),
            "UNDERSTUDY_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            **UNHELD,
        }

    @contextlib.contextmanager
    def served(self) -> Iterator[Server]:
        """The product's own server."""
        words = [str(Path(sys.executable).with_name("understudy")), "serve", "--port", str(self.port)]
        with serving(words, self.environment, self.database.folder, self.port, "/readyz") as server:
            yield server

    async def flow(self, name: str, bound_to: tuple[str, str] | None = None) -> CodeFlow:
        """Somebody's logins to the softphone with a sign-in of theirs, as the person they are bound to if any."""
        identity, now = self.cast.identity(name), datetime.now(UTC)
        async with opened(self.database.url) as store, house_work(store, now) as session:
            _, secret = await SignIn.start(session, identity, ORIGIN, "bench", now)
        subject, actor = identity.membership_id, None
        if bound_to is not None:
            subject, actor = self.cast.extension(*bound_to).membership_id or 0, str(subject)
        return CodeFlow(
            "softphone",
            self.cast.secrets["softphone"],
            "http://softphone.localhost:8001/callback",
            "openid profile email",
            f"{Settings.load(self.environment).cookie('sign-in')}={secret}",
            str(subject),
            actor,
        )

    async def binder(self, name: str, tenant: str, number: str) -> BindAndLogIn:
        """Somebody with an API key, who binds to an extension."""
        identity, now = self.cast.identity(name), datetime.now(UTC)
        async with opened(self.database.url) as store, house_work(store, now) as session:
            membership = await session.get_one(Membership, identity.membership_id)
            _, key = await ApiKey.make(session, membership, "bench", list(SCOPES), 1, now)
        flow = await self.flow(name, (tenant, number))
        return BindAndLogIn(key, identity.user_id, self.cast.extension(tenant, number).id, flow)


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """The store, closed at the end."""
    store = Store(url)
    try:
        yield store
    finally:
        await store.close()


@contextlib.contextmanager
def seeded(at: Database) -> Iterator[House]:
    """The cast in a new database, and a port for its server."""
    with reserved_port() as port:
        yield House(at, asyncio.run(_seed(at.url)), port)


async def _seed(url: str) -> Cast:
    async with opened(url) as store:
        await migrate(store.writer)
        return await read_cast(store, await seed_cast(store, datetime.now(UTC)))


def published_keys(port: int, path: str = "/oauth/jwks") -> KeySet:
    """What identity tokens are verified with."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return KeySet.import_key_set(json.load(answer))
