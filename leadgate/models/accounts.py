"""People who sign in to the console: their accounts, the sessions that they have, and links that were given out.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``. Does not belong here: what
a role may do (``leadgate.permissions``).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from leadgate.models.columns import declare_foreign_key, declare_id, declare_moment, declare_staff
from leadgate.vocabulary import Role, list_in_sql


class AccountRow(SQLModel, table=True):
    """Somebody who may sign in. ``rep`` is the rep or manager of the playbook that they are.

    An account is never deleted: it says whose name stands with what they did.
    """

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(f"roles <@ ARRAY[{list_in_sql(Role)}]::varchar[]"),
        Index("account_login", text("lower(login)"), unique=True),
        Index("account_subject", "subject", unique=True),
    )
    id: int | None = declare_id()
    login: str = declare_staff()
    name: str = declare_staff()
    email: str | None = declare_staff(None)
    time_zone: str | None = None
    roles: list[str] = Field(
        sa_column=Column(ARRAY(String()), nullable=False, server_default=text("'{}'::character varying[]"))
    )
    password_hash: str | None = None  # none: nobody can sign in with a password
    rep: str | None = declare_staff(None)
    subject: str | None = declare_staff(None)  # who they are for an OpenID Connect server: its address and their id
    created_at: datetime = declare_moment()
    created_by: str = declare_staff()
    changed_at: datetime | None = declare_moment(nullable=True)
    changed_by: str | None = declare_staff(None)
    disabled_at: datetime | None = declare_moment(nullable=True)


class WebSession(SQLModel, table=True):
    """Somebody who is signed in, under the SHA-256 of the token that their browser has."""

    __tablename__ = "web_session"
    id_hash: str = Field(primary_key=True)
    account_id: int = declare_foreign_key("account.id", index=True)
    created_at: datetime = declare_moment()
    last_seen_at: datetime = declare_moment()
    ended_at: datetime | None = declare_moment(nullable=True)


class SignInLink(SQLModel, table=True):
    """A link that lets somebody set the password of an account, or without one become the first admin; once.

    It is kept under the SHA-256 of its token.
    """

    __tablename__ = "sign_in_link"
    id_hash: str = Field(primary_key=True)
    account_id: int | None = declare_foreign_key("account.id", nullable=True, index=True)
    created_at: datetime = declare_moment()
    expires_at: datetime = declare_moment()
    used_at: datetime | None = declare_moment(nullable=True)
