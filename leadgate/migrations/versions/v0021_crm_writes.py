"""CRMs: connections, the record that a lead is, and follow-up tasks"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = True) -> "sa.Column[datetime]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


_MESSAGES = (
    "'lead_assigned', 'lead_heard_again', 'lead_warmed_up', 'lead_stale', 'lead_taken_back', 'lead_recycled', "
    "'lead_handed_over', 'work_item_overdue', 'first_touch_due', 'first_touch_overdue', 'acceptance_due', "
    "'acceptance_overdue', 'next_touch_due', 'next_touch_overdue', 'stage_due', 'stage_overdue'"
)


def upgrade() -> None:
    op.drop_constraint("outbox_kind_check", "outbox")
    op.create_check_constraint(None, "outbox", f"kind IN ({_MESSAGES}, 'crm_write', 'crm_write_again')")
    op.create_table(
        "crm_connection",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("waits_until"),
        sa.Column("waits_because", sa.String(), nullable=True),
        sa.Column("day_limit", sa.Integer(), nullable=True),
        sa.Column("day_left", sa.Integer(), nullable=True),
        _moment("seen_at"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "crm_link",
        sa.Column("crm", sa.String(), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("found_by", sa.String(), nullable=False),
        _moment("linked_at", nullable=False),
        _moment("gone_at"),
        sa.Column("written", postgresql.JSONB(), nullable=True),
        _moment("written_at"),
        sa.Column("read", postgresql.JSONB(), nullable=True),
        _moment("read_at"),
        sa.Column("differing", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("crm", "lead_id"),
    )
    op.create_index("crm_link_record", "crm_link", ["crm", "record_id"], unique=True)
    op.create_index("crm_link_read", "crm_link", ["crm", "read_at"])
    op.create_table(
        "crm_task",
        sa.Column("crm", sa.String(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("is_done", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _moment("written_at", nullable=False),
        sa.PrimaryKeyConstraint("crm", "journey_id", "generation"),
    )
    op.create_index("ix_crm_task_lead_id", "crm_task", ["lead_id"])


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind IN ('crm_write', 'crm_write_again')")
    op.drop_constraint("outbox_kind_check", "outbox")
    op.create_check_constraint(None, "outbox", f"kind IN ({_MESSAGES})")
    for table in ("crm_task", "crm_link", "crm_connection"):
        op.drop_table(table)
