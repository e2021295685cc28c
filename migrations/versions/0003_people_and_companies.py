"""People and companies: letters and links, second factors, brands, seats, numbers, recordings and playbooks."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.triggers import audit, keep, refusing, widen

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

WIDER = {
    "tenants": "parent_id kind name slug zone created_at discarded_at discarded_level_id policy_stand_ins policy_look "
    "policy_binding_reach policy_reason policy_ticket policy_second_factor policy_notice policy_binding_days "
    "policy_minutes policy_require_factor brand_name brand_hue brand_support brand_logo",
    "users": "home_tenant_id name email email_verified_at password_hash second_factor locale zone theme keys_on "
    "created_at discarded_at discarded_level_id factors_reset_at",
    "extensions": "tenant_id phone_system_id number name membership_id created_at discarded_at moved_at",
    "invitations": "tenant_id email name role extension_id invited_by_id token_hash created_at sent_at expires_at "
    "accepted_at revoked_at accepted_by_id together_id",
}

AUDITED: dict[str, tuple[str, list[str]]] = {
    "email_changes": (
        "user_id tenant_id email asked_by_id own created_at expires_at confirmed_at agreed_at cancelled_at applied_at",
        [
            "user_id = NEW.user_id AND applied_at IS NULL AND cancelled_at IS NULL AND NEW.applied_at IS NULL "
            "AND NEW.cancelled_at IS NULL"
        ],
    ),
    "totps": (
        "user_id tenant_id sealed created_at confirmed_at ended_at",
        ["user_id = NEW.user_id AND ended_at IS NULL AND NEW.ended_at IS NULL"],
    ),
    "passkeys": (
        "user_id tenant_id credential_id public_key name transports created_at discarded_at",
        ["credential_id = NEW.credential_id"],
    ),
    "seat_limits": (
        "tenant_id product_id seats created_at",
        ["tenant_id = NEW.tenant_id AND product_id = NEW.product_id"],
    ),
    "numbers": (
        "tenant_id e164 note extension_id created_at discarded_at",
        ["tenant_id = NEW.tenant_id AND e164 = NEW.e164 AND discarded_at IS NULL AND NEW.discarded_at IS NULL"],
    ),
    "recordings": (
        "tenant_id extension_id membership_id external_id direction party started_at seconds disposition notes private "
        "created_at discarded_at",
        ["tenant_id = NEW.tenant_id AND external_id = NEW.external_id"],
    ),
    "playbooks": ("tenant_id title version created_at discarded_at", []),
}

WRITTEN_ONCE = "a version stays as it was written"


def upgrade() -> None:
    """Wider rows first, then the new tables, their indexes and their guards."""
    _wider_rows()
    _access()
    _letters()
    _company_records()
    _indexes()
    _history()
    _deferrable()
    for table, columns in WIDER.items():
        widen(table, columns)
    audit(AUDITED)
    if op.get_bind().dialect.name == "postgresql":
        refusing("understudy_written_once", WRITTEN_ONCE)
    keep(
        "playbook_versions",
        "understudy_written_once",
        WRITTEN_ONCE,
        ["playbook_id = NEW.playbook_id AND number = NEW.number"],
    )


def _wider_rows() -> None:
    for column in (
        sa.Column("policy_minutes", sa.Integer(), nullable=True),
        sa.Column("policy_require_factor", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("brand_name", sa.String(200), nullable=True),
        sa.Column("brand_hue", sa.Integer(), nullable=True),
        sa.Column("brand_support", sa.String(500), nullable=True),
        sa.Column("brand_logo", sa.String(64), nullable=True),
    ):
        op.add_column("tenants", column)
    op.add_column("users", sa.Column("factors_reset_at", TIME, nullable=True))
    op.add_column("extensions", sa.Column("moved_at", TIME, nullable=True))
    op.add_column("invitations", sa.Column("accepted_by_id", NUMBER, nullable=True))
    op.add_column("invitations", sa.Column("together_id", NUMBER, nullable=True))


def _access() -> None:
    """What somebody proves who they are with, and how that changes hands."""
    op.create_table(
        "links",
        _id(),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", NUMBER, nullable=True),
        sa.Column("about_id", NUMBER, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("consumed_at", TIME, nullable=True),
        *_to("links", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_links_token_hash")),
    )
    op.create_table(
        "email_changes",
        _id(),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("asked_by_id", NUMBER, nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("agreed_at", TIME, nullable=True),
        sa.Column("cancelled_at", TIME, nullable=True),
        sa.Column("applied_at", TIME, nullable=True),
        *_entry("email_changes"),
        *_to("email_changes", "user_id", "users"),
        *_to("email_changes", "tenant_id", "tenants"),
        *_to("email_changes", "asked_by_id", "memberships"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_changes")),
    )
    op.create_table(
        "totps",
        _id(),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("last_counter", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        *_entry("totps"),
        *_to("totps", "user_id", "users"),
        *_to("totps", "tenant_id", "tenants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_totps")),
    )
    op.create_table(
        "recovery_codes",
        _id(),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        *_to("recovery_codes", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "code_hash", name=op.f("uq_recovery_codes_user_id")),
    )
    op.create_table(
        "passkeys",
        _id(),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("credential_id", sa.String(1400), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("transports", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("discarded_at", TIME, nullable=True),
        *_entry("passkeys"),
        *_to("passkeys", "user_id", "users"),
        *_to("passkeys", "tenant_id", "tenants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )


def _letters() -> None:
    """What is written to people, under whose name."""
    op.create_table(
        "letters",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("locale", sa.String(20), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("failed_at", TIME, nullable=True),
        sa.Column("error", sa.String(300), nullable=True),
        *_to("letters", "tenant_id", "tenants"),
        *_to("letters", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
    )
    op.create_table(
        "logos",
        _id(),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logos")),
        sa.UniqueConstraint("hash", name=op.f("uq_logos_hash")),
    )


def _company_records() -> None:
    """Seats, numbers, recordings and playbooks: each in one tenant, and the database holds them to it."""
    op.create_table(
        "seat_limits",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("product_id", NUMBER, nullable=False),
        sa.Column("seats", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        *_entry("seat_limits"),
        *_to("seat_limits", "tenant_id", "tenants"),
        *_to("seat_limits", "product_id", "products"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seat_limits")),
        sa.UniqueConstraint("tenant_id", "product_id", name=op.f("uq_seat_limits_tenant_id")),
    )
    op.create_table(
        "numbers",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("e164", sa.String(20), nullable=False),
        sa.Column("note", sa.String(200), nullable=True),
        sa.Column("extension_id", NUMBER, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        *_entry("numbers"),
        *_to("numbers", "tenant_id", "tenants"),
        *_to_own("numbers", "extension_id", "extensions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_numbers")),
    )
    op.create_table(
        "recordings",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("extension_id", NUMBER, nullable=True),
        sa.Column("membership_id", NUMBER, nullable=True),
        sa.Column("external_id", sa.String(100), nullable=True),
        sa.Column("direction", sa.String(10), nullable=False),
        sa.Column("party", sa.String(60), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("disposition", sa.String(30), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        *_entry("recordings"),
        *_to("recordings", "tenant_id", "tenants"),
        *_to_own("recordings", "extension_id", "extensions"),
        *_to_own("recordings", "membership_id", "memberships"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint("tenant_id", "external_id", name=op.f("uq_recordings_tenant_id")),
    )
    op.create_table(
        "playbooks",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        *_entry("playbooks"),
        *_to("playbooks", "tenant_id", "tenants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playbooks")),
        sa.UniqueConstraint("id", "tenant_id", name=op.f("uq_playbooks_id")),
    )
    op.create_table(
        "playbook_versions",
        _id(),
        sa.Column("playbook_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("note", sa.String(300), nullable=True),
        sa.Column("author_membership_id", NUMBER, nullable=True),
        sa.Column("author_name", sa.String(250), nullable=False),
        sa.Column("restored_from", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        *_to_own("playbook_versions", "playbook_id", "playbooks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playbook_versions")),
        sa.UniqueConstraint("playbook_id", "number", name=op.f("uq_playbook_versions_playbook_id")),
    )


def _indexes() -> None:
    op.create_index("ix_tenants_slug", "tenants", ["slug"])
    op.create_index("ix_tenants_kind", "tenants", ["kind", "name", "id"])
    _where("ix_tenants_discarded", "tenants", ["name", "id"], "discarded_at IS NOT NULL")
    op.create_index("ix_links_user", "links", ["user_id", "purpose"])
    _where("ix_email_changes_open", "email_changes", ["user_id"], "applied_at IS NULL AND cancelled_at IS NULL", True)
    _where("ix_totps_live", "totps", ["user_id"], "ended_at IS NULL", True)
    op.create_index("ix_passkeys_user", "passkeys", ["user_id"])
    _where("ix_letters_due", "letters", ["due_at", "id"], "sent_at IS NULL AND failed_at IS NULL")
    _where("ix_letters_failed", "letters", ["tenant_id", "id"], "failed_at IS NOT NULL")
    op.create_index("ix_letters_tenant", "letters", ["tenant_id", "id"])
    _where("ix_numbers_live", "numbers", ["tenant_id", "e164"], "discarded_at IS NULL", True)
    # Which tenants use an app: told when it leads elsewhere.
    op.create_index("ix_logins_app", "logins", ["app_id", "tenant_id", "created_at"])
    op.create_index("ix_numbers_e164", "numbers", ["e164", "id"])
    op.create_index("ix_numbers_extension", "numbers", ["extension_id"])
    _where("ix_licences_seats", "licences", ["product_id", "tenant_id"], "discarded_at IS NULL")
    for table in ("users", "memberships", "phone_systems", "extensions"):
        # What is discarded is little beside what is not: broken links are looked for from there.
        _where(f"ix_{table}_discarded", table, ["id"], "discarded_at IS NOT NULL")
    waiting = "extension_id IS NOT NULL AND accepted_at IS NULL AND revoked_at IS NULL"
    _where("ix_invitations_extension", "invitations", ["extension_id"], waiting)
    _orders_of_users()
    op.create_index("ix_recordings_tenant", "recordings", ["tenant_id", "started_at", "id"])
    op.create_index("ix_recordings_membership", "recordings", ["membership_id", "started_at", "id"])
    op.create_index("ix_recordings_started", "recordings", ["started_at", "id"])
    op.create_index("ix_playbooks_tenant", "playbooks", ["tenant_id", "id"])


def _orders_of_users() -> None:
    """The list of users by other columns than the name. Who never signed in counts as of 1970, as the list has it."""
    op.create_index("ix_users_created", "users", ["created_at", "id"])
    postgres = op.get_bind().dialect.name == "postgresql"
    never = "1970-01-01 00:00:00+00:00" if postgres else "1970-01-01 00:00:00.000000"
    op.create_index("ix_users_last_sign_in", "users", [sa.text(f"coalesce(last_sign_in_at, '{never}')"), "id"])
    _where("ix_users_second_factor", "users", ["name", "id"], "second_factor")


def _history() -> None:
    """History is read by time: what keeps it quick is ordered by it too. Only stand-ins are looked for by their way."""
    keys = {
        "tenant": ["tenant_id"],
        "actor_tenant": ["actor_tenant_id"],
        "actor": ["actor_membership_id"],
        "subject": ["subject_membership_id"],
        "record": ["record_type", "record_id"],
    }
    for name, columns in keys.items():
        op.drop_index(f"ix_entries_{name}", "entries")
        op.create_index(f"ix_entries_{name}", "entries", [*columns, "occurred_at", "id"])
    op.create_index("ix_entries_kind", "entries", ["record_type", "occurred_at", "id"])
    op.create_index("ix_entries_time", "entries", ["occurred_at", "id"])
    op.drop_index("ix_entries_via", "entries")
    _where("ix_entries_via", "entries", ["via", "occurred_at", "id"], "via <> 'direct'")


def _deferrable() -> None:
    """What ties rows to one tenant may wait for the end of a transaction: a phone system and all on it change owner.

    SQLite has a switch for it that needs no schema.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column, other in (
        ("extensions", "phone_system_id", "phone_systems"),
        ("licences", "extension_id", "extensions"),
        ("numbers", "extension_id", "extensions"),
        ("recordings", "extension_id", "extensions"),
    ):
        op.execute(f"ALTER TABLE {table} ALTER CONSTRAINT fk_{table}_{column}_{other} DEFERRABLE INITIALLY IMMEDIATE")


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


def _to_own(table: str, column: str, other: str) -> tuple[sa.ForeignKeyConstraint]:
    """A row of another table in the same tenant."""
    columns, others = [column, "tenant_id"], [f"{other}.id", f"{other}.tenant_id"]
    return (sa.ForeignKeyConstraint(columns, others, name=op.f(f"fk_{table}_{column}_{other}")),)


def _where(name: str, table: str, columns: list[str], where: str, unique: bool = False) -> None:
    """An index over the rows that count; unique where only one of them may."""
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
