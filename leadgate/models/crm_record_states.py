"""The model of ``crm_record_state``.

Belongs here: the table alone. Does not belong here: what a state is (``mapping.crm_records``).
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, text
from sqlmodel import Field, SQLModel


class CrmRecordState(SQLModel, table=True):
    """The state in which a record of a CRM was read last. ``turns``: how often it has changed since the first time."""

    __tablename__ = "crm_record_state"
    crm: str = Field(primary_key=True)
    record: str = Field(primary_key=True)  # a hash of its id
    state: str  # a hash of its values
    turns: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
