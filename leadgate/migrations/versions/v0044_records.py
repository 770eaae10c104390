"""Journeys of other kinds than leads: records (opportunities, contracts, expansions), each version as it was told"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


_MESSAGES = (
    "'lead_assigned', 'lead_heard_again', 'lead_warmed_up', 'lead_stale', 'lead_taken_back', 'lead_recycled', "
    "'lead_handed_over', 'work_item_overdue', 'first_touch_due', 'first_touch_overdue', 'acceptance_due', "
    "'acceptance_overdue', 'next_touch_due', 'next_touch_overdue', 'stage_due', 'stage_overdue'"
)
_OF_RECORDS = "'record_assigned', 'record_changed', 'record_slipped'"
_OTHERS = (
    "'crm_write', 'crm_write_again', 'event_owned', 'event_held', 'event_accepted', 'event_rejected', 'event_missed'"
)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _figures() -> list[sa.Column[Any]]:
    """What lists and figures read of a record, or of a version of it."""
    return [
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("sales_stage", sa.String(), nullable=True),
        sa.Column("amount", sa.Numeric(18, 2), nullable=True),
        sa.Column("close_date", sa.Date(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
    ]


def upgrade() -> None:
    op.create_table(
        "record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("values", postgresql.JSONB(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("account", sa.String(), nullable=True),
        sa.Column("account_key", sa.String(), nullable=True),
        *_figures(),
        sa.Column("enriched", postgresql.JSONB(), nullable=True),
        sa.Column("slipped_on", sa.Date(), nullable=True),
        _moment("again_at", nullable=True),
        _moment("created_at"),
        _moment("updated_at"),
    )
    op.create_index("record_key", "record", ["kind", "source", "key"], unique=True)
    op.create_index("record_again", "record", ["again_at"], postgresql_where=sa.text("again_at IS NOT NULL"))
    op.create_index("record_closing", "record", ["close_date"], postgresql_where=sa.text("is_open"))
    op.create_index(
        "record_account", "record", ["kind", "account_key"], postgresql_where=sa.text("account_key IS NOT NULL")
    )
    op.create_table(
        "record_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), primary_key=True),
        sa.Column("record_id", sa.BigInteger(), sa.ForeignKey("record.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        _moment("changed_at"),
        sa.Column("changed_by", sa.String(), nullable=True),
        _moment("received_at"),
        sa.Column("values", postgresql.JSONB(), nullable=True),
        sa.Column("changes", postgresql.JSONB(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        *_figures(),
        sa.CheckConstraint("number > 0"),
    )
    op.create_index("record_version_journey", "record_version", ["journey_id", "number"], unique=True)
    op.create_index("record_version_record", "record_version", ["record_id", "received_at", "id"])
    op.create_table(
        "record_judgement",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), primary_key=True),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("facts", postgresql.JSONB(), nullable=True),
        sa.Column("playbook_hash", sa.String(), nullable=False),
        _moment("at"),
    )
    op.create_index("record_judgement_once", "record_judgement", ["journey_id", "generation"], unique=True)
    op.create_index("ix_record_judgement_record_id", "record_judgement", ["record_id"])
    op.create_table(
        "record_slip",
        sa.Column("record_id", sa.BigInteger(), sa.ForeignKey("record.id"), primary_key=True),
        sa.Column("close_date", sa.Date(), primary_key=True),
        sa.Column("journey_id", sa.BigInteger(), nullable=True),
        _moment("noticed_at"),
    )
    op.drop_constraint("outbox_kind_check", "outbox")
    op.create_check_constraint(None, "outbox", f"kind IN ({_MESSAGES}, {_OF_RECORDS}, {_OTHERS})")
    op.add_column("journey", sa.Column("kind", sa.String(), nullable=False, server_default="lead"))
    op.add_column("journey", sa.Column("record_id", sa.BigInteger(), sa.ForeignKey("record.id"), nullable=True))
    op.create_check_constraint("leads_have_journeys_of_their_kind", "journey", "lead_id IS NULL OR kind = 'lead'")
    op.create_check_constraint("records_have_journeys_of_their_kind", "journey", "record_id IS NULL OR kind <> 'lead'")
    op.create_index(
        "one_owned_journey_per_record",
        "journey",
        ["record_id"],
        unique=True,
        postgresql_where=sa.text("status = 'owned' AND record_id IS NOT NULL"),
    )
    op.create_index("journey_record", "journey", ["record_id", "id"], postgresql_where=sa.text("record_id IS NOT NULL"))
    op.add_column("batch", sa.Column("journey_kind", sa.String(), nullable=False, server_default="lead"))
    op.add_column("activity", sa.Column("record_id", sa.BigInteger(), sa.ForeignKey("record.id"), nullable=True))
    op.create_index(
        "activity_record", "activity", ["record_id", "occurred_at"], postgresql_where=sa.text("record_id IS NOT NULL")
    )


def downgrade() -> None:
    op.execute(f"DELETE FROM outbox WHERE kind IN ({_OF_RECORDS})")
    op.drop_constraint("outbox_kind_check", "outbox")
    op.create_check_constraint(None, "outbox", f"kind IN ({_MESSAGES}, {_OTHERS})")
    op.execute("DELETE FROM journey WHERE kind <> 'lead'")
    op.drop_column("activity", "record_id")
    op.drop_column("batch", "journey_kind")
    op.drop_column("journey", "record_id")
    op.drop_column("journey", "kind")
    for table in ("record_slip", "record_judgement", "record_version", "record"):
        op.drop_table(table)
