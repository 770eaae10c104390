"""The model of ``unmasking``.

Belongs here: the columns of the table. Does not belong here: queries (``ledger.unmaskings``).
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    declare_id,
    declare_moment,
    declare_staff,
    declare_unchecked_id,
)


class Unmasking(SQLModel, table=True):
    """Somebody had the masked values of a lead shown to them. Append-only."""

    __tablename__ = "unmasking"
    __table_args__ = ({"info": APPEND_ONLY},)
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id(index=True)
    by: str = declare_staff()
    at: datetime = declare_moment()
