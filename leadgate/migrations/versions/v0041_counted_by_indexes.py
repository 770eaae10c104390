"""What pages count is read from indexes, and work items of a journey are found by one

A lead's page read every work item that ever was, the page of the queue every open one, and the pages of the team and
of operations every lead that somebody has.
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_OPEN_ITEM = sa.text("closed_at IS NULL")
_OPEN_ASSIGNMENT = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_index("work_item_journey", "work_item", ["journey_id"])
    op.drop_index("work_item_open", table_name="work_item", postgresql_where=_OPEN_ITEM)
    op.create_index(
        "work_item_open", "work_item", ["reason", "route", "source", "assignee", "due_at"], postgresql_where=_OPEN_ITEM
    )
    op.drop_index("assignment_open", table_name="assignment", postgresql_where=_OPEN_ASSIGNMENT)
    op.create_index(
        "assignment_open",
        "assignment",
        ["owner", "due_at"],
        postgresql_include=["due_soon_at", "touched_at", "journey_id"],
        postgresql_where=_OPEN_ASSIGNMENT,
    )


def downgrade() -> None:
    op.drop_index("assignment_open", table_name="assignment", postgresql_where=_OPEN_ASSIGNMENT)
    op.create_index("assignment_open", "assignment", ["owner", "due_at"], postgresql_where=_OPEN_ASSIGNMENT)
    op.drop_index("work_item_open", table_name="work_item", postgresql_where=_OPEN_ITEM)
    op.create_index("work_item_open", "work_item", ["route", "reason"], postgresql_where=_OPEN_ITEM)
    op.drop_index("work_item_journey", table_name="work_item")
