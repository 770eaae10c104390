"""Who is the same person, and which account: keys to look by, lookalikes, joins, verdicts, account candidates"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lead", sa.Column("account_candidates", postgresql.JSONB(), nullable=True))
    op.create_table(
        "match_key",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lead_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "lead_id"),
    )
    op.create_table(
        "lookalike",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("levels", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("lookalike_once", "lookalike", ["journey_id", "generation", "lead_id"], unique=True)
    op.create_table(
        "lead_join",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("joined_to", sa.BigInteger(), nullable=True),
        sa.Column("because", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("changed", postgresql.JSONB(), nullable=True),
        sa.Column("claimed", postgresql.JSONB(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("lead_join_once", "lead_join", ["journey_id", "generation"], unique=True)
    op.create_index(op.f("ix_lead_join_lead_id"), "lead_join", ["lead_id"], unique=False)
    # until now a canonical e-mail address was the only reason to join
    op.execute(
        "INSERT INTO lead_join (journey_id, generation, lead_id, joined_to, because, at) "
        "SELECT j.id, j.generation, j.lead_id, j.joined_to, '[\"email\"]', h.at FROM journey j "
        "JOIN handoff h ON h.journey_id = j.id AND h.generation = j.generation AND h.outcome = 'joined' "
        "WHERE j.status = 'joined' ORDER BY j.id"
    )
    op.create_table(
        "lead_verdict",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("same", sa.Boolean(), nullable=False),
        sa.Column("keep", sa.BigInteger(), nullable=True),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("low < high", name="verdict_in_order"),
        sa.CheckConstraint("same = (keep IS NOT NULL)", name="verdict_keeps_one"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("lead_verdict_pair", "lead_verdict", ["low", "high"], unique=False)
    op.create_index("lead_verdict_high", "lead_verdict", ["high"], unique=False)


def downgrade() -> None:
    for table in ("lead_verdict", "lead_join", "lookalike", "match_key"):
        op.drop_table(table)
    op.drop_column("lead", "account_candidates")
