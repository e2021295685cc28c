"""SQLite is visited once for each statement, and says what it has to say."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tenants import sqlite

MANY = 3_000
NUMBERS = sa.text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most) SELECT i FROM n")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    address = f"sqlite+aiosqlite:///{tmp_path}/some.db"
    engine = create_async_engine(address, connect_args={"async_creator_fn": sqlite.connect})
    yield engine
    await engine.dispose()


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE keys (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
        yield connection


async def test_a_statement_and_all_its_rows_are_one_visit(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits, visit = [], sqlite.Connection.visit

    async def counted(self: sqlite.Connection, run: Any) -> Any:
        visits.append(run)
        return await visit(self, run)

    monkeypatch.setattr(sqlite.Connection, "visit", counted)
    found = (await connection.execute(NUMBERS, {"most": MANY})).scalars().all()
    assert (len(visits), found) == (1, list(range(1, MANY + 1)))


async def test_it_tells_how_many_rows_were_written_and_which_the_last_one_was(connection: AsyncConnection) -> None:
    many = [{"name": f"key {number}"} for number in range(5)]
    assert (await connection.execute(sa.text("INSERT INTO keys (name) VALUES (:name)"), many)).rowcount == 5
    one = await connection.execute(sa.text("INSERT INTO keys (name) VALUES ('last')"))
    assert (one.rowcount, one.lastrowid) == (1, 6)
    changed = await connection.execute(sa.text("UPDATE keys SET name = name || '!' WHERE id > 3 RETURNING id"))
    assert sorted(changed.scalars()) == [4, 5, 6]
    assert (await connection.execute(sa.text("DELETE FROM keys"))).rowcount == 6


async def test_what_the_database_refuses_is_raised_and_the_connection_goes_on(connection: AsyncConnection) -> None:
    again = sa.text("INSERT INTO keys (name) VALUES ('same')")
    await connection.execute(again)
    with pytest.raises(IntegrityError):
        await connection.execute(again)
    assert await connection.scalar(sa.text("SELECT count(*) FROM keys")) == 1


async def test_two_connections_do_not_wait_for_each_other(engine: AsyncEngine) -> None:
    async def count() -> int:
        async with engine.connect() as connection:
            return len((await connection.execute(NUMBERS, {"most": MANY})).all())

    assert await asyncio.gather(count(), count(), count()) == [MANY] * 3


async def test_a_connection_that_is_never_closed_does_not_keep_the_process(connection: AsyncConnection) -> None:
    """Python waits for threads at its end, unless they are daemons."""
    threads = [each for each in threading.enumerate() if each.name.endswith("(_connection_worker_thread)")]
    assert threads
    assert all(each.daemon for each in threads)
