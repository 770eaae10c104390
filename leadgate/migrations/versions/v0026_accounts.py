"""People who sign in to the console: accounts, sessions, and links that are used once"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_ROLES = "'rep', 'reviewer', 'manager', 'operator', 'privacy_officer', 'admin'"


def _moment(name: str, *, nullable: bool = False) -> "sa.Column[datetime]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=True),
        sa.Column(
            "roles",
            postgresql.ARRAY(sa.String()),
            server_default=sa.text("'{}'::character varying[]"),
            nullable=False,
        ),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("rep", sa.String(), nullable=True),
        _moment("created_at"),
        sa.Column("created_by", sa.String(), nullable=False),
        _moment("changed_at", nullable=True),
        sa.Column("changed_by", sa.String(), nullable=True),
        _moment("disabled_at", nullable=True),
        sa.CheckConstraint(f"roles <@ ARRAY[{_ROLES}]::varchar[]"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("account_login", "account", [sa.text("lower(login)")], unique=True)
    op.create_table(
        "web_session",
        sa.Column("id_hash", sa.String(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        _moment("created_at"),
        _moment("last_seen_at"),
        _moment("ended_at", nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("id_hash"),
    )
    op.create_index("ix_web_session_account_id", "web_session", ["account_id"])
    op.create_table(
        "sign_in_link",
        sa.Column("id_hash", sa.String(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("used_at", nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("id_hash"),
    )
    op.create_index("ix_sign_in_link_account_id", "sign_in_link", ["account_id"])


def downgrade() -> None:
    for table in ("sign_in_link", "web_session", "account"):
        op.drop_table(table)
