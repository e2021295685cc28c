"""The triggers that keep the trail, as migrations put them on a table: one text for all tables, whenever they came.

A revision that adds a table or a column calls these; what they say never changes for tables that stand already.
"""

from alembic import op

Audited = dict[str, tuple[str, list[str]]]
"""table -> (columns whose change needs an entry, what makes another row the same one)."""

SILENT = "a change needs its entry in the same transaction"
KEPT = "entries are never changed"
STAYS = "records are discarded, never deleted"


def refusing(name: str, words: str) -> None:
    """PostgreSQL: a function that refuses whatever it is called for."""
    op.execute(f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{words} (%)', TG_TABLE_NAME USING ERRCODE = 'check_violation'; END $$
    """)


def always(table: str, name: str, when: str, each: str, function: str) -> None:
    """PostgreSQL: a trigger that also meets a session which calls itself a replica."""
    op.execute(f"CREATE TRIGGER {name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()")
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def abort(name: str, when: str, condition: str, words: str) -> None:
    """SQLite: a trigger that refuses where the condition holds."""
    op.execute(f"CREATE TRIGGER {name} {when} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{words}'); END")


def audit(tables: Audited) -> None:
    """No row of these is made or changed without its entry, and none is ever deleted."""
    for table, (columns, same) in tables.items():
        if op.get_bind().dialect.name == "postgresql":
            _audit_on_postgresql(table, columns)
        else:
            _audit_on_sqlite(table, columns, same)


def widen(table: str, columns: str) -> None:
    """The columns whose change needs an entry have become more: the one trigger that lists them is made anew."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER IF EXISTS {table}_changed ON {table}")
        _changed_on_postgresql(table, columns)
    else:
        op.execute(f"DROP TRIGGER IF EXISTS {table}_changed")
        _changed_on_sqlite(table, columns)


def keep(table: str, function: str, words: str, same: list[str]) -> None:
    """Rows of this table are written once and stay as they are; `words`, or the function, say so to whoever tries."""
    if op.get_bind().dialect.name == "postgresql":
        always(table, f"{table}_keep_rows", "BEFORE UPDATE OR DELETE", "ROW", function)
        always(table, f"{table}_keep_all", "BEFORE TRUNCATE", "STATEMENT", function)
        return
    abort(f"{table}_keep_update", f"BEFORE UPDATE ON {table}", "1", words)
    abort(f"{table}_keep_delete", f"BEFORE DELETE ON {table}", "1", words)
    others = " OR ".join(f"({each})" for each in ("id = NEW.id", *same))
    # INSERT OR REPLACE deletes the old row without asking a delete trigger.
    again = f"EXISTS (SELECT 1 FROM {table} WHERE {others})"
    abort(f"{table}_keep_replace", f"BEFORE INSERT ON {table}", again, words)


def _audit_on_postgresql(table: str, columns: str) -> None:
    always(table, f"{table}_made", "BEFORE INSERT", "ROW", "understudy_entry_first")
    _changed_on_postgresql(table, columns)
    always(table, f"{table}_stay", "BEFORE DELETE", "ROW", "understudy_stays")
    always(table, f"{table}_stay_all", "BEFORE TRUNCATE", "STATEMENT", "understudy_stays")


def _changed_on_postgresql(table: str, columns: str) -> None:
    when = f"BEFORE UPDATE OF {_listed(columns)}"
    always(table, f"{table}_changed", when, "ROW", "understudy_entry_first")


def _audit_on_sqlite(table: str, columns: str, same: list[str]) -> None:
    others = " OR ".join(f"({each})" for each in same) or "0"
    abort(f"{table}_made", f"BEFORE INSERT ON {table}", f"NOT {_entry(table)}", SILENT)
    _changed_on_sqlite(table, columns)
    abort(f"{table}_stay", f"BEFORE DELETE ON {table}", "1", STAYS)
    replaced = f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id OR {others})"
    abort(f"{table}_stay_replaced", f"BEFORE INSERT ON {table}", replaced, STAYS)
    if same:
        pushed = f"EXISTS (SELECT 1 FROM {table} WHERE id <> NEW.id AND ({others}))"
        abort(f"{table}_stay_pushed", f"BEFORE UPDATE ON {table}", pushed, STAYS)


def _changed_on_sqlite(table: str, columns: str) -> None:
    silent = f"NEW.last_entry_id <= OLD.last_entry_id OR NEW.id <> OLD.id OR NOT {_entry(table)}"
    abort(f"{table}_changed", f"BEFORE UPDATE OF {_listed(columns)} ON {table}", silent, SILENT)


def _entry(table: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM entries WHERE id = NEW.last_entry_id AND record_type = '{table}' "
        "AND record_id = CAST(NEW.id AS TEXT))"
    )


def _listed(columns: str) -> str:
    return ", ".join(columns.split()) + ", id, last_entry_id"
