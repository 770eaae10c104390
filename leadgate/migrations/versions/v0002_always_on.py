"""Running all day: who held a batch, who consumes, how a delivery goes, what nobody took in time"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batch_holder",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_batch_holder_batch_id"), "batch_holder", ["batch_id"], unique=False)
    op.create_index("batch_holder_once", "batch_holder", ["holder", "batch_id", "epoch"], unique=True)
    op.create_table(
        "consumer",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("doing", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("batch", sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("work_item", sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("work_item", sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("outbox", sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("failure", sa.String(), nullable=True))
    op.create_index(
        "outbox_waiting",
        "outbox",
        ["id"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL AND given_up_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("outbox_waiting", table_name="outbox")
    for column in ("failure", "given_up_at", "retry_at", "attempts"):
        op.drop_column("outbox", column)
    for column in ("escalated_at", "taken_at"):
        op.drop_column("work_item", column)
    op.drop_column("batch", "failures")
    op.drop_table("consumer")
    op.drop_table("batch_holder")
