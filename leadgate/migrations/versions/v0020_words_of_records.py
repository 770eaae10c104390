"""Kinds of messages, actions of people and outcomes of handoffs are words of a closed set, in the database too"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_OUTCOMES = "'continued', 'held', 'joined', 'nurture', 'disqualified', 'done', 'reassigned'"
_ACTIONS = (
    "'accept', 'reject', 'wait', 'resume', 'reassign', 'unassign', 'transfer', 'touch', 'take', 'unjoin', 'undo', "
    "'rerun', 'corrected', 'done_by_hand', 'discarded', 'same_person', 'different_person'"
)
_MESSAGES = (
    "'lead_assigned', 'lead_heard_again', 'lead_warmed_up', 'lead_stale', 'lead_taken_back', 'lead_recycled', "
    "'lead_handed_over', 'work_item_overdue', 'first_touch_due', 'first_touch_overdue', 'acceptance_due', "
    "'acceptance_overdue', 'next_touch_due', 'next_touch_overdue', 'stage_due', 'stage_overdue'"
)


def upgrade() -> None:
    op.create_check_constraint(None, "handoff", f"outcome IN ({_OUTCOMES})")
    op.create_check_constraint(None, "action", f"what IN ({_ACTIONS})")
    op.create_check_constraint(None, "outbox", f"kind IN ({_MESSAGES})")


def downgrade() -> None:
    op.drop_constraint("outbox_kind_check", "outbox")
    op.drop_constraint("action_what_check", "action")
    op.drop_constraint("handoff_outcome_check", "handoff")
