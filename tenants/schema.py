"""The schema: brought up to date by hand-written migrations, in one transaction, on both databases."""

from pathlib import Path as FilePath

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine

MIGRATIONS = FilePath(__file__).resolve().parent.parent / "migrations"
LOCK = 0x554E4453
"""The advisory lock that lets one process migrate at a time ("UNDS")."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to the newest revision: all of it or nothing."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def current(engine: AsyncEngine) -> bool:
    """Whether the database is at the newest revision."""
    async with engine.connect() as connection:
        return await connection.run_sync(_is_current)


def _is_current(connection: sa.Connection) -> bool:
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == newest


async def grant(engine: AsyncEngine, role: str) -> None:
    """Let the role that serves read and write, and of entries only read and add: it cannot touch the triggers.

    PostgreSQL only; run with the owner's connection after `migrate`.
    """
    async with engine.begin() as connection:
        quoted = connection.dialect.identifier_preparer.quote_identifier(role)
        for statement in (
            f"GRANT USAGE ON SCHEMA public TO {quoted}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
            f"REVOKE UPDATE, DELETE ON entries, leaves, checkpoints, trail_keys FROM {quoted}",
            f"REVOKE UPDATE ON pending_entries FROM {quoted}",
            f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}",
        ):
            await connection.execute(sa.text(statement))


async def owns_the_trail(engine: AsyncEngine) -> bool:
    """Whether the connected role could take the triggers away: owner of the entries, or superuser."""
    async with engine.connect() as connection:
        if connection.dialect.name != "postgresql":
            return True
        asked = sa.text(
            "SELECT pg_has_role(current_user, relowner, 'USAGE') OR "
            "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user) "
            "FROM pg_class WHERE oid = to_regclass('entries')"
        )
        return bool((await connection.execute(asked)).scalar_one_or_none())
