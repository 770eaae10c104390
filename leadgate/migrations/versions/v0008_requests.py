"""What is kept of requests over HTTP: the sender's address, the request's id, and ids that came again otherwise"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("signal", "activity")
_COLUMNS = ("client_address", "request_id", "request_hash")


def upgrade() -> None:
    for table in _TABLES:
        for column in _COLUMNS:
            op.add_column(table, sa.Column(column, sa.String(), nullable=True))
        op.create_index(
            f"{table}_request",
            table,
            ["source", "request_id"],
            postgresql_where=sa.text("request_hash IS NOT NULL"),
        )
    op.create_table(
        "reused_request",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_address", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("source", "request_id"),
    )


def downgrade() -> None:
    op.drop_table("reused_request")
    for table in _TABLES:
        op.drop_index(f"{table}_request", table_name=table)
        for column in _COLUMNS:
            op.drop_column(table, column)
