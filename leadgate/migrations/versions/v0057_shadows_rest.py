"""A shadow says why it was stopped and why it rests, decides a large batch in parts, and forgets old journeys"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shadow", sa.Column("stop_reason", sa.String(), nullable=True))
    op.add_column("shadow", sa.Column("part", JSONB(), nullable=True))
    op.add_column("shadow", sa.Column("problem", sa.String(), nullable=True))
    op.add_column("shadow", sa.Column("problem_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("shadow", sa.Column("forgotten", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.create_index("shadow_journey_at", "shadow_journey", ["at"])


def downgrade() -> None:
    op.drop_index("shadow_journey_at", "shadow_journey")
    for column in ("forgotten", "problem_at", "problem", "part", "stop_reason"):
        op.drop_column("shadow", column)
