"""Activities name the record that they are about, and find it once it is known"""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("activity", sa.Column("record_source", sa.String(), nullable=True))
    op.add_column("activity", sa.Column("record_key", sa.String(), nullable=True))
    op.create_index(
        "activity_unmatched_record",
        "activity",
        ["record_key"],
        postgresql_where=sa.text("record_id IS NULL AND record_key IS NOT NULL"),
    )
    op.create_index("record_by_key", "record", ["key"])


def downgrade() -> None:
    op.drop_index("record_by_key", "record")
    op.drop_index("activity_unmatched_record", "activity")
    op.drop_column("activity", "record_key")
    op.drop_column("activity", "record_source")
