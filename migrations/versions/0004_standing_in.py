"""Standing in: impersonations, their windows of consent and broken glass, notices, logouts that apps are told of."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.triggers import STAYS, abort, audit, widen

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

WIDER = {
    "impersonations": "kind user_id actor_membership_id actor_tenant_id subject_membership_id tenant_id app_id "
    "sign_in_id extension_id mode reason ticket actor_name subject_name subject_email tenant_name number back strong "
    "created_at ends_at ended_at ended_cause",
    "apps": "tenant_id client_id name type secret_hash product_id needs_extension admin_only fallback_id login_uri "
    "redirect_uris post_logout_redirect_uris first_party id_token_alg handoff_uri backchannel_logout_uri created_at "
    "discarded_at",
    "users": "home_tenant_id name email email_verified_at password_hash second_factor locale zone theme keys_on "
    "created_at discarded_at discarded_level_id factors_reset_at notices_muted",
}

AUDITED: dict[str, tuple[str, list[str]]] = {
    "consents": (
        "tenant_id membership_id to_tenant_id operator_id granted_by_id digits created_at ends_at revoked_at",
        [],
    ),
    "break_glasses": (
        "tenant_id subject_membership_id asked_by_id reason created_at approved_by_id approved_at ends_at ended_at",
        [],
    ),
    "loosenings": (
        "tenant_id wanted asked_by_id created_at takes_effect_at cancelled_at applied_at",
        [
            "tenant_id = NEW.tenant_id AND cancelled_at IS NULL AND applied_at IS NULL AND NEW.cancelled_at IS NULL "
            "AND NEW.applied_at IS NULL"
        ],
    ),
}


def upgrade() -> None:
    """Wider rows first, then the new tables, their indexes and their guards."""
    _wider_rows()
    _windows()
    _told()
    _indexes()
    for table, columns in WIDER.items():
        widen(table, columns)
    audit(AUDITED)
    _both_names()
    if op.get_bind().dialect.name == "sqlite":
        _one_of_each()


def _both_names() -> None:
    """What was done as somebody else says who did it, as whom, and by which stand-in: else it is not written at all."""
    others = "via IN ('binding', 'impersonation', 'token')"
    unnamed = "actor_membership_id IS NULL OR subject_membership_id IS NULL OR stand_in_id IS NULL"
    if op.get_bind().dialect.name == "postgresql":
        # What was written before stays as it is.
        said = f"CHECK (NOT ({others} AND ({unnamed}))) NOT VALID"
        op.execute(f"ALTER TABLE entries ADD CONSTRAINT entries_both_names {said}")
        return
    theirs = f"NEW.{others} AND ({' OR '.join(f'NEW.{each}' for each in unnamed.split(' OR '))})"
    abort("entries_both_names", "BEFORE INSERT ON entries", theirs, "a stand-in is written down under both names")


def _one_of_each() -> None:
    """SQLite: what makes another impersonation the same one has changed with the index that says so."""
    same = (
        "user_id = NEW.user_id AND ended_at IS NULL AND NEW.ended_at IS NULL AND kind = NEW.kind "
        "AND (kind = 'impersonation' OR subject_membership_id = NEW.subject_membership_id)"
    )
    for when, name, others in (
        ("BEFORE INSERT ON", "replaced", f"id = NEW.id OR ({same})"),
        ("BEFORE UPDATE ON", "pushed", f"id <> NEW.id AND ({same})"),
    ):
        trigger = f"impersonations_stay_{name}"
        op.execute(f"DROP TRIGGER {trigger}")
        exists = f"EXISTS (SELECT 1 FROM impersonations WHERE {others})"
        abort(trigger, f"{when} impersonations", exists, STAYS)


def _wider_rows() -> None:
    # Nobody could start an impersonation before, so that no row needs the defaults of what is not null.
    for column in (
        sa.Column("user_id", NUMBER, nullable=False, server_default="0"),
        sa.Column("actor_tenant_id", NUMBER, nullable=False, server_default="0"),
        sa.Column("sign_in_id", NUMBER, nullable=True),
        sa.Column("extension_id", NUMBER, nullable=True),
        sa.Column("actor_name", sa.String(250), nullable=False, server_default=""),
        sa.Column("subject_name", sa.String(250), nullable=False, server_default=""),
        sa.Column("subject_email", sa.String(254), nullable=False, server_default=""),
        sa.Column("tenant_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("number", sa.String(20), nullable=True),
        sa.Column("back", sa.String(500), nullable=True),
        sa.Column("strong", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("beat_at", TIME, nullable=True),
        sa.Column("goodbye_at", TIME, nullable=True),
        sa.Column("banner_at", TIME, nullable=True),
        sa.Column("document", sa.String(64), nullable=True),
    ):
        op.add_column("impersonations", column)
    op.add_column("sign_ins", sa.Column("impersonation_id", NUMBER, nullable=True))
    op.add_column("apps", sa.Column("handoff_uri", sa.String(2000), nullable=True))
    op.add_column("apps", sa.Column("backchannel_logout_uri", sa.String(2000), nullable=True))
    op.add_column("users", sa.Column("notices_muted", sa.Boolean(), nullable=False, server_default=sa.false()))
    for column in (
        sa.Column("tell", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("told_at", TIME, nullable=True),
        sa.Column("tell_tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("tell_at", TIME, nullable=True),
        sa.Column("tell_error", sa.String(200), nullable=True),
    ):
        op.add_column("logins", column)


def _windows() -> None:
    """What opens a company, or one person, to somebody who would be refused, and what loosens its rules."""
    op.create_table(
        "consents",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("membership_id", NUMBER, nullable=True),
        sa.Column("to_tenant_id", NUMBER, nullable=True),
        sa.Column("operator_id", NUMBER, nullable=True),
        sa.Column("granted_by_id", NUMBER, nullable=False),
        sa.Column("digits", sa.String(64), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        *_entry("consents"),
        *_to("consents", "tenant_id", "tenants"),
        *_to("consents", "membership_id", "memberships"),
        *_to("consents", "to_tenant_id", "tenants"),
        *_to("consents", "operator_id", "memberships"),
        *_to("consents", "granted_by_id", "memberships"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_table(
        "break_glasses",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("subject_membership_id", NUMBER, nullable=False),
        sa.Column("asked_by_id", NUMBER, nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("approved_by_id", NUMBER, nullable=True),
        sa.Column("approved_at", TIME, nullable=True),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        *_entry("break_glasses"),
        *_to("break_glasses", "tenant_id", "tenants"),
        *_to("break_glasses", "subject_membership_id", "memberships"),
        *_to("break_glasses", "asked_by_id", "memberships"),
        *_to("break_glasses", "approved_by_id", "memberships"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glasses")),
    )
    op.create_table(
        "loosenings",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("wanted", JSON, nullable=False),
        sa.Column("asked_by_id", NUMBER, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("takes_effect_at", TIME, nullable=False),
        sa.Column("cancelled_at", TIME, nullable=True),
        sa.Column("applied_at", TIME, nullable=True),
        *_entry("loosenings"),
        *_to("loosenings", "tenant_id", "tenants"),
        *_to("loosenings", "asked_by_id", "memberships"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loosenings")),
    )


def _told() -> None:
    """What a person is yet to be told of those who stood in for them."""
    op.create_table(
        "notices",
        _id(),
        sa.Column("tenant_id", NUMBER, nullable=False),
        sa.Column("subject_membership_id", NUMBER, nullable=False),
        sa.Column("actor_membership_id", NUMBER, nullable=False),
        sa.Column("actor_name", sa.String(250), nullable=False),
        sa.Column("actor_tenant_name", sa.String(200), nullable=False),
        sa.Column("via", sa.String(20), nullable=False),
        sa.Column("stand_in_id", NUMBER, nullable=False),
        sa.Column("at_once", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("told_at", TIME, nullable=True),
        *_to("notices", "tenant_id", "tenants"),
        *_to("notices", "subject_membership_id", "memberships"),
        *_to("notices", "actor_membership_id", "memberships"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )


def _indexes() -> None:
    op.drop_index("ix_impersonations_live", "impersonations")
    live = "ended_at IS NULL"
    _where("ix_impersonations_live", "impersonations", ["user_id"], f"{live} AND kind = 'impersonation'", unique=True)
    _where(
        "ix_impersonations_token",
        "impersonations",
        ["user_id", "subject_membership_id"],
        f"{live} AND kind = 'token'",
        unique=True,
    )
    _where("ix_impersonations_subject", "impersonations", ["subject_membership_id"], live)
    op.create_index("ix_impersonations_tenant", "impersonations", ["tenant_id", "id"])
    op.create_index("ix_impersonations_actor", "impersonations", ["actor_tenant_id", "id"])
    op.create_index("ix_impersonations_user", "impersonations", ["user_id", "created_at"])
    _where("ix_logins_impersonation", "logins", ["impersonation_id"], "impersonation_id IS NOT NULL")
    # What apps are yet to be told of; those that asked not to be told are not in it.
    _where("ix_logins_to_tell", "logins", ["tell_at", "id"], "ended_at IS NOT NULL AND tell AND told_at IS NULL")
    # And what they were told, for the pages of apps and bindings.
    told = "ended_at IS NOT NULL AND tell"
    _where("ix_logins_told", "logins", ["app_id", "ended_at"], told)
    _where("ix_logins_told_binding", "logins", ["binding_id"], f"{told} AND binding_id IS NOT NULL")
    _where("ix_logins_run_out", "logins", ["ends_at"], "ended_at IS NULL AND ends_at IS NOT NULL")
    _where("ix_consents_live", "consents", ["tenant_id"], "revoked_at IS NULL")
    _where("ix_break_glasses_live", "break_glasses", ["subject_membership_id"], live)
    open_ = "cancelled_at IS NULL AND applied_at IS NULL"
    _where("ix_loosenings_open", "loosenings", ["tenant_id"], open_, unique=True)
    _where("ix_notices_untold", "notices", ["subject_membership_id", "id"], "told_at IS NULL")
    op.create_index("ix_notices_told", "notices", ["subject_membership_id", "actor_membership_id", "told_at"])


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
