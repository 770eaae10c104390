"""Where in the table the assignments of a period are: a report of some weeks need not read those of years"""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("assignment_at", "assignment", ["assigned_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("assignment_at", table_name="assignment", postgresql_using="brin")
