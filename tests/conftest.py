"""What every story needs: a seeded house on SQLite and on PostgreSQL, its cast, and a clock that stands still."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa
import structlog

from control.seed import seed_cast
from tenants.schema import migrate
from tenants.store import Store
from tests.cast import NOW, SEEDED, Cast, Clock, read_cast
from tests.postgres import Cluster, quick_place

BACKENDS = ("sqlite", "postgresql")
ON_BOTH = pytest.mark.parametrize("backend", BACKENDS, indirect=True)
"""For a story that is told on one of them by default, and differs."""

_opened: dict[str, Store] = {}

# A fault that is logged is told in plain lines: with every local variable of every frame it takes seconds to draw.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@dataclass(frozen=True)
class Template:
    """A migrated and seeded house, made once and copied for each test."""

    name: str
    cast: Cast


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The PostgreSQL of the tests: started when the first test asks for it, gone with the last."""
    with Cluster() as cluster:
        yield cluster


async def seeded(url: str) -> Cast:
    """Makes the tables at `url` and seeds the cast."""
    store = Store(url)
    try:
        await migrate(store.writer)
        return await read_cast(store, await seed_cast(store, SEEDED))
    finally:
        if store.embedded:
            # Everything into the one file that is copied.
            async with store.writer.connect() as connection:
                await connection.execute(sa.text("COMMIT"))
                await connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
                await connection.execute(sa.text("BEGIN"))
        await store.close()


@pytest.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    file = tmp_path_factory.mktemp("template") / "understudy.db"
    return Template(str(file), await seeded(f"sqlite:///{file}"))


@pytest.fixture(scope="session")
async def postgresql_template(cluster: Cluster) -> Template:
    cluster.create_database("template_cast")
    return Template("template_cast", await seeded(cluster.url("template_cast")))


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on: each test that asks runs twice."""
    return str(request.param)


@pytest.fixture
def template(request: pytest.FixtureRequest, backend: str) -> Template:
    found: Template = request.getfixturevalue(f"{backend}_template")
    return found


@pytest.fixture(scope="session")
def stage() -> Iterator[Path]:
    """Where the houses of stories stand on SQLite, one after the other."""
    with tempfile.TemporaryDirectory(prefix="understudy-stories-", dir=quick_place()) as folder:
        yield Path(folder)


def set_up(stage: Path, template: Template) -> Path:
    """A fresh copy of the seeded house, where the one before stood."""
    for left in stage.glob("understudy.db*"):
        left.unlink()
    return Path(shutil.copyfile(template.name, stage / "understudy.db"))


@pytest.fixture(scope="session")
async def postgresql_administrator(cluster: Cluster) -> AsyncIterator[asyncpg.Connection]:
    """One line to the cluster for all that is made and taken away there."""
    administrator = await asyncpg.connect(cluster.url())
    yield administrator
    await administrator.close()


@pytest.fixture
def administrator(request: pytest.FixtureRequest, backend: str) -> asyncpg.Connection | None:
    return None if backend == "sqlite" else request.getfixturevalue("postgresql_administrator")


@pytest.fixture
async def database(
    request: pytest.FixtureRequest, administrator: asyncpg.Connection | None, template: Template, stage: Path
) -> AsyncIterator[str]:
    """The address of a house of the test's own, with the cast in it. It stands where the one before stood."""
    if administrator is None:
        yield f"sqlite:///{set_up(stage, template)}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = "story"
    # Copied file by file: writing the copy to the log first costs twice as much, and this cluster keeps nothing.
    await administrator.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template.name}" STRATEGY file_copy')
    yield cluster.url(name)
    await administrator.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def tell(cluster: Cluster, statement: str) -> None:
    connection = await asyncpg.connect(cluster.url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """The house as the product opens it. What the engine has compiled is kept for the next story there."""
    store = _opened.setdefault(database, Store(database))
    yield store
    await store.close()


@pytest.fixture
def cast(template: Template) -> Cast:
    """Who is who: `cast.identity("Olaf")`, `cast.tenant("Zoo").id`, `cast.extension("Bakery", "201").id`."""
    return template.cast


@pytest.fixture
def now() -> datetime:
    """When the story plays."""
    return NOW


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until the story lets time pass."""
    return Clock()
