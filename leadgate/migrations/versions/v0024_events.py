"""Other systems are told what happens to leads: kinds of events, and who is told of which"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_MESSAGES = (
    "'lead_assigned', 'lead_heard_again', 'lead_warmed_up', 'lead_stale', 'lead_taken_back', 'lead_recycled', "
    "'lead_handed_over', 'work_item_overdue', 'first_touch_due', 'first_touch_overdue', 'acceptance_due', "
    "'acceptance_overdue', 'next_touch_due', 'next_touch_overdue', 'stage_due', 'stage_overdue', "
    "'crm_write', 'crm_write_again'"
)
_EVENTS = "'event_owned', 'event_held', 'event_accepted', 'event_rejected', 'event_missed'"


def upgrade() -> None:
    op.drop_constraint("outbox_kind_check", "outbox")
    op.create_check_constraint(None, "outbox", f"kind IN ({_MESSAGES}, {_EVENTS})")
    op.create_table(
        "event_subscription",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"kind IN ({_EVENTS})"),
        sa.PrimaryKeyConstraint("name", "kind"),
    )


def downgrade() -> None:
    op.drop_table("event_subscription")
    op.execute(f"DELETE FROM outbox WHERE kind IN ({_EVENTS})")
    op.drop_constraint("outbox_kind_check", "outbox")
    op.create_check_constraint(None, "outbox", f"kind IN ({_MESSAGES})")
