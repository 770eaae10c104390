"""What processes need to work together: playbooks in use, batches and their holders, consumers, hosts, the key.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    declare_foreign_key,
    declare_id,
    declare_moment,
    declare_staff,
    declare_unchecked_id,
    list_allowed,
)
from leadgate.vocabulary import ActivationMethod, BatchKind, JourneyKind


class PlaybookVersion(SQLModel, table=True):
    """A playbook as it was activated; decisions name it by hash."""

    __tablename__ = "playbook_version"
    __table_args__ = ({"info": APPEND_ONLY},)
    hash: str = Field(primary_key=True)
    content: str = declare_staff()
    activated_at: datetime = declare_moment()


class PlaybookActivation(SQLModel, table=True):
    """A playbook became the one in use: the last row says which one is. ``by`` is null for one before activations were
    recorded; ``file`` is what it was read from. Append-only."""

    __tablename__ = "playbook_activation"
    __table_args__ = (
        CheckConstraint(list_allowed("method", ActivationMethod)),
        CheckConstraint("(\"by\" IS NULL) = (method = 'unrecorded')"),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    hash: str = Field(foreign_key="playbook_version.hash")
    at: datetime = declare_moment()
    by: str | None = declare_staff(None)
    reason: str | None = declare_staff(None)
    method: str
    file: str | None = declare_staff(None)


class PlaybookReason(SQLModel, table=True):
    """Why a playbook was activated, said afterwards. Append-only."""

    __tablename__ = "playbook_reason"
    __table_args__ = ({"info": APPEND_ONLY},)
    id: int | None = declare_id()
    activation_id: int = declare_foreign_key("playbook_activation.id", index=True)
    reason: str = declare_staff()
    by: str = declare_staff()
    at: datetime = declare_moment()


class PlaybookFile(SQLModel, table=True):
    """What a file with a playbook held when a process last read it, so that a change of it is noticed: hashes of its
    host and path, and of its text."""

    __tablename__ = "playbook_file"
    file_hash: str = Field(primary_key=True)
    content_hash: str
    seen_at: datetime = declare_moment()


class Batch(SQLModel, table=True):
    """The journeys one flow run works on, under a lease. ``epoch`` fences out a holder that lost it."""

    __tablename__ = "batch"
    __table_args__ = (Index("batch_open", "id", postgresql_where=text("closed_at IS NULL")),)
    id: int | None = declare_id()
    kind: str = BatchKind.INTAKE.value
    journey_kind: str = Field(
        default=JourneyKind.LEAD.value, sa_column_kwargs={"server_default": JourneyKind.LEAD.value}
    )
    epoch: int = 1
    holder: str = declare_staff()
    lease_until: datetime = declare_moment()
    playbook_hash: str = Field(foreign_key="playbook_version.hash")
    size: int
    failures: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    opened_at: datetime = declare_moment()
    closed_at: datetime | None = declare_moment(nullable=True)
    part_of: int | None = declare_unchecked_id(nullable=True)  # the batch whose journeys it works on alone
    # when a stage of it was last stored
    advanced_at: datetime = declare_moment(server_default=text("clock_timestamp()"))
    # somebody said what time it is, in place of the ledger's clock
    as_of: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))


class BatchHolder(SQLModel, table=True):
    """Who held a batch, from the claim to the last take-over: a retried flow run finds its batch by it. Append-only."""

    __tablename__ = "batch_holder"
    __table_args__ = (Index("batch_holder_once", "holder", "batch_id", "epoch", unique=True), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    batch_id: int = declare_unchecked_id(index=True)
    epoch: int
    holder: str = declare_staff()
    at: datetime = declare_moment()


class Consumer(SQLModel, table=True):
    """A process that takes leads through the stages, and when it was last seen alive."""

    __tablename__ = "consumer"
    name: str = declare_staff(primary_key=True)
    host: str = declare_staff()
    pid: int
    doing: str
    started_at: datetime = declare_moment()
    seen_at: datetime = declare_moment()


class Host(SQLModel, table=True):
    """A host on which a process worked, and how many seconds its clock was ahead of PostgreSQL's, to within
    ``uncertainty`` seconds."""

    __tablename__ = "host"
    name: str = Field(primary_key=True)
    skew: float
    uncertainty: float
    measured_at: datetime = declare_moment()


class HashKey(SQLModel, table=True):
    """The fingerprint of the key of all keyed hashes, once one has been agreed on. The key itself is not here.

    ``match_keys`` is the number of the way in which the match keys of all leads were made.
    """

    __tablename__ = "hash_key"
    fingerprint: str = Field(primary_key=True)
    since: datetime = declare_moment()
    match_keys: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
