"""Indexes by which a lead's last journey, a rep's open leads and what waits are found, however large the ledger is"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_WAITING = "status = 'ready' AND batch_id IS NULL"


def upgrade() -> None:
    op.create_index("journey_lead", "journey", ["lead_id", "id"])
    op.drop_index("ix_journey_lead_id", table_name="journey")
    op.create_index("assignment_open", "assignment", ["owner", "due_at"], postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index("assignment_due", table_name="assignment")
    op.drop_index("journey_waiting", table_name="journey")
    op.create_index("journey_waiting", "journey", [sa.text("(id + 0)")], postgresql_where=sa.text(_WAITING))


def downgrade() -> None:
    op.drop_index("journey_waiting", table_name="journey")
    op.create_index("journey_waiting", "journey", ["id"], postgresql_where=sa.text(_WAITING))
    op.create_index("assignment_due", "assignment", ["due_at"], postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index("assignment_open", table_name="assignment")
    op.create_index("ix_journey_lead_id", "journey", ["lead_id"])
    op.drop_index("journey_lead", table_name="journey")
