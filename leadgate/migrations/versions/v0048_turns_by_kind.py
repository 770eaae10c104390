"""The turns of a pool are kept for each kind of journey: a record takes no lead's turn"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pool_state", sa.Column("kind", sa.String(), nullable=False, server_default="lead"))
    op.drop_constraint("pool_state_pkey", "pool_state")
    op.create_primary_key("pool_state_pkey", "pool_state", ["pool", "kind"])


def downgrade() -> None:
    op.execute("DELETE FROM pool_state WHERE kind <> 'lead'")
    op.drop_constraint("pool_state_pkey", "pool_state")
    op.create_primary_key("pool_state_pkey", "pool_state", ["pool"])
    op.drop_column("pool_state", "kind")
