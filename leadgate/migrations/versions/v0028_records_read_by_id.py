"""Records that webhooks name are asked for again after a failure, and by one process at a time"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("crm_change", sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("crm_change", sa.Column("ask_after", sa.DateTime(timezone=True), nullable=True))
    op.add_column("crm_change", sa.Column("source_rests_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in ("source_rests_until", "ask_after", "attempts"):
        op.drop_column("crm_change", name)
