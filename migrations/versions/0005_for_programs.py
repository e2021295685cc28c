"""For programs: minted tokens, pushed requests, proofs, consents to apps, service accounts, webhooks."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.triggers import audit, widen

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

WIDER = {
    "impersonations": "kind user_id actor_membership_id actor_tenant_id subject_membership_id tenant_id app_id "
    "sign_in_id extension_id mode reason ticket actor_name subject_name subject_email tenant_name number back strong "
    "token_hash created_at ends_at ended_at ended_cause",
    "apps": "tenant_id client_id name type secret_hash product_id needs_extension admin_only fallback_id login_uri "
    "redirect_uris post_logout_redirect_uris first_party id_token_alg handoff_uri backchannel_logout_uri "
    "old_secret_hash old_secret_until jwks exchanges scopes dpop signals_uri signals_token created_at discarded_at",
    "users": "home_tenant_id name email email_verified_at password_hash second_factor locale zone theme keys_on "
    "created_at discarded_at discarded_level_id factors_reset_at notices_muted service",
    "memberships": "user_id tenant_id role sponsor_id role_given_by_id role_given_at created_at discarded_at "
    "discarded_level_id external_id withdrawn",
    "invitations": "tenant_id email name role extension_id invited_by_id token_hash created_at sent_at expires_at "
    "accepted_at revoked_at accepted_by_id together_id external_id membership_number team_ids",
    "teams": "tenant_id name created_at discarded_at external_id",
}

AUDITED: dict[str, tuple[str, list[str]]] = {
    "app_consents": (
        "user_id tenant_id app_id scopes created_at revoked_at",
        ["user_id = NEW.user_id AND app_id = NEW.app_id AND revoked_at IS NULL AND NEW.revoked_at IS NULL"],
    ),
    "service_accounts": (
        "tenant_id membership_id name client_id secret_hash jwks scopes created_at discarded_at",
        ["client_id = NEW.client_id"],
    ),
    "webhooks": ("tenant_id url sealed events created_at discarded_at disabled_at", []),
}


def upgrade() -> None:
    """Wider rows first, then the new tables, their indexes and their guards."""
    _wider_rows()
    _tokens()
    _webhooks()
    for table, columns in WIDER.items():
        widen(table, columns)
    audit(AUDITED)


def _wider_rows() -> None:
    op.add_column("impersonations", sa.Column("token_hash", sa.String(64), nullable=True))
    for column in (
        sa.Column("old_secret_hash", sa.String(64), nullable=True),
        sa.Column("old_secret_until", TIME, nullable=True),
        sa.Column("jwks", JSON, nullable=True),
        sa.Column("exchanges", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("scopes", JSON, nullable=True),
        sa.Column("dpop", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("signals_uri", sa.String(2000), nullable=True),
        sa.Column("signals_token", sa.Text(), nullable=True),
    ):
        op.add_column("apps", column)
    op.add_column("users", sa.Column("service", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("memberships", sa.Column("external_id", sa.String(255), nullable=True))
    op.add_column("memberships", sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("teams", sa.Column("external_id", sa.String(255), nullable=True))
    op.add_column("invitations", sa.Column("external_id", sa.String(255), nullable=True))
    op.add_column("invitations", sa.Column("membership_number", NUMBER, nullable=True))
    op.add_column("invitations", sa.Column("team_ids", sa.String(500), nullable=True))
    op.add_column("logins", sa.Column("jkt", sa.String(64), nullable=True))
    op.add_column("tokens", sa.Column("jkt", sa.String(64), nullable=True))
    _where("ix_memberships_external", "memberships", ["tenant_id", "external_id"], "external_id IS NOT NULL")
    _where("ix_invitations_number", "invitations", ["membership_number"], "membership_number IS NOT NULL")
    _where("ix_teams_external", "teams", ["tenant_id", "external_id"], "external_id IS NOT NULL")


def _tokens() -> None:
    """What programs are given, or show, once."""
    op.create_table(
        "mints",
        _id(),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("actor_membership_id", NUMBER, nullable=False),
        sa.Column("subject_membership_id", NUMBER, nullable=False),
        sa.Column("reason", sa.String(1000), nullable=True),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("consumed_at", TIME, nullable=True),
        *_to("mints", "actor_membership_id", "memberships"),
        *_to("mints", "subject_membership_id", "memberships"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mints")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_mints_token_hash")),
    )
    op.create_table(
        "pushed_requests",
        _id(),
        sa.Column("uri_hash", sa.String(64), nullable=False),
        sa.Column("app_id", NUMBER, nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("consumed_at", TIME, nullable=True),
        *_to("pushed_requests", "app_id", "apps"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushed_requests")),
        sa.UniqueConstraint("uri_hash", name=op.f("uq_pushed_requests_uri_hash")),
    )
    op.create_table(
        "seen_proofs",
        _id(),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("jti_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seen_proofs")),
        sa.UniqueConstraint("purpose", "jti_hash", name=op.f("uq_seen_proofs_purpose")),
    )
    op.create_table(
        "app_consents",
        _id(),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("app_id", NUMBER, nullable=False),
        sa.Column("scopes", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        *_entry("app_consents"),
        *_to("app_consents", "user_id", "users"),
        *_to("app_consents", "tenant_id", "tenants"),
        *_to("app_consents", "app_id", "apps"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_consents")),
    )
    _where("ix_app_consents_live", "app_consents", ["user_id", "app_id"], "revoked_at IS NULL", unique=True)
    op.create_table(
        "service_accounts",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("membership_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("client_id", sa.String(80), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=True),
        sa.Column("jwks", JSON, nullable=True),
        sa.Column("scopes", sa.String(60), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("discarded_at", TIME, nullable=True),
        *_entry("service_accounts"),
        *_to("service_accounts", "tenant_id", "tenants"),
        *_to("service_accounts", "membership_id", "memberships"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_accounts")),
        sa.UniqueConstraint("client_id", name=op.f("uq_service_accounts_client_id")),
    )
    op.create_index("ix_service_accounts_tenant", "service_accounts", ["tenant_id", "id"])


def _webhooks() -> None:
    """Where a company is told of what happens, and what became of each telling."""
    op.create_table(
        "webhooks",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("events", JSON, nullable=False),
        sa.Column("seen_transaction", sa.BigInteger(), nullable=False),
        sa.Column("seen_entry_id", NUMBER, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("disabled_at", TIME, nullable=True),
        sa.Column("discarded_at", TIME, nullable=True),
        *_entry("webhooks"),
        *_to("webhooks", "tenant_id", "tenants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_tenant", "webhooks", ["tenant_id", "id"])
    op.create_table(
        "webhook_deliveries",
        _id(),
        sa.Column("webhook_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("entry_id", NUMBER, nullable=False),
        sa.Column("event", sa.String(60), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("try_at", TIME, nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(200), nullable=True),
        *_to("webhook_deliveries", "webhook_id", "webhooks"),
        *_to("webhook_deliveries", "tenant_id", "tenants"),
        *_to("webhook_deliveries", "entry_id", "entries"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("webhook_id", "entry_id", name=op.f("uq_webhook_deliveries_webhook_id")),
    )
    _where("ix_webhook_deliveries_open", "webhook_deliveries", ["try_at", "id"], "done_at IS NULL")
    op.create_index("ix_webhook_deliveries_webhook", "webhook_deliveries", ["webhook_id", "id"])
    op.create_index("ix_webhook_deliveries_entry", "webhook_deliveries", ["entry_id"])
    op.create_index("ix_webhook_deliveries_done", "webhook_deliveries", ["done_at"])
    if op.get_bind().dialect.name == "postgresql":
        # Entries in the order in which they became final: SQLite has no transactions beside one another.
        op.create_index("ix_entries_transaction", "entries", ["transaction_id", "id"])


def _id() -> sa.Column[Any]:
    return sa.Column("id", NUMBER, nullable=False)


def _entry(table: str) -> tuple[Any, Any]:
    """The newest entry about the row."""
    return (
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f(f"fk_{table}_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
    )


def _to(table: str, column: str, other: str) -> tuple[sa.ForeignKeyConstraint]:
    """A row of another table."""
    return (sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}")),)


def _where(name: str, table: str, columns: list[str], where: str, unique: bool = False) -> None:
    """An index over the rows that count; unique where only one of them may."""
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
