"""Follow-up: priorities, further targets, pauses, misses, recycling, and how long a call took"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COUNTERS = ("acceptance_step", "next_touch_step", "stage_step")


def upgrade() -> None:
    op.add_column("lead", sa.Column("recycle_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("lead_recycle", "lead", ["recycle_at"], postgresql_where=sa.text("recycle_at IS NOT NULL"))
    op.add_column("assignment", sa.Column("priority", sa.String(), nullable=True))
    for column in _COUNTERS:
        op.add_column("assignment", sa.Column(column, sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("assignment", sa.Column("last_touched_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("assignment", sa.Column("stale_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("activity", sa.Column("seconds", sa.Integer(), nullable=True))
    op.add_column("activity", sa.Column("automatic", sa.Boolean(), nullable=True))
    op.create_table(
        "pause",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.CheckConstraint("until > started_at"),
        sa.CheckConstraint("ended_at IS NULL OR ended_at BETWEEN started_at AND until", name="pause_ends_as_planned"),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "one_open_pause", "pause", ["journey_id"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index("pause_journey", "pause", ["journey_id", "started_at"])
    op.create_table(
        "missed",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("assignment_id", sa.BigInteger(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("met_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_missed_journey_id"), "missed", ["journey_id"], unique=False)
    op.create_index("missed_once", "missed", ["assignment_id", "target", "since"], unique=True)


def downgrade() -> None:
    op.drop_table("missed")
    op.drop_table("pause")
    for column in ("automatic", "seconds"):
        op.drop_column("activity", column)
    for column in ("stale_since", "last_touched_at", *_COUNTERS, "priority"):
        op.drop_column("assignment", column)
    op.drop_index("lead_recycle", table_name="lead")
    op.drop_column("lead", "recycle_at")
