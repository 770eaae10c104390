"""Messages that wait to be sent.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import declare_id, declare_moment, declare_staff, declare_unchecked_id, list_allowed
from leadgate.vocabulary import CrmMessageKind, EventKind, MessageKind


class Outbox(SQLModel, table=True):
    """A message to send at least once, with its key in it, in the order of ids for each journey and target.

    What the message is about never changes; the columns from ``attempts`` on tell how its delivery goes. A row
    that is being sent is leased until ``retry_at``: a process killed meanwhile leaves it to the next.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(list_allowed("kind", (*MessageKind, *CrmMessageKind, *EventKind))),
        Index("outbox_key", "key", unique=True),
        Index("outbox_journey", "journey_id"),
        Index(
            "outbox_waiting", "id", postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL")
        ),
    )  # fmt: skip
    id: int | None = declare_id()
    key: str
    journey_id: int = declare_unchecked_id()
    target: str = declare_staff()
    kind: str
    created_at: datetime = declare_moment()
    delivered_at: datetime | None = declare_moment(nullable=True)
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    retry_at: datetime | None = declare_moment(nullable=True)  # not before; none: at once
    given_up_at: datetime | None = declare_moment(nullable=True)  # a work item asks a person instead
    failure: str | None = None  # why the last attempt failed, without the address
    claimed_at: datetime | None = declare_moment(nullable=True)  # for the last attempt


class EventSubscription(SQLModel, table=True):
    """A system that is told of events of one kind, from ``since`` on. Of one that is gone, events wait."""

    __tablename__ = "event_subscription"
    __table_args__ = (CheckConstraint(list_allowed("kind", EventKind)),)
    name: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    is_active: bool = Field(default=True, sa_column=Column(Boolean, nullable=False, server_default=text("true")))
    since: datetime = declare_moment()
    gone_at: datetime | None = declare_moment(nullable=True)  # it answered that it takes no events any more
