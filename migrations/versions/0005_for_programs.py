"""For programs: tokens that are minted once and exchanged, and the token by which a stand-in is used."""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import widen

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)

WIDER = {
    "impersonations": "kind user_id actor_membership_id actor_tenant_id subject_membership_id tenant_id app_id "
    "sign_in_id extension_id mode reason ticket actor_name subject_name subject_email tenant_name number back strong "
    "token_hash created_at ends_at ended_at ended_cause",
}


def upgrade() -> None:
    """What a program is given to stand in by: kept as hashes alone."""
    op.add_column("impersonations", sa.Column("token_hash", sa.String(64), nullable=True))
    op.create_table(
        "mints",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("actor_membership_id", NUMBER, nullable=False),
        sa.Column("subject_membership_id", NUMBER, nullable=False),
        sa.Column("reason", sa.String(1000), nullable=True),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("consumed_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["actor_membership_id"], ["memberships.id"], name=op.f("fk_mints_actor_membership_id_memberships")
        ),
        sa.ForeignKeyConstraint(
            ["subject_membership_id"], ["memberships.id"], name=op.f("fk_mints_subject_membership_id_memberships")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mints")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_mints_token_hash")),
    )
    for table, columns in WIDER.items():
        widen(table, columns)
