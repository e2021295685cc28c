"""The tree, its people, their phones, apps, bindings and logins, and the history of it all."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
PATH = sa.String(600).with_variant(sa.String(600, collation="C"), "postgresql")


def upgrade() -> None:
    """Make every table, then what keeps look-ups quick and things single."""
    _tables()
    _indexes()


def _tables() -> None:
    op.create_table(
        "entries",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("verb", sa.String(60), nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=True),
        sa.Column("tenant_path", PATH, nullable=True),
        sa.Column("actor_membership_id", NUMBER, nullable=True),
        sa.Column("actor_user_id", NUMBER, nullable=True),
        sa.Column("actor_name", sa.String(250), nullable=False),
        sa.Column("actor_tenant_id", NUMBER, nullable=True),
        sa.Column("actor_tenant_name", sa.String(250), nullable=True),
        sa.Column("subject_membership_id", NUMBER, nullable=True),
        sa.Column("subject_user_id", NUMBER, nullable=True),
        sa.Column("subject_name", sa.String(250), nullable=True),
        sa.Column("via", sa.String(20), nullable=False),
        sa.Column("stand_in_id", NUMBER, nullable=True),
        sa.Column("record_type", sa.String(40), nullable=True),
        sa.Column("record_id", sa.String(40), nullable=True),
        sa.Column("record_name", sa.String(250), nullable=True),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("reason", sa.String(1000), nullable=True),
        sa.Column("ticket", sa.String(100), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
    )
    op.create_table(
        "idempotent_answers",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("membership_id", NUMBER, nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", JSON, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotent_answers")),
        sa.UniqueConstraint("membership_id", "key", name=op.f("uq_idempotent_answers_membership_id")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("minute", TIME, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("summed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failures")),
        sa.UniqueConstraint("account", "network", "minute", name=op.f("uq_sign_in_failures_account")),
    )
    op.create_table(
        "signing_keys",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("kid", sa.String(64), nullable=False),
        sa.Column("alg", sa.String(10), nullable=False),
        sa.Column("public_jwk", JSON, nullable=False),
        sa.Column("private_sealed", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
        sa.UniqueConstraint("kid", name=op.f("uq_signing_keys_kid")),
    )
    op.create_table(
        "products",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("slug", sa.String(80), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_products_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("slug", name=op.f("uq_products_slug")),
    )
    op.create_table(
        "tenants",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("parent_id", NUMBER, nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("slug", sa.String(80), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        sa.Column("discarded_level_id", NUMBER, nullable=True),
        sa.Column("policy_stand_ins", sa.Integer(), nullable=False),
        sa.Column("policy_look", sa.Integer(), nullable=False),
        sa.Column("policy_binding_reach", sa.Integer(), nullable=False),
        sa.Column("policy_reason", sa.Integer(), nullable=False),
        sa.Column("policy_ticket", sa.Integer(), nullable=False),
        sa.Column("policy_second_factor", sa.Integer(), nullable=False),
        sa.Column("policy_notice", sa.Integer(), nullable=False),
        sa.Column("policy_binding_days", sa.Integer(), nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_tenants_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["tenants.id"], name=op.f("fk_tenants_parent_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "apps",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("client_id", sa.String(80), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("type", sa.String(10), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=True),
        sa.Column("product_id", NUMBER, nullable=True),
        sa.Column("needs_extension", sa.Boolean(), nullable=False),
        sa.Column("admin_only", sa.Boolean(), nullable=False),
        sa.Column("fallback_id", NUMBER, nullable=True),
        sa.Column("login_uri", sa.String(2000), nullable=True),
        sa.Column("redirect_uris", JSON, nullable=False),
        sa.Column("post_logout_redirect_uris", JSON, nullable=False),
        sa.Column("first_party", sa.Boolean(), nullable=False),
        sa.Column("id_token_alg", sa.String(10), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("discarded_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["fallback_id"], ["apps.id"], name=op.f("fk_apps_fallback_id_apps")),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_apps_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_apps_product_id_products")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_apps_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_apps")),
        sa.UniqueConstraint("client_id", name=op.f("uq_apps_client_id")),
    )
    op.create_table(
        "invitations",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("extension_id", NUMBER, nullable=True),
        sa.Column("invited_by_id", NUMBER, nullable=True),
        sa.Column("token_hash", sa.String(64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("accepted_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_invitations_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_invitations_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_table(
        "phone_systems",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("slug", sa.String(80), nullable=False),
        sa.Column("host", sa.String(253), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_phone_systems_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_phone_systems_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_systems")),
        sa.UniqueConstraint("id", "tenant_id", name=op.f("uq_phone_systems_id")),
        sa.UniqueConstraint("tenant_id", "slug", name=op.f("uq_phone_systems_tenant_id")),
    )
    op.create_table(
        "suspensions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("scope", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("level_id", NUMBER, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("lifted_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_suspensions_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["level_id"], ["tenants.id"], name=op.f("fk_suspensions_level_id_tenants")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_suspensions_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspensions")),
    )
    op.create_table(
        "teams",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_teams_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_teams_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("id", "tenant_id", name=op.f("uq_teams_id")),
    )
    op.create_table(
        "users",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("home_tenant_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_verified_at", TIME, nullable=True),
        sa.Column("password_hash", sa.String(255), nullable=True),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(20), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("theme", sa.String(10), nullable=False),
        sa.Column("keys_on", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_sign_in_at", TIME, nullable=True),
        sa.Column("discarded_at", TIME, nullable=True),
        sa.Column("discarded_level_id", NUMBER, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["home_tenant_id"], ["tenants.id"], name=op.f("fk_users_home_tenant_id_tenants")),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_users_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "login_choices",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("app_id", NUMBER, nullable=False),
        sa.Column("membership_id", NUMBER, nullable=False),
        sa.Column("extension_id", NUMBER, nullable=True),
        sa.Column("chosen_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_login_choices_app_id_apps")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_login_choices_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_choices")),
        sa.UniqueConstraint("user_id", "app_id", name=op.f("uq_login_choices_user_id")),
    )
    op.create_table(
        "memberships",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("sponsor_id", NUMBER, nullable=True),
        sa.Column("role_given_by_id", NUMBER, nullable=True),
        sa.Column("role_given_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        sa.Column("discarded_level_id", NUMBER, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_memberships_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["sponsor_id"], ["memberships.id"], name=op.f("fk_memberships_sponsor_id_memberships")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_memberships_tenant_id_tenants")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("id", "tenant_id", name=op.f("uq_memberships_id")),
        sa.UniqueConstraint("user_id", "tenant_id", name=op.f("uq_memberships_user_id")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("membership_id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(60), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_api_keys_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["membership_id"], ["memberships.id"], name=op.f("fk_api_keys_membership_id_memberships")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_api_keys_tenant_id_tenants")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_table(
        "extensions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("phone_system_id", NUMBER, nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200), nullable=True),
        sa.Column("membership_id", NUMBER, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_extensions_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            name=op.f("fk_extensions_membership_id_memberships"),
        ),
        sa.ForeignKeyConstraint(
            ["phone_system_id", "tenant_id"],
            ["phone_systems.id", "phone_systems.tenant_id"],
            name=op.f("fk_extensions_phone_system_id_phone_systems"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_extensions_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extensions")),
        sa.UniqueConstraint("id", "tenant_id", name=op.f("uq_extensions_id")),
    )
    op.create_table(
        "impersonations",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("actor_membership_id", NUMBER, nullable=False),
        sa.Column("subject_membership_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("app_id", NUMBER, nullable=True),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=True),
        sa.Column("ticket", sa.String(100), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_cause", sa.String(40), nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_membership_id"], ["memberships.id"], name=op.f("fk_impersonations_actor_membership_id_memberships")
        ),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_impersonations_app_id_apps")),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_impersonations_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["subject_membership_id"],
            ["memberships.id"],
            name=op.f("fk_impersonations_subject_membership_id_memberships"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_impersonations_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_impersonations")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("membership_id", NUMBER, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("csrf_secret", sa.String(64), nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("user_agent", sa.String(300), nullable=False),
        sa.Column("methods", sa.String(60), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.Column("proof_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_cause", sa.String(40), nullable=True),
        sa.ForeignKeyConstraint(
            ["membership_id"], ["memberships.id"], name=op.f("fk_sign_ins_membership_id_memberships")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_ins_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_ins_token_hash")),
    )
    op.create_table(
        "team_members",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("team_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("membership_id", NUMBER, nullable=False),
        sa.Column("lead", sa.Boolean(), nullable=False),
        sa.Column("left_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_team_members_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            name=op.f("fk_team_members_membership_id_memberships"),
        ),
        sa.ForeignKeyConstraint(
            ["team_id", "tenant_id"], ["teams.id", "teams.tenant_id"], name=op.f("fk_team_members_team_id_teams")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_members")),
        sa.UniqueConstraint("team_id", "membership_id", name=op.f("uq_team_members_team_id")),
    )
    op.create_table(
        "bindings",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("membership_id", NUMBER, nullable=False),
        sa.Column("subject_membership_id", NUMBER, nullable=False),
        sa.Column("extension_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("made_by_id", NUMBER, nullable=False),
        sa.Column("accepted_at", TIME, nullable=True),
        sa.Column("reason", sa.String(1000), nullable=True),
        sa.Column("ticket", sa.String(100), nullable=True),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("actor_name", sa.String(250), nullable=False),
        sa.Column("subject_name", sa.String(250), nullable=False),
        sa.Column("tenant_name", sa.String(200), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_cause", sa.String(40), nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name=op.f("fk_bindings_extension_id_extensions")),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_bindings_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["made_by_id"], ["memberships.id"], name=op.f("fk_bindings_made_by_id_memberships")),
        sa.ForeignKeyConstraint(
            ["membership_id"], ["memberships.id"], name=op.f("fk_bindings_membership_id_memberships")
        ),
        sa.ForeignKeyConstraint(
            ["subject_membership_id"], ["memberships.id"], name=op.f("fk_bindings_subject_membership_id_memberships")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_bindings_tenant_id_tenants")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bindings_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bindings")),
    )
    op.create_table(
        "licences",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("extension_id", NUMBER, nullable=False),
        sa.Column("product_id", NUMBER, nullable=False),
        sa.Column("app_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("discarded_at", TIME, nullable=True),
        sa.Column("last_entry_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["extension_id", "tenant_id"],
            ["extensions.id", "extensions.tenant_id"],
            name=op.f("fk_licences_extension_id_extensions"),
        ),
        sa.ForeignKeyConstraint(
            ["last_entry_id"],
            ["entries.id"],
            name=op.f("fk_licences_last_entry_id_entries"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_licences_product_id_products")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_licences")),
    )
    op.create_table(
        "binding_apps",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("binding_id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("app_id", NUMBER, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("fk_binding_apps_binding_id_bindings")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_binding_apps_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_binding_apps")),
        sa.UniqueConstraint("user_id", "app_id", "live", name=op.f("uq_binding_apps_user_id")),
    )
    op.create_table(
        "logins",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("app_id", NUMBER, nullable=False),
        sa.Column("sign_in_id", NUMBER, nullable=True),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("actor_membership_id", NUMBER, nullable=False),
        sa.Column("subject_membership_id", NUMBER, nullable=False),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("extension_id", NUMBER, nullable=True),
        sa.Column("because", sa.String(20), nullable=False),
        sa.Column("binding_id", NUMBER, nullable=True),
        sa.Column("impersonation_id", NUMBER, nullable=True),
        sa.Column("scope", sa.String(200), nullable=False),
        sa.Column("auth_time", TIME, nullable=False),
        sa.Column("methods", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_cause", sa.String(40), nullable=True),
        sa.ForeignKeyConstraint(
            ["actor_membership_id"], ["memberships.id"], name=op.f("fk_logins_actor_membership_id_memberships")
        ),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_logins_app_id_apps")),
        sa.ForeignKeyConstraint(["binding_id"], ["bindings.id"], name=op.f("fk_logins_binding_id_bindings")),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name=op.f("fk_logins_extension_id_extensions")),
        sa.ForeignKeyConstraint(
            ["impersonation_id"], ["impersonations.id"], name=op.f("fk_logins_impersonation_id_impersonations")
        ),
        sa.ForeignKeyConstraint(["sign_in_id"], ["sign_ins.id"], name=op.f("fk_logins_sign_in_id_sign_ins")),
        sa.ForeignKeyConstraint(
            ["subject_membership_id"], ["memberships.id"], name=op.f("fk_logins_subject_membership_id_memberships")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_logins_tenant_id_tenants")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_logins_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logins")),
    )
    op.create_table(
        "codes",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("login_id", sa.String(32), nullable=False),
        sa.Column("app_id", NUMBER, nullable=False),
        sa.Column("redirect_uri", sa.String(2000), nullable=False),
        sa.Column("scope", sa.String(200), nullable=False),
        sa.Column("nonce", sa.String(512), nullable=True),
        sa.Column("code_challenge", sa.String(128), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("consumed_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_codes_app_id_apps")),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name=op.f("fk_codes_login_id_logins")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_codes_code_hash")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("login_id", sa.String(32), nullable=False),
        sa.Column("app_id", NUMBER, nullable=False),
        sa.Column("scope", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("consumed_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_tokens_app_id_apps")),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name=op.f("fk_tokens_login_id_logins")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )


def _indexes() -> None:
    op.create_index("ix_tenants_path", "tenants", ["path"], unique=True)
    op.create_index("ix_tenants_parent_slug", "tenants", ["parent_id", "slug"], unique=True)
    op.create_index("ix_tenants_name", "tenants", ["name", "id"])
    op.create_index("ix_tenants_created", "tenants", ["created_at", "id"])
    op.create_index("ix_users_name", "users", ["name", "id"])
    op.create_index("ix_phone_systems_name", "phone_systems", ["name", "id"])
    op.create_index("ix_extensions_any_number", "extensions", ["number", "id"])
    op.create_index("ix_entries_via", "entries", ["via", "id"])
    op.create_index("ix_memberships_tenant", "memberships", ["tenant_id", "id"])
    op.create_index("ix_memberships_sponsor", "memberships", ["sponsor_id"])
    op.create_index("ix_users_home", "users", ["home_tenant_id"])
    op.create_index("ix_team_members_membership", "team_members", ["membership_id"])
    op.create_index("ix_phone_systems_tenant", "phone_systems", ["tenant_id", "id"])
    op.create_index("ix_extensions_tenant", "extensions", ["tenant_id", "id"])
    op.create_index("ix_extensions_membership", "extensions", ["membership_id"])
    _only_one("ix_extensions_number", "extensions", ["phone_system_id", "number"], "discarded_at IS NULL")
    _only_one("ix_licences_live", "licences", ["extension_id", "product_id"], "discarded_at IS NULL")
    op.create_index("ix_licences_product", "licences", ["tenant_id", "product_id"])
    _live("ix_suspensions_live", "suspensions", ["tenant_id"], "lifted_at IS NULL")
    _live("ix_bindings_open", "bindings", ["user_id"], "ended_at IS NULL")
    op.create_index("ix_bindings_tenant", "bindings", ["tenant_id", "id"])
    _live("ix_bindings_extension", "bindings", ["extension_id"], "ended_at IS NULL")
    op.create_index("ix_binding_apps_binding", "binding_apps", ["binding_id"])
    _only_one(
        "ix_impersonations_live",
        "impersonations",
        ["actor_membership_id"],
        "ended_at IS NULL AND kind = 'impersonation'",
    )
    op.create_index("ix_logins_browser", "logins", ["sign_in_id", "app_id", "created_at"])
    _live("ix_logins_binding", "logins", ["binding_id"], "ended_at IS NULL")
    _live("ix_logins_user", "logins", ["user_id"], "ended_at IS NULL")
    _live("ix_logins_subject", "logins", ["subject_membership_id"], "ended_at IS NULL")
    op.create_index("ix_tokens_login", "tokens", ["login_id"])
    op.create_index("ix_codes_login", "codes", ["login_id"])
    _live("ix_sign_ins_live", "sign_ins", ["user_id"], "ended_at IS NULL")
    op.create_index("ix_sign_ins_network", "sign_ins", ["user_id", "network"])
    op.create_index("ix_sign_in_failures_network", "sign_in_failures", ["network", "minute"])
    op.create_index("ix_api_keys_membership", "api_keys", ["membership_id"])
    _only_one(
        "ix_invitations_waiting", "invitations", ["tenant_id", "email"], "accepted_at IS NULL AND revoked_at IS NULL"
    )
    op.create_index("ix_entries_tenant", "entries", ["tenant_id", "id"])
    op.create_index("ix_entries_actor_tenant", "entries", ["actor_tenant_id", "id"])
    op.create_index("ix_entries_record", "entries", ["record_type", "record_id", "id"])
    op.create_index("ix_entries_actor", "entries", ["actor_membership_id", "id"])
    op.create_index("ix_entries_subject", "entries", ["subject_membership_id", "id"])


def _only_one(name: str, table: str, columns: list[str], where: str) -> None:
    """At most one row among those that are live."""
    op.create_index(name, table, columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _live(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
