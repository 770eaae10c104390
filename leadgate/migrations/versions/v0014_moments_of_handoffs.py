"""A journey keeps when it was handed on, so that a report on a large ledger need not read every handoff"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "journey",
        sa.Column(
            "handed_on_at",
            ARRAY(sa.DateTime(timezone=True)),
            server_default=sa.text("'{}'::timestamptz[]"),
            nullable=False,
        ),
    )
    # handoffs of one generation are written in the order of the stages
    op.execute(
        "UPDATE journey j SET handed_on_at = h.moments FROM (SELECT journey_id, array_agg(at ORDER BY id) AS moments "
        "FROM handoff WHERE generation = 0 GROUP BY journey_id) h WHERE h.journey_id = j.id AND j.generation = 0"
    )


def downgrade() -> None:
    op.drop_column("journey", "handed_on_at")
