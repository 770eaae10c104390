"""What a rule read, how a pool's turns moved, whose clock a lead keeps that changed hands, why a lead waits"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignment", sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("assignment", sa.Column("pointer", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("assignment", sa.Column("clock_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("journey", sa.Column("waits_for", sa.String(), nullable=True))
    op.create_index(
        "assignment_ended",
        "assignment",
        ["journey_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("assignment_ended", table_name="assignment")
    op.drop_column("journey", "waits_for")
    for column in ("clock_from", "pointer", "inputs"):
        op.drop_column("assignment", column)
