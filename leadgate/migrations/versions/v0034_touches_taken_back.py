"""A touch that was logged by mistake is taken back: it stays on record, and counts no more"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("activity", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("action", sa.Column("activity_id", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE action x SET activity_id = (SELECT max(a.id) FROM activity a JOIN journey j ON j.lead_id = a.lead_id "
        "WHERE j.id = x.journey_id AND a.source = 'by_hand' AND a.kind = x.note AND a.received_at = x.at) "
        "WHERE x.what = 'touch'"
    )


def downgrade() -> None:
    op.drop_column("action", "activity_id")
    op.drop_column("activity", "withdrawn_at")
