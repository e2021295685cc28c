"""SQLite as the event loop speaks to it: one visit to the connection's thread for a statement and all its rows.

aiosqlite makes four (a cursor, the statement, its rows, the end of the cursor), and each takes longer than what most
statements do there.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import aiosqlite


class Connection(aiosqlite.Connection):
    """A connection whose cursors do everything at once."""

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """A cursor, of which the thread hears with its statement."""
        return Cursor(self)

    async def visit(self, run: Callable[[sqlite3.Connection], Any]) -> Any:
        """Do something in the thread; what the database raises is raised here."""
        in_thread: Callable[..., Awaitable[Any]] = self._execute
        return await in_thread(run, self._conn)


class Cursor:
    """What SQLAlchemy asks of a cursor that has run its statement."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.rows: list[Any] = []

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, statement: str, values: Any = ()) -> None:
        """One statement and its rows."""
        await self._run(lambda cursor: cursor.execute(statement, values))

    async def executemany(self, statement: str, values: Iterable[Any]) -> None:
        """One statement for many rows."""
        await self._run(lambda cursor: cursor.executemany(statement, values))

    async def _run(self, statement: Callable[[sqlite3.Cursor], Any]) -> None:
        def visit(connection: sqlite3.Connection) -> None:
            cursor = connection.cursor()
            try:
                statement(cursor)
                self.rows = cursor.fetchall() if cursor.description else []
                self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        await self.connection.visit(visit)

    async def fetchall(self) -> list[Any]:
        """The rows, once."""
        rows, self.rows = self.rows, []
        return rows

    async def close(self) -> None:
        """Nothing is open."""


def connect(database: str, **settings: Any) -> Connection:
    """A connection to a file, to be awaited. One that is never closed does not keep the process."""
    connection = Connection(lambda: sqlite3.connect(database, **settings), 64)
    connection._thread.daemon = True
    return connection
