"""Which way the match keys were made: those of an earlier way are made again when the ledger is opened"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hash_key", sa.Column("match_keys", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    op.drop_column("hash_key", "match_keys")
