"""A lead that passed enrichment without a provider is looked up again later"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lead", sa.Column("enrich_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("lead_enrich", "lead", ["enrich_at"], postgresql_where=sa.text("enrich_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("lead_enrich", table_name="lead")
    op.drop_column("lead", "enrich_at")
