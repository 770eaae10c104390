"""The opportunities as they were known at the end of each day.

Belongs here: these tables. Queries are in ``ledger.forecasts``.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Column, Index, Numeric
from sqlmodel import Field, SQLModel

from leadgate.models.columns import declare_moment, declare_staff


class ForecastDay(SQLModel, table=True):
    """A day whose snapshot was taken: the state as known at ``as_of``, the end of the day in ``zone``."""

    __tablename__ = "forecast_day"
    __table_args__ = (Index("forecast_day_as_of", "as_of"),)
    day: date = Field(primary_key=True)
    zone: str
    as_of: datetime = declare_moment()
    taken_at: datetime = declare_moment()


class ForecastSnapshot(SQLModel, table=True):
    """An opportunity as it was known at the end of a day; the columns are those of ``record_version``."""

    __tablename__ = "forecast_snapshot"
    day: date = Field(primary_key=True)
    record_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    owner: str | None = declare_staff(None)
    amount: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 2), nullable=True))
    close_date: date | None = None
    category: str | None = None
    is_open: bool = True
    outcome: str | None = None
    sales_stage: str | None = None
