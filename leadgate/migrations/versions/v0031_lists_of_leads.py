"""People write notes about leads; and the indexes in whose order the list of leads is read"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_BEFORE = (
    "'accept', 'reject', 'wait', 'resume', 'reassign', 'unassign', 'transfer', 'touch', 'take', 'unjoin', 'undo', "
    "'rerun', 'corrected', 'done_by_hand', 'discarded', 'same_person', 'different_person'"
)
_AFTER = _BEFORE.replace("'touch', ", "'touch', 'note', ")


def upgrade() -> None:
    op.drop_constraint("action_what_check", "action")
    op.create_check_constraint(None, "action", f"what IN ({_AFTER})")
    op.create_index(
        "assignment_waiting",
        "assignment",
        ["owner", sa.text("coalesce(due_at, 'infinity')"), "id"],
        postgresql_where=sa.text("ended_at IS NULL AND touched_at IS NULL"),
    )
    op.create_index(
        "assignment_touched",
        "assignment",
        ["owner", "assigned_at", "id"],
        postgresql_where=sa.text("ended_at IS NULL AND touched_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("assignment_touched", table_name="assignment")
    op.drop_index("assignment_waiting", table_name="assignment")
    op.drop_constraint("action_what_check", "action")
    op.execute("DELETE FROM action WHERE what = 'note'")
    op.create_check_constraint(None, "action", f"what IN ({_BEFORE})")
