"""Reps say that they are away, and that they are back"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "absence",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("rep", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("until IS NULL OR until > since"),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)"),
    )
    op.create_index("one_open_absence", "absence", ["rep"], unique=True, postgresql_where=sa.text("ended_at IS NULL"))
    op.execute(
        "CREATE TRIGGER absence_announced AFTER INSERT OR UPDATE OR DELETE ON absence "
        "FOR EACH STATEMENT EXECUTE FUNCTION announce_change('owners')"
    )


def downgrade() -> None:
    op.drop_table("absence")
