"""Parts of a batch, and when a batch last moved on: what a bisected batch and a standstill are seen by"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("part_of", sa.BigInteger(), nullable=True))
    op.add_column(
        "batch",
        sa.Column(
            "advanced_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("batch", "advanced_at")
    op.drop_column("batch", "part_of")
