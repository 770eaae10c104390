"""Records that were deleted where they came from are known as such, and their owners are told"""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


_KINDS = (
    "'lead_assigned', 'lead_heard_again', 'lead_warmed_up', 'lead_stale', 'lead_taken_back', 'lead_recycled', "
    "'lead_handed_over', 'work_item_overdue', 'first_touch_due', 'first_touch_overdue', 'acceptance_due', "
    "'acceptance_overdue', 'next_touch_due', 'next_touch_overdue', 'stage_due', 'stage_overdue', 'record_assigned', "
    "'record_changed', 'record_slipped'"
)
_OTHERS = (
    "'crm_write', 'crm_write_again', 'event_owned', 'event_held', 'event_accepted', 'event_rejected', 'event_missed'"
)


def upgrade() -> None:
    op.create_table(
        "record_deletion",
        sa.Column("record_id", sa.BigInteger(), sa.ForeignKey("record.id"), primary_key=True),
        sa.Column("noticed_at", sa.DateTime(timezone=True), primary_key=True),
    )
    op.drop_constraint("outbox_kind_check", "outbox")
    op.create_check_constraint(None, "outbox", f"kind IN ({_KINDS}, 'record_deleted', {_OTHERS})")


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'record_deleted'")
    op.drop_constraint("outbox_kind_check", "outbox")
    op.create_check_constraint(None, "outbox", f"kind IN ({_KINDS}, {_OTHERS})")
    op.drop_table("record_deletion")
