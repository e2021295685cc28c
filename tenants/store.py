"""The database: how it is opened, who writes, and the session that carries reach, actor and time."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from tenants import sqlite
from tenants.actor import Actor
from tenants.fence import FencedSession
from tenants.reach import Reach

WRITER_WAIT = 10.0
"""Seconds a request waits for the one writer or a pooled connection before it is told to come back."""


def async_url(url: str) -> URL:
    """The address with the driver this house uses: asyncpg or aiosqlite."""
    parsed = make_url(url)
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+asyncpg")
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    raise ValueError("Understudy runs on SQLite or PostgreSQL.")


class _Work(AbstractAsyncContextManager[AsyncSession]):
    """The session and its one transaction.

    No generator: where a request ends before its handler was reached, Python finishes the generator that holds this
    one, and of two within each other neither could be closed.
    """

    def __init__(self, session: AsyncSession) -> None:
        self.session, self.begun = session, session.begin()

    async def __aenter__(self) -> AsyncSession:
        await self.begun.__aenter__()
        return self.session

    async def __aexit__(self, *error: Any) -> None:
        async with self.session:
            await self.begun.__aexit__(*error)


class Store:
    """One database. `work()` opens a fenced session in a transaction; `hot` reads run without one."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = async_url(url)
        self.embedded = self.url.get_backend_name() == "sqlite"
        if self.embedded:
            # One writer, waited for in order: sixteen that wait on SQLite's own lock starve each other.
            self.writer = _sqlite_engine(self.url, "BEGIN IMMEDIATE", pool_size=1)
            self.reader = _sqlite_engine(self.url, "BEGIN", pool_size=pool_size)
            self.hot = self.reader
        else:
            self.writer = create_async_engine(
                self.url,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_timeout=WRITER_WAIT,
                pool_pre_ping=True,
            )
            self.reader = self.writer
            self.hot = self.writer.execution_options(isolation_level="AUTOCOMMIT")

    def work(
        self, actor: Actor, reach: Reach, now: datetime, *, writes: bool = True
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back on any exception."""
        return _Work(
            AsyncSession(
                self.writer if writes else self.reader,
                sync_session_class=FencedSession,
                expire_on_commit=False,
                autoflush=writes,
                info={"actor": actor, "reach": reach, "now": now},
            )
        )

    async def close(self) -> None:
        """Give every connection back."""
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()


def _sqlite_engine(url: URL, begin: str, *, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=WRITER_WAIT,
        connect_args={"async_creator_fn": sqlite.connect},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # The driver's own transactions are switched off: it would begin too late for a consistent read.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",
            "busy_timeout=5000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
