"""Two indexes of leads that nothing needs: each new lead wrote to both, at a random place

No statement looked for a lead's e-mail address as written: addresses are found by ``identity`` and by words. Leads of
the same number are found by the number's end.
"""

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("lead_email", table_name="lead")
    op.drop_index("lead_phone", table_name="lead")


def downgrade() -> None:
    op.create_index("lead_phone", "lead", ["phone"])
    op.create_index("lead_email", "lead", ["email"])
