"""Open recovery tasks are found by an index: each stage looks for its own at each batch"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "work_item_recovery",
        "work_item",
        ["stage", "journey_id"],
        postgresql_where=sa.text("kind = 'recovery' AND closed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("work_item_recovery", table_name="work_item")
