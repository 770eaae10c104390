"""What a rule read, how a pool's turns moved, and whose clock a lead keeps that changed hands"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignment", sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("assignment", sa.Column("pointer", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("assignment", sa.Column("clock_from", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "assignment_ended",
        "assignment",
        ["journey_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("assignment_ended", table_name="assignment")
    for column in ("clock_from", "pointer", "inputs"):
        op.drop_column("assignment", column)
