"""What was asked of services about companies, and what that cost.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import date, datetime

from pydantic import JsonValue
from sqlalchemy import BigInteger, Column, Date, Index, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import PERSONAL, declare_counter, declare_json_or_none, declare_moment


class ProviderAnswer(SQLModel, table=True):
    """What a service answered about a company, until it is too old. ``request`` is a keyed hash of what was asked;
    ``values`` are by field, and none where the service does not know the company."""

    __tablename__ = "provider_answer"
    __table_args__ = (Index("provider_answer_expires", "expires_at"),)
    provider: str = Field(primary_key=True)
    request: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    values: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    answered_at: datetime = declare_moment()
    expires_at: datetime = declare_moment()


class ProviderState(SQLModel, table=True):
    """A service: what was spent on ``day`` (by UTC), the last failures in a row, how often it was left alone since it
    last answered, and until when (``closed_until``) it is not asked, and why."""

    __tablename__ = "provider_state"
    provider: str = Field(primary_key=True)
    day: date = Field(sa_column=Column(Date, nullable=False))
    spent: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    failures: int = declare_counter()
    pauses: int = declare_counter()
    closed_until: datetime | None = declare_moment(nullable=True)
    why: str | None = None
