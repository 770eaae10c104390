"""Scores that age: grades, what decayed, the verdict before, and when time alone changes it"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEW = ("fit_grade", "engagement_grade", "grade", "details", "was", "changes_at")


def upgrade() -> None:
    op.add_column("lead", sa.Column("score_changes_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "lead_score_changes",
        "lead",
        ["score_changes_at"],
        unique=False,
        postgresql_where=sa.text("score_changes_at IS NOT NULL"),
    )
    op.add_column("qualification", sa.Column("fit_grade", sa.String(), nullable=True))
    op.add_column("qualification", sa.Column("engagement_grade", sa.Integer(), nullable=True))
    op.add_column("qualification", sa.Column("grade", sa.String(), nullable=True))
    op.add_column(
        "qualification",
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column("qualification", sa.Column("was", sa.String(), nullable=True))
    op.add_column("qualification", sa.Column("changes_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for column in reversed(_NEW):
        op.drop_column("qualification", column)
    op.drop_index("lead_score_changes", table_name="lead")
    op.drop_column("lead", "score_changes_at")
