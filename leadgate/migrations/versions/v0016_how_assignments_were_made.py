"""An assignment says how it was made; until now a space in the name of its route meant that a person had made it"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignment", sa.Column("method", sa.String(), server_default="route", nullable=False))
    # no route of a playbook has a name with a space
    op.execute("UPDATE assignment SET method = split_part(rule, ' ', 1) WHERE rule ~ '^(reassign|transfer) '")
    op.create_check_constraint(None, "assignment", "method IN ('route', 'reassign', 'transfer')")


def downgrade() -> None:
    op.drop_column("assignment", "method")
