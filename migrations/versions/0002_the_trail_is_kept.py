"""The database itself keeps the trail: entries stay as they are, and no audited row changes without its entry."""

from alembic import op

from migrations.triggers import KEPT, SILENT, STAYS, abort, always, audit, refusing

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AUDITED: dict[str, tuple[str, list[str]]] = {
    # table: (columns whose change needs an entry, what makes another row the same one)
    "tenants": (
        "parent_id kind name slug zone created_at discarded_at discarded_level_id policy_stand_ins policy_look "
        "policy_binding_reach policy_reason policy_ticket policy_second_factor policy_notice policy_binding_days",
        ["path = NEW.path", "parent_id = NEW.parent_id AND slug = NEW.slug"],
    ),
    "suspensions": ("tenant_id scope reason level_id created_at lifted_at", []),
    "users": (
        "home_tenant_id name email email_verified_at password_hash second_factor locale zone theme keys_on created_at "
        "discarded_at discarded_level_id",
        ["email = NEW.email"],
    ),
    "memberships": (
        "user_id tenant_id role sponsor_id role_given_by_id role_given_at created_at discarded_at discarded_level_id",
        ["user_id = NEW.user_id AND tenant_id = NEW.tenant_id"],
    ),
    "teams": ("tenant_id name created_at discarded_at", []),
    "team_members": (
        "team_id tenant_id membership_id lead left_at",
        ["team_id = NEW.team_id AND membership_id = NEW.membership_id"],
    ),
    "phone_systems": (
        "tenant_id name slug host created_at discarded_at",
        ["tenant_id = NEW.tenant_id AND slug = NEW.slug"],
    ),
    "extensions": (
        "tenant_id phone_system_id number name membership_id created_at discarded_at",
        [
            "phone_system_id = NEW.phone_system_id AND number = NEW.number AND discarded_at IS NULL "
            "AND NEW.discarded_at IS NULL"
        ],
    ),
    "products": ("name slug created_at", ["slug = NEW.slug"]),
    "licences": (
        "tenant_id extension_id product_id app_admin created_at discarded_at",
        [
            "extension_id = NEW.extension_id AND product_id = NEW.product_id AND discarded_at IS NULL "
            "AND NEW.discarded_at IS NULL"
        ],
    ),
    "apps": (
        "tenant_id client_id name type secret_hash product_id needs_extension admin_only fallback_id login_uri "
        "redirect_uris post_logout_redirect_uris first_party id_token_alg created_at discarded_at",
        ["client_id = NEW.client_id"],
    ),
    "invitations": (
        "tenant_id email name role extension_id invited_by_id token_hash created_at sent_at expires_at accepted_at "
        "revoked_at",
        [
            "token_hash = NEW.token_hash",
            "tenant_id = NEW.tenant_id AND email = NEW.email AND accepted_at IS NULL AND revoked_at IS NULL "
            "AND NEW.accepted_at IS NULL AND NEW.revoked_at IS NULL",
        ],
    ),
    "api_keys": (
        "tenant_id membership_id user_id name key_hash scopes created_at expires_at revoked_at",
        ["key_hash = NEW.key_hash"],
    ),
    "bindings": (
        "user_id membership_id subject_membership_id extension_id tenant_id made_by_id accepted_at reason ticket mode "
        "actor_name subject_name tenant_name number created_at ends_at ended_at ended_cause",
        [],
    ),
    "impersonations": (
        "kind actor_membership_id subject_membership_id tenant_id app_id mode reason ticket created_at ends_at "
        "ended_at ended_cause",
        [
            "actor_membership_id = NEW.actor_membership_id AND kind = 'impersonation' AND ended_at IS NULL "
            "AND NEW.kind = 'impersonation' AND NEW.ended_at IS NULL"
        ],
    ),
}


def upgrade() -> None:
    """Put the guards of the trail in place."""
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()
    audit(AUDITED)


def _postgresql() -> None:
    # Which transaction wrote an entry, so that an older one cannot cover for a later change.
    op.execute(
        "ALTER TABLE entries ADD COLUMN transaction_id bigint NOT NULL "
        "DEFAULT (CAST(CAST(pg_current_xact_id() AS text) AS bigint))"
    )
    refusing("understudy_kept", KEPT)
    refusing("understudy_stays", STAYS)
    op.execute(f"""
        CREATE FUNCTION understudy_entry_first() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (TG_OP = 'UPDATE' AND (NEW.last_entry_id = OLD.last_entry_id OR NEW.id <> OLD.id))
               OR NOT EXISTS (
                    SELECT 1 FROM entries e
                     WHERE e.id = NEW.last_entry_id AND e.record_type = TG_TABLE_NAME
                       AND e.record_id = CAST(NEW.id AS text)
                       AND e.transaction_id = CAST(CAST(pg_current_xact_id() AS text) AS bigint))
            THEN RAISE EXCEPTION '{SILENT} (%)', TG_TABLE_NAME USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
    """)
    always("entries", "entries_keep_rows", "BEFORE UPDATE OR DELETE", "ROW", "understudy_kept")
    always("entries", "entries_keep_all", "BEFORE TRUNCATE", "STATEMENT", "understudy_kept")


def _sqlite() -> None:
    abort("entries_keep_update", "BEFORE UPDATE ON entries", "1", KEPT)
    abort("entries_keep_delete", "BEFORE DELETE ON entries", "1", KEPT)
    # INSERT OR REPLACE deletes the old row without asking a delete trigger.
    abort("entries_keep_replace", "BEFORE INSERT ON entries", "EXISTS (SELECT 1 FROM entries WHERE id = NEW.id)", KEPT)
