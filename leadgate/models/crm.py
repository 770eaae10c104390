"""What Leadgate knows of its leads in CRMs: connections, which record a lead is, follow-up tasks.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    PERSONAL,
    declare_counter,
    declare_json_or_none,
    declare_moment,
    declare_personal,
    declare_staff,
    declare_unchecked_id,
)


class CrmConnectionRow(SQLModel, table=True):
    """A CRM of a playbook. ``waits_until``: nobody asks it before, because of a limit or a fault."""

    __tablename__ = "crm_connection"
    name: str = Field(primary_key=True)
    is_active: bool = Field(default=True, sa_column=Column(Boolean, nullable=False, server_default=text("true")))
    failures: int = declare_counter()  # in a row
    waits_until: datetime | None = declare_moment(nullable=True)
    waits_because: str | None = None
    day_limit: int | None = None
    day_left: int | None = None
    seen_at: datetime | None = declare_moment(nullable=True)  # when it last answered


class CrmLink(SQLModel, table=True):
    """The record of a CRM that a lead is, what was last written to it, and what was read back then."""

    __tablename__ = "crm_link"
    __table_args__ = (
        Index("crm_link_record", "crm", "record_id", unique=True),
        Index("crm_link_read", "crm", "read_at"),
    )
    crm: str = Field(primary_key=True)
    lead_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    record_id: str = declare_personal()
    found_by: str  # created, key, address, or read
    linked_at: datetime = declare_moment()
    gone_at: datetime | None = declare_moment(nullable=True)  # the record is not there any more
    sent_at: datetime | None = declare_moment(nullable=True)  # a write was begun, and its end is not known
    written: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    written_at: datetime | None = declare_moment(nullable=True)
    read: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    read_at: datetime | None = declare_moment(nullable=True)
    differing: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))


class CrmTaskLink(SQLModel, table=True):
    """The follow-up task of a CRM that an assignment has. ``content`` tells whether it has changed since."""

    __tablename__ = "crm_task"
    crm: str = Field(primary_key=True)
    journey_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    generation: int = Field(primary_key=True)
    lead_id: int = declare_unchecked_id(index=True)
    task_id: str | None = declare_personal()  # none: it was sent, and the CRM has not told
    owner_id: str = declare_staff()
    content: str  # a hash of what was written
    is_done: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    written_at: datetime = declare_moment()
