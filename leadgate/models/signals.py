"""What came in: signals, activities and changes of CRM records as received, and ids of requests that came twice.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    PERSONAL,
    declare_counter,
    declare_foreign_key,
    declare_id,
    declare_moment,
    declare_personal,
    declare_staff,
    index_requests,
    list_allowed,
)
from leadgate.vocabulary import ActivityActor


class Signal(SQLModel, table=True):
    """One inbound payload exactly as received, as JSON text: JSONB would refuse a NUL character."""

    __tablename__ = "signal"
    __table_args__ = (
        Index("signal_key", "source", "key", unique=True),
        index_requests("signal"),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    source: str
    key: str = declare_personal()
    payload: str = Field(sa_column=Column(Text, nullable=False, info=PERSONAL))
    unreadable: str | None = declare_personal(None)
    origin: str | None = declare_personal(None)
    recognised: str | None = declare_personal(None)  # JSON: columns known by their file's values -> field, or notation
    received_at: datetime = declare_moment()
    client_address: str | None = declare_personal(None)  # of what came over HTTP: its sender's address
    request_id: str | None = declare_personal(None)
    request_hash: str | None = declare_personal(None)  # of the body's content, where the sender gave the id


class Activity(SQLModel, table=True):
    """Something that happened: by the lead, or by a rep. ``lead_id`` is empty until the person is known, and
    ``record_id`` until the record is that ``record_key`` names: by its id at ``record_source``, or at any source."""

    __tablename__ = "activity"
    __table_args__ = (
        CheckConstraint(list_allowed("actor", ActivityActor)),
        Index("activity_key", "source", "key", unique=True),
        Index("activity_lead", "lead_id", "occurred_at"),
        Index("activity_record", "record_id", "occurred_at", postgresql_where=text("record_id IS NOT NULL")),
        Index("activity_unmatched", "email", postgresql_where=text("lead_id IS NULL")),
        Index(
            "activity_unmatched_record",
            "record_key",
            postgresql_where=text("record_id IS NULL AND record_key IS NOT NULL"),
        ),
        index_requests("activity"),
    )
    id: int | None = declare_id()
    source: str
    key: str = declare_personal()
    kind: str
    actor: str
    rep: str | None = declare_staff(None)
    email: str | None = declare_personal(None)
    lead_id: int | None = declare_foreign_key("lead.id", nullable=True)
    record_id: int | None = declare_foreign_key("record.id", nullable=True)
    record_source: str | None = None
    record_key: str | None = declare_personal(None)
    occurred_at: datetime = declare_moment()
    payload: str = Field(sa_column=Column(Text, nullable=False, info=PERSONAL))
    received_at: datetime = declare_moment()
    seconds: int | None = None  # how long a call took
    automatic: bool | None = None  # a sequence sent it by itself
    client_address: str | None = declare_personal(None)
    request_id: str | None = declare_personal(None)
    request_hash: str | None = declare_personal(None)
    withdrawn_at: datetime | None = declare_moment(nullable=True)  # it was logged by mistake, and counts no more


class CrmChange(SQLModel, table=True):
    """A record of another system that a webhook names without its values, until it was read by its id. An id of a
    record is a person's."""

    __tablename__ = "crm_change"
    __table_args__ = (
        Index("crm_change_key", "source", "key", unique=True),
        Index("crm_change_waiting", "source", "id", postgresql_where=text("followed_at IS NULL")),
    )
    id: int | None = declare_id()
    source: str
    key: str = declare_personal()
    object: str
    record_id: str = declare_personal()
    event: str
    property: str | None = None
    occurred_at: datetime = declare_moment()
    payload: str = Field(sa_column=Column(Text, nullable=False, info=PERSONAL))
    received_at: datetime = declare_moment()
    client_address: str | None = declare_personal(None)
    followed_at: datetime | None = declare_moment(nullable=True)
    attempts: int = declare_counter()  # requests that failed for this record alone
    ask_after: datetime | None = declare_moment(nullable=True)  # not before: somebody asks, or it failed
    source_rests_until: datetime | None = declare_moment(nullable=True)  # no record of its source is asked for


class ReusedRequest(SQLModel, table=True):
    """An id of a request that came again with another body, which was refused."""

    __tablename__ = "reused_request"
    source: str = Field(primary_key=True)
    request_id: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})  # a sender may call it anything
    times: int
    first_at: datetime = declare_moment()
    last_at: datetime = declare_moment()
    last_address: str | None = declare_personal(None)
