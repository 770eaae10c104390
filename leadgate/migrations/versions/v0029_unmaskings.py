"""Who had the masked values of a lead shown to them, and an index for the queue of open work items"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unmasking",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_unmasking_journey_id", "unmasking", ["journey_id"])
    op.create_index("work_item_due", "work_item", ["due_at", "id"], postgresql_where=sa.text("closed_at IS NULL"))


def downgrade() -> None:
    op.drop_index("work_item_due", "work_item")
    op.drop_table("unmasking")
