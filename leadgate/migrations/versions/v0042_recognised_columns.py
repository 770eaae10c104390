"""A signal keeps which columns of its file are known by their values: all rows of a file are mapped alike"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signal", sa.Column("recognised", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("signal", "recognised")
