"""Views of the report that people have saved, and their e-mails"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_view",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("section", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("rep", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("every", sa.String(), nullable=True),
        sa.Column("weekday", sa.Integer(), nullable=True),
        sa.Column("day", sa.Integer(), nullable=True),
        sa.Column("minute", sa.Integer(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=True),
        sa.Column("due_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.CheckConstraint("every IN ('daily', 'weekly', 'monthly')"),
        sa.CheckConstraint("every IS NULL OR (minute BETWEEN 0 AND 1439 AND time_zone IS NOT NULL)"),
        sa.CheckConstraint("every <> 'weekly' OR weekday BETWEEN 0 AND 6"),
        sa.CheckConstraint("every <> 'monthly' OR day BETWEEN 1 AND 31"),
    )
    op.create_index(
        "saved_view_name", "saved_view", ["account_id", sa.text("lower(name)")], unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )  # fmt: skip
    op.create_table(
        "report_mail",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("view_id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["view_id"], ["saved_view.id"]),
        sa.CheckConstraint("step IN ('asked', 'claimed', 'sent', 'failed', 'given_up', 'refused')"),
    )
    op.create_index("report_mail_step", "report_mail", ["view_id", "due_at", "attempt", "step"], unique=True)


def downgrade() -> None:
    op.drop_table("report_mail")
    op.drop_table("saved_view")
