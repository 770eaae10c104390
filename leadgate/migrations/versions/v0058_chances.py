"""Owners and reviewers work by the chance of a learned score that advises: it is kept where their lists are read"""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

_ADVISED = """
    UPDATE {table} t SET chance = CAST(q.details -> 'learned' ->> 'chance' AS double precision)
    FROM qualification q
    WHERE t.{open} IS NULL AND q.journey_id = t.journey_id AND q.details -> 'learned' ->> 'role' <> 'shadow'
        AND q.generation = (SELECT max(generation) FROM qualification last WHERE last.journey_id = t.journey_id)"""


def upgrade() -> None:
    for table, open_ in (("assignment", "ended_at"), ("work_item", "closed_at")):
        op.add_column(table, sa.Column("chance", sa.Float(), nullable=True))
        op.execute(_ADVISED.format(table=table, open=open_))
    op.create_index(
        "assignment_advised",
        "assignment",
        ["owner", sa.text("chance DESC"), "id"],
        postgresql_where=sa.text("kind = 'lead' AND ended_at IS NULL AND touched_at IS NULL AND chance IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("assignment_advised", table_name="assignment")
    for table in ("work_item", "assignment"):
        op.drop_column(table, "chance")
