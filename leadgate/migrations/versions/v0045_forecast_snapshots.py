"""The opportunities as they were known at the end of each day, for the forecast; and since when a version is known"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("record_version", sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE record_version SET stored_at = received_at")
    op.alter_column("record_version", "stored_at", nullable=False)
    op.create_table(
        "forecast_day",
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("forecast_day_as_of", "forecast_day", ["as_of"])
    op.create_table(
        "forecast_snapshot",
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("record_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("amount", sa.Numeric(18, 2), nullable=True),
        sa.Column("close_date", sa.Date(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("sales_stage", sa.String(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("forecast_snapshot")
    op.drop_table("forecast_day")
    op.drop_column("record_version", "stored_at")
