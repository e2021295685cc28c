"""The database keeps the trail by itself: whoever gets past the house's own code meets these triggers.

Every attack is tried in SQL, on a connection of its own that knows nothing of sessions, and is taken back.
"""

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tenants.records import Record
from tenants.store import Store, async_url
from tests.cast import NOW, Cast
from tests.conftest import Template, tell
from tests.furnished import furnish
from tests.kinds import AUDITED
from tests.postgres import Cluster

SILENT = "a change needs its entry in the same transaction"
KEPT = "entries are never changed"
STAYS = "records are discarded, never deleted"
WRITTEN = "a version stays as it was written"

TABLES = [
    "api_keys",
    "app_consents",
    "apps",
    "bindings",
    "break_glasses",
    "consents",
    "email_changes",
    "extensions",
    "impersonations",
    "invitations",
    "licences",
    "loosenings",
    "memberships",
    "numbers",
    "passkeys",
    "phone_systems",
    "playbooks",
    "products",
    "recordings",
    "seat_limits",
    "service_accounts",
    "suspensions",
    "team_members",
    "teams",
    "tenants",
    "totps",
    "users",
    "webhooks",
]
"""Every audited table, written by hand: a new one has to be added here and meets every attack."""
SINGLE = sorted(
    set(TABLES) - {"suspensions", "teams", "bindings", "playbooks", "consents", "break_glasses", "webhooks"}
)
"""Those in which something besides the id is single, so that a replacing change could push a row out."""

SEALED = ("leaves", "checkpoints", "trail_keys")
"""What the seal is made of."""
WRITTEN_ONCE = ("entries", "playbook_versions", *SEALED)
"""Tables whose rows stay as they were written."""

EXPECTED = {
    "postgresql": {f"{table}_keep_{what}" for table in WRITTEN_ONCE for what in ("rows", "all")}
    | {f"{table}_{kind}" for table in TABLES for kind in ("made", "changed", "stay", "stay_all")}
    | {"entries_pending"},
    "sqlite": {f"{table}_keep_{what}" for table in WRITTEN_ONCE for what in ("update", "delete", "replace")}
    | {f"{table}_{kind}" for table in TABLES for kind in ("made", "changed", "stay", "stay_replaced")}
    | {f"{table}_stay_pushed" for table in SINGLE}
    | {"entries_pending", "entries_both_names"},
}

KEYS = {
    "tenants": ["path", "slug"],
    "users": ["email"],
    "memberships": ["user_id"],
    "team_members": ["membership_id"],
    "phone_systems": ["slug"],
    "extensions": ["number"],
    "products": ["slug"],
    "licences": ["product_id"],
    "app_consents": ["user_id"],
    "apps": ["client_id"],
    "invitations": ["token_hash", "email"],
    "api_keys": ["key_hash"],
    "impersonations": ["user_id"],
    "loosenings": ["tenant_id"],
    "email_changes": ["user_id"],
    "totps": ["user_id"],
    "passkeys": ["credential_id"],
    "seat_limits": ["product_id"],
    "service_accounts": ["client_id"],
    "numbers": ["e164"],
    "recordings": ["external_id"],
}
"""One column of each key by which a row is single: another value there, and the row is another one."""


@dataclass
class Attacker:
    """Somebody with a connection to the database and no manners."""

    connection: AsyncConnection
    backend: str

    async def run(self, statement: str, **values: Any) -> None:
        await self.connection.execute(sa.text(statement), values)

    async def victim(self, table: str) -> dict[str, Any]:
        """The newest row: one that is live and has a parent."""
        columns = Record.metadata.tables[table]
        rows = await self.connection.execute(sa.select(columns).order_by(columns.c.id.desc()).limit(1))
        return dict(rows.mappings().one())

    async def entry(self, table: str, number: int) -> int:
        """An honest entry about a row, by the transaction that is under way."""
        entry_id = (await self.connection.execute(sa.text("SELECT MAX(id) + 1 FROM entries"))).scalar_one()
        values = {
            "id": entry_id,
            "occurred_at": NOW,
            "verb": "refused",
            "actor_name": "system: a story",
            "via": "system",
            "record_type": table,
            "record_id": str(number),
            "changes": {},
            "details": {},
            "schema_version": 1,
            "leaf": b"{}",
        }
        await self.connection.execute(sa.insert(Record.metadata.tables["entries"]), values)
        return int(entry_id)

    async def another(self, table: str, **changed: Any) -> dict[str, Any]:
        """The victim's twin: the same row with another id, and the columns named changed."""
        row = await self.victim(table) | {"id": 10**6} | changed
        row["last_entry_id"] = changed.get("last_entry_id") or await self.entry(table, 10**6)
        return row

    async def insert(self, table: str, row: dict[str, Any], *, replacing: bool = False) -> None:
        statement = sa.insert(Record.metadata.tables[table]).values(row)
        await self.connection.execute(statement.prefix_with("OR REPLACE") if replacing else statement)


def fresh(row: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    """Other values in these columns, such as no row has."""
    return {column: "/fresh/" if isinstance(row[column], str) else -1 for column in columns}


@pytest.fixture(scope="module")
async def engines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, AsyncEngine]]:
    """An engine for each database with every kind of record in it, made when first asked for."""
    made: dict[str, AsyncEngine] = {}
    yield made
    for engine in made.values():
        await engine.dispose()


@pytest.fixture
async def attacker(
    request: pytest.FixtureRequest,
    backend: str,
    template: Template,
    engines: dict[str, AsyncEngine],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Attacker]:
    if backend not in engines:
        url = await furnished(request, backend, template, tmp_path_factory.mktemp("triggers"))
        # None of the product's own care: no foreign keys, no recursive triggers.
        engines[backend] = create_async_engine(async_url(url), poolclass=NullPool)
    async with engines[backend].connect() as connection:
        transaction = await connection.begin()
        yield Attacker(connection, backend)
        await transaction.rollback()


async def furnished(request: pytest.FixtureRequest, backend: str, template: Template, folder: Path) -> str:
    if backend == "sqlite":
        url = f"sqlite:///{folder / 'understudy.db'}"
        shutil.copyfile(template.name, folder / "understudy.db")
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        await tell(cluster, f'CREATE DATABASE "triggers" TEMPLATE "{template.name}"')
        url = cluster.url("triggers")
    store = Store(url)
    await furnish(store, template.cast)
    await store.close()
    return url


@contextlib.asynccontextmanager
async def refused(attacker: Attacker, words: str, table: str) -> AsyncIterator[None]:
    """The database must refuse what is tried here, with these words, and go on."""
    savepoint = await attacker.connection.begin_nested()
    with pytest.raises(sa.exc.DBAPIError) as error:
        yield
    await savepoint.rollback()
    said = str(error.value.orig)
    assert words in said
    if attacker.backend == "postgresql":
        assert f"({table})" in said


# The list


def test_every_audited_kind_is_in_the_list() -> None:
    assert sorted(kind.__tablename__ for kind in AUDITED) == TABLES


async def test_the_triggers_are_those_written_here(attacker: Attacker) -> None:
    catalogue = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    }[attacker.backend]
    found = set((await attacker.connection.execute(sa.text(catalogue))).scalars())
    assert found == EXPECTED[attacker.backend]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_no_trigger_sleeps_for_a_session_that_calls_itself_a_replica(attacker: Attacker) -> None:
    lazy = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'A'"
    assert list((await attacker.connection.execute(sa.text(lazy))).scalars()) == []
    await attacker.run("SET LOCAL session_replication_role = replica")
    async with refused(attacker, KEPT, "entries"):
        await attacker.run("UPDATE entries SET reason = 'mended'")


async def test_the_keys_written_here_are_those_of_the_tables(attacker: Attacker) -> None:
    """A new unique key could let a replacing INSERT push a row out: it has to be named above."""
    inspector = await attacker.connection.run_sync(lambda inner: UniqueKeys.read(inner))
    for table in TABLES:
        named = KEYS.get(table, [])
        for key in inspector.keys[table]:
            assert any(column in key for column in named), f"{table} is single by {key}"


@dataclass
class UniqueKeys:
    """By which columns, besides the id, each table's rows are single."""

    keys: dict[str, list[list[str]]]

    @classmethod
    def read(cls, connection: sa.Connection) -> "UniqueKeys":
        inspector = sa.inspect(connection)
        keys: dict[str, list[list[str]]] = {}
        for table in TABLES:
            found = [list(index["column_names"]) for index in inspector.get_indexes(table) if index["unique"]]
            found += [list(each["column_names"]) for each in inspector.get_unique_constraints(table)]
            keys[table] = [[str(column) for column in key] for key in found if "id" not in key]
        return cls(keys)


# Entries


async def test_an_entry_is_not_changed(attacker: Attacker) -> None:
    for column in ("reason", "actor_name", "changes", "leaf", "id"):
        async with refused(attacker, KEPT, "entries"):
            await attacker.run(f"UPDATE entries SET {column} = {column}")


async def test_an_entry_is_not_deleted(attacker: Attacker) -> None:
    async with refused(attacker, KEPT, "entries"):
        await attacker.run("DELETE FROM entries WHERE id = (SELECT MAX(id) FROM entries)")


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_entries_are_not_emptied(attacker: Attacker) -> None:
    async with refused(attacker, KEPT, "entries"):
        await attacker.run("TRUNCATE entries CASCADE")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_an_entry_is_not_replaced(attacker: Attacker) -> None:
    row = await attacker.victim("entries")
    async with refused(attacker, KEPT, "entries"):
        await attacker.insert("entries", row | {"reason": "mended"}, replacing=True)
    async with refused(attacker, KEPT, "entries"):
        await attacker.run("UPDATE OR REPLACE entries SET id = 1 WHERE id = 2")


async def test_an_entry_waits_to_be_sealed_however_it_was_written(attacker: Attacker) -> None:
    entry = await attacker.entry("users", 1)
    waits = sa.text("SELECT COUNT(*) FROM pending_entries WHERE id = :id")
    assert (await attacker.connection.execute(waits, {"id": entry})).scalar_one() == 1


# The seal


async def seal(attacker: Attacker) -> None:
    """A row in each of its tables."""
    await attacker.run("INSERT INTO leaves (id, number, hash) VALUES (1, 0, :hash)", hash=b"0")
    values = {"root": b"0", "now": NOW}
    await attacker.connection.execute(
        sa.text(
            "INSERT INTO checkpoints (id, size, root, frontier, note, created_at) VALUES (1, 1, :root, :root, '', :now)"
        ).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True))),
        values,
    )
    await attacker.connection.execute(
        sa.text(
            "INSERT INTO trail_keys (id, name, public, private_sealed, created_at) VALUES (1, '', :root, '', :now)"
        ).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True))),
        values,
    )


async def test_the_seal_is_neither_changed_nor_deleted(attacker: Attacker) -> None:
    await seal(attacker)
    for table in SEALED:
        for attack in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
            async with refused(attacker, KEPT, table):
                await attacker.run(attack)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_the_seal_is_not_emptied(attacker: Attacker) -> None:
    for table in SEALED:
        async with refused(attacker, KEPT, table):
            await attacker.run(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_the_seal_is_not_replaced(attacker: Attacker) -> None:
    await seal(attacker)
    for attack in (
        "INSERT OR REPLACE INTO leaves (id, number, hash) VALUES (1, 7, x'00')",
        "INSERT OR REPLACE INTO leaves (id, number, hash) VALUES (7, 0, x'00')",
        "INSERT OR REPLACE INTO checkpoints SELECT 7, size, root, frontier, note, created_at FROM checkpoints",
        "INSERT OR REPLACE INTO trail_keys SELECT * FROM trail_keys",
    ):
        async with refused(attacker, KEPT, "leaves"):
            await attacker.run(attack)


# Versions of playbooks


async def test_a_version_is_neither_changed_nor_deleted(attacker: Attacker) -> None:
    for attack in ("UPDATE playbook_versions SET body = 'mended'", "DELETE FROM playbook_versions"):
        async with refused(attacker, WRITTEN, "playbook_versions"):
            await attacker.run(attack)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_versions_are_not_emptied(attacker: Attacker) -> None:
    async with refused(attacker, WRITTEN, "playbook_versions"):
        await attacker.run("TRUNCATE playbook_versions CASCADE")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_version_is_not_replaced(attacker: Attacker) -> None:
    row = await attacker.victim("playbook_versions")
    async with refused(attacker, WRITTEN, "playbook_versions"):
        await attacker.insert("playbook_versions", row | {"body": "mended"}, replacing=True)
    async with refused(attacker, WRITTEN, "playbook_versions"):
        await attacker.insert("playbook_versions", row | {"id": row["id"] + 1, "body": "mended"}, replacing=True)


# Every audited table


def audited_columns(table: str) -> list[str]:
    kind = next(each for each in AUDITED if each.__tablename__ == table)
    derived = kind.derived
    return [column.name for column in kind.__table__.columns if column.name not in derived]


@pytest.mark.parametrize("table", TABLES)
async def test_no_column_changes_without_its_entry(attacker: Attacker, table: str) -> None:
    for column in audited_columns(table):
        async with refused(attacker, SILENT, table):
            await attacker.run(f"UPDATE {table} SET {column} = {column}")


@pytest.mark.parametrize("table", TABLES)
async def test_a_change_with_its_entry_passes(attacker: Attacker, table: str) -> None:
    row = await attacker.victim(table)
    entry = await attacker.entry(table, row["id"])
    await attacker.run(
        f"UPDATE {table} SET created_at = :now, last_entry_id = :entry WHERE id = :id"
        if "created_at" in row
        else f"UPDATE {table} SET last_entry_id = :entry WHERE id = :id",
        entry=entry,
        id=row["id"],
        **({"now": NOW} if "created_at" in row else {}),
    )


@pytest.mark.parametrize("table", TABLES)
async def test_what_follows_from_elsewhere_needs_no_entry(attacker: Attacker, table: str) -> None:
    kind = next(each for each in AUDITED if each.__tablename__ == table)
    for column in kind.derived:
        await attacker.run(f"UPDATE {table} SET {column} = {column}")


@pytest.mark.parametrize("table", TABLES)
async def test_an_entry_about_something_else_does_not_cover(attacker: Attacker, table: str) -> None:
    row = await attacker.victim(table)
    entries = [
        await attacker.entry(table, row["id"] + 1),
        await attacker.entry("tenants" if table != "tenants" else "users", row["id"]),
    ]
    for entry in entries:
        async with refused(attacker, SILENT, table):
            await attacker.run(f"UPDATE {table} SET last_entry_id = :entry WHERE id = :id", entry=entry, id=row["id"])


@pytest.mark.parametrize("table", TABLES)
async def test_an_entry_does_not_cover_twice(attacker: Attacker, table: str) -> None:
    """Within one transaction: the second change needs a second entry; nor is the first entry good again."""
    row = await attacker.victim(table)
    first, second = await attacker.entry(table, row["id"]), await attacker.entry(table, row["id"])
    change = f"UPDATE {table} SET last_entry_id = :entry WHERE id = :id"
    await attacker.run(change, entry=second, id=row["id"])
    async with refused(attacker, SILENT, table):
        await attacker.run(change, entry=second, id=row["id"])
    if attacker.backend == "sqlite":
        async with refused(attacker, SILENT, table):
            await attacker.run(change, entry=first, id=row["id"])


@pytest.mark.parametrize("table", TABLES)
async def test_nothing_is_made_without_its_entry(attacker: Attacker, table: str) -> None:
    row = await attacker.victim(table)
    twin = await attacker.another(table, last_entry_id=row["last_entry_id"], **fresh(row, KEYS.get(table, [])))
    async with refused(attacker, SILENT, table):
        await attacker.insert(table, twin)


@pytest.mark.parametrize("table", TABLES)
async def test_nothing_is_deleted(attacker: Attacker, table: str) -> None:
    async with refused(attacker, STAYS, table):
        await attacker.run(f"DELETE FROM {table}")


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", TABLES)
async def test_no_table_is_emptied(attacker: Attacker, table: str) -> None:
    async with refused(attacker, STAYS, table):
        await attacker.run(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", TABLES)
async def test_no_row_is_replaced_by_its_own_id(attacker: Attacker, table: str) -> None:
    """INSERT OR REPLACE takes the old row away without asking the trigger against DELETE."""
    row = await attacker.victim(table)
    row["last_entry_id"] = await attacker.entry(table, row["id"])
    async with refused(attacker, STAYS, table):
        await attacker.insert(table, row, replacing=True)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", SINGLE)
async def test_no_row_is_replaced_by_another_that_is_the_same(attacker: Attacker, table: str) -> None:
    """A second unique key does what the id does: each is tried alone."""
    row = await attacker.victim(table)
    for kept in KEYS[table]:
        twin = await attacker.another(table, **fresh(row, [key for key in KEYS[table] if key != kept]))
        async with refused(attacker, STAYS, table):
            await attacker.insert(table, twin, replacing=True)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", SINGLE)
async def test_no_row_is_pushed_out_by_a_change(attacker: Attacker, table: str) -> None:
    """UPDATE OR REPLACE makes room for the changed row by taking the other away."""
    victim = await attacker.victim(table)
    await attacker.insert(table, await attacker.another(table, **fresh(victim, KEYS[table])))
    for column in KEYS[table]:
        entry = await attacker.entry(table, 10**6)
        async with refused(attacker, STAYS, table):
            await attacker.run(
                f"UPDATE OR REPLACE {table} SET {column} = :value, last_entry_id = :entry WHERE id = 1000000",
                value=victim[column],
                entry=entry,
            )


# Honest writers, and old entries


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_an_entry_of_an_earlier_transaction_does_not_cover(
    attacker: Attacker, engines: dict[str, AsyncEngine], cast: Cast
) -> None:
    async with engines["postgresql"].begin() as earlier:
        old = await Attacker(earlier, "postgresql").entry("tenants", cast.tenant("Zoo").id)
    async with refused(attacker, SILENT, "tenants"):
        await attacker.run(
            "UPDATE tenants SET name = 'Bear', last_entry_id = :entry WHERE id = :id",
            entry=old,
            id=cast.tenant("Zoo").id,
        )
