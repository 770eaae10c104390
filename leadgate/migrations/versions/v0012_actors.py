"""Actors: for whom a person acted, and what an undo needs to know of an action"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("action", sa.Column("acted_for", sa.String(), nullable=True))
    op.add_column("action", sa.Column("version", sa.Integer(), nullable=True))
    op.add_column("action", sa.Column("number", sa.BigInteger(), nullable=True))
    op.add_column("action", sa.Column("undoes", sa.BigInteger(), nullable=True))
    op.create_index("action_number", "action", ["number"])
    op.create_index("action_undone", "action", ["undoes"], postgresql_where=sa.text("undoes IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("action_undone", "action")
    op.drop_index("action_number", "action")
    for name in ("undoes", "number", "version", "acted_for"):
        op.drop_column("action", name)
