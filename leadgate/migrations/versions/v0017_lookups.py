"""What services answered about companies, what that cost, and which leads were not looked up"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_answer",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("request", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("values", postgresql.JSONB(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "request"),
    )
    op.create_index("provider_answer_expires", "provider_answer", ["expires_at"])
    op.create_table(
        "provider_state",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("spent", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pauses", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("closed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("provider"),
    )
    op.add_column("lead", sa.Column("not_enriched", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("lead", "not_enriched")
    op.drop_table("provider_state")
    op.drop_table("provider_answer")
