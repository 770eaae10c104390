"""A journey keeps every promise that a person answers for, and not the last one alone"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column(
        "journey",
        "waived",
        type_=postgresql.ARRAY(sa.Text()),
        postgresql_using="CASE WHEN waived IS NOT NULL THEN ARRAY[CAST(waived AS text)] END",
    )


def downgrade() -> None:
    op.alter_column(
        "journey", "waived", type_=sa.String(), postgresql_using="waived[array_upper(waived, 1)]::character varying"
    )
