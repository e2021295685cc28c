"""Finishing: what was still missing for programs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.triggers import widen

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

APPS = (
    "tenant_id client_id name type secret_hash product_id needs_extension admin_only fallback_id login_uri "
    "redirect_uris post_logout_redirect_uris first_party id_token_alg handoff_uri backchannel_logout_uri "
    "old_secret_hash old_secret_until jwks exchanges scopes dpop signals_uri signals_token created_at discarded_at"
)
"""What of an app needed an entry before."""
STREAM = ("signals_status", "signals_requested", "signals_about")


def upgrade() -> None:
    """A code may be asked for with the key that alone redeems it (RFC 9449 section 10)."""
    op.add_column("codes", sa.Column("dpop_jkt", sa.String(64), nullable=True))
    _sweeps()
    _streams()


def _sweeps() -> None:
    """Apps whose open logins are to be asked whether they still fit, and those logins."""
    op.add_column("apps", sa.Column("sweep_since", TIME, nullable=True))
    _where("ix_apps_sweep", "apps", ["id"], "sweep_since IS NOT NULL")
    _where("ix_logins_open", "logins", ["app_id", "id"], "ended_at IS NULL")


def _streams() -> None:
    """What an app says of its stream of security events, and the events that wait to be pushed by themselves."""
    op.add_column("apps", sa.Column("signals_status", sa.String(10), nullable=False, server_default="enabled"))
    op.add_column("apps", sa.Column("signals_requested", JSON, nullable=True))
    op.add_column("apps", sa.Column("signals_about", sa.String(200), nullable=True))
    widen("apps", f"{APPS} {' '.join(STREAM)}")
    op.create_table(
        "security_events",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("app_id", NUMBER, nullable=False),
        sa.Column("claims", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("try_at", TIME, nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.Column("error", sa.String(200), nullable=True),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_security_events_app_id_apps")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_events")),
    )
    _where("ix_security_events_open", "security_events", ["app_id", "id"], "done_at IS NULL")
    op.create_index("ix_security_events_done", "security_events", ["done_at"])


def downgrade() -> None:
    """Without what was added."""
    op.drop_table("security_events")
    widen("apps", APPS)
    op.drop_index("ix_logins_open", "logins")
    op.drop_index("ix_apps_sweep", "apps")
    for column in (*STREAM, "sweep_since"):
        op.drop_column("apps", column)
    op.drop_column("codes", "dpop_jkt")


def _where(name: str, table: str, columns: list[str], where: str) -> None:
    """An index over the rows that count."""
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
