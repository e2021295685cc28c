"""The trail is sealed: what waits to be, the leaves of the tree, its signed checkpoints, and the key that signs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.triggers import KEPT, always, keep

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """The tables and their guards; then every entry waits, those that are there already included."""
    _tables()
    keep("leaves", "understudy_kept", KEPT, ["number = NEW.number"])
    keep("checkpoints", "understudy_kept", KEPT, ["size = NEW.size"])
    keep("trail_keys", "understudy_kept", KEPT, [])
    op.execute("INSERT INTO pending_entries (id) SELECT id FROM entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("""
            CREATE FUNCTION understudy_pending() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO pending_entries (id) VALUES (NEW.id); RETURN NULL; END $$
        """)
        always("entries", "entries_pending", "AFTER INSERT", "ROW", "understudy_pending")
        return
    op.execute(
        "CREATE TRIGGER entries_pending AFTER INSERT ON entries "
        "BEGIN INSERT INTO pending_entries (id) VALUES (NEW.id); END"
    )


def _tables() -> None:
    op.create_table(
        "pending_entries",
        _number("id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_entries")),
    )
    op.create_table(
        "leaves",
        _number("id"),
        _number("number"),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leaves")),
        sa.UniqueConstraint("number", name=op.f("uq_leaves_number")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("id", NUMBER, nullable=False),
        _number("size"),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint("size", name=op.f("uq_checkpoints_size")),
    )
    op.create_table(
        "trail_keys",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.String(250), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("private_sealed", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail_keys")),
    )


def _number(name: str) -> sa.Column[Any]:
    """A number that is given, never counted by the database."""
    return sa.Column(name, NUMBER, nullable=False, autoincrement=False)
