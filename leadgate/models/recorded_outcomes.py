"""The model of ``recorded_outcome``.

Belongs here: the columns of the table. Does not belong here: queries (``ledger.recorded_outcomes``).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import SQLModel

from leadgate.models.columns import declare_id, declare_moment, declare_staff, declare_unchecked_id


class RecordedOutcome(SQLModel, table=True):
    """What became of a lead, as a file says it: for figures alone. It moves no lead, and sends no message.

    ``kind`` is accepted, rejected, won or lost, or one of the playbook's outcomes. ``rep`` said so then, and
    ``by`` recorded it.
    """

    __tablename__ = "recorded_outcome"
    __table_args__ = (Index("recorded_outcome_once", "journey_id", "kind", "occurred_at", unique=True),)
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id()
    lead_id: int = declare_unchecked_id(index=True)
    kind: str
    reason: str | None = None  # one of the playbook's reasons to reject a lead
    occurred_at: datetime = declare_moment()
    rep: str | None = declare_staff(None)
    by: str = declare_staff()
    recorded_at: datetime = declare_moment()
    withdrawn_at: datetime | None = declare_moment(nullable=True)
    withdrawn_by: str | None = declare_staff(None)
