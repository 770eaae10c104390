"""An account may be a person whom an OpenID Connect server vouches for"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("subject", sa.String(), nullable=True))
    op.create_index("account_subject", "account", ["subject"], unique=True)


def downgrade() -> None:
    op.drop_index("account_subject", "account")
    op.drop_column("account", "subject")
