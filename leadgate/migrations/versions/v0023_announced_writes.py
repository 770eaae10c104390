"""What was sent to a CRM is known before the CRM has answered: begun writes of records, and follow-up tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("crm_link", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("crm_task", "task_id", existing_type=sa.String(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM crm_task WHERE task_id IS NULL")
    op.alter_column("crm_task", "task_id", existing_type=sa.String(), nullable=False)
    op.drop_column("crm_link", "sent_at")
