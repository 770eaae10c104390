"""Clocks: how far each host's is off, batches that were worked on as of another moment, when a message was claimed"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "host",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("skew", sa.Float(), nullable=False),
        sa.Column("uncertainty", sa.Float(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    # of a batch from before nobody knows by whose clock it went
    op.add_column("batch", sa.Column("as_of", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.alter_column("batch", "as_of", server_default=sa.text("false"))
    op.add_column("outbox", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "claimed_at")
    op.drop_column("batch", "as_of")
    op.drop_table("host")
