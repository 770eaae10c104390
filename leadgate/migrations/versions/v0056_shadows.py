"""A draft of a playbook decides beside the one in use, and what it would have decided is kept"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shadow",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), primary_key=True),
        sa.Column("playbook_hash", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.String(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("passes", sa.Integer(), nullable=False),
        sa.Column("pools", JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
    )
    op.create_index(
        "shadow_one", "shadow", [sa.text("(stopped_at IS NULL)")], unique=True,
        postgresql_where=sa.text("stopped_at IS NULL"),
    )  # fmt: skip
    op.create_table(
        "shadow_pass",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), primary_key=True),
        sa.Column("shadow_id", sa.BigInteger(), sa.ForeignKey("shadow.id"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batches", ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("last_batch", sa.BigInteger(), nullable=False),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("different", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("differences", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
    )
    op.create_index("shadow_pass_of", "shadow_pass", ["shadow_id", "id"])
    op.create_table(
        "shadow_journey",
        sa.Column("shadow_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("journey_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("owned_both", sa.Boolean(), nullable=False),
        sa.Column("other_owner", sa.Boolean(), nullable=False),
        sa.Column("uncertain", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", JSONB(), nullable=True),
        sa.Column("after", JSONB(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("shadow_journey")
    op.drop_table("shadow_pass")
    op.drop_table("shadow")
