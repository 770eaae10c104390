"""How far each CRM is read.

Belongs here: this table. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import declare_counter, declare_moment


class CrmPosition(SQLModel, table=True):
    """The watermark of one kind of records of a CRM. ``position`` is text that only its connector reads."""

    __tablename__ = "crm_position"
    crm: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    position: str | None = None  # none: nothing was read yet
    changed_at: datetime | None = declare_moment(nullable=True)  # the latest change that was read, by the CRM's clock
    read_at: datetime | None = declare_moment(nullable=True)  # when a page was last stored
    complete_at: datetime | None = declare_moment(nullable=True)  # when there was last nothing more to read
    records: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    failures: int = declare_counter()  # in a row
    failed_at: datetime | None = declare_moment(nullable=True)
    error: str | None = None  # in our own words
