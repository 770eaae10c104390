"""Who had which playbook in use since when, and why; and what each playbook's file held when it was last read"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "playbook_activation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["hash"], ["playbook_version.hash"]),
        sa.CheckConstraint("method IN ('command', 'rollback', 'file', 'upgrade', 'unrecorded')"),
        sa.CheckConstraint("(\"by\" IS NULL) = (method = 'unrecorded')"),
    )
    op.create_table(
        "playbook_reason",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("activation_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["activation_id"], ["playbook_activation.id"]),
    )
    op.create_index("ix_playbook_reason_activation_id", "playbook_reason", ["activation_id"])
    op.create_table(
        "playbook_file",
        sa.Column("file_hash", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("file_hash"),
    )
    op.execute(
        "INSERT INTO playbook_activation (hash, at, method) "
        "SELECT hash, activated_at, 'unrecorded' FROM playbook_version ORDER BY activated_at, hash DESC"
    )
    # an earlier playbook may have been in use again: the last batch says which one was
    op.execute(
        "INSERT INTO playbook_activation (hash, at, method) "
        "SELECT playbook_hash, opened_at, 'unrecorded' FROM (SELECT * FROM batch ORDER BY id DESC LIMIT 1) last "
        "WHERE playbook_hash IS DISTINCT FROM (SELECT hash FROM playbook_activation ORDER BY id DESC LIMIT 1)"
    )


def downgrade() -> None:
    op.drop_table("playbook_file")
    op.drop_table("playbook_reason")
    op.drop_table("playbook_activation")
