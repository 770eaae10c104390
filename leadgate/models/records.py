"""Records: what journeys of other kinds than leads are about, each version as it was told, and slips.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from pydantic import JsonValue
from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Index, Numeric, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    PERSONAL,
    declare_foreign_key,
    declare_id,
    declare_json_or_none,
    declare_moment,
    declare_personal,
    declare_staff,
    declare_unchecked_id,
)


def _declare_amount() -> Decimal | None:
    """Money to the cent."""
    amount: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 2), nullable=True))
    return amount


class Record(SQLModel, table=True):
    """An opportunity, a contract that comes to renewal, or an expansion, as its last version says.

    ``version`` is the highest number of its versions; who changes a record has locked it. ``values`` has a value for
    each field that is known; the columns beside it are those that figures and lists read.
    """

    __tablename__ = "record"
    __table_args__ = (
        Index("record_key", "kind", "source", "key", unique=True),
        Index("record_by_key", "key"),
        Index("record_again", "again_at", postgresql_where=text("again_at IS NOT NULL")),
        # what may slip, by its date
        Index("record_closing", "close_date", postgresql_where=text("is_open")),
        Index("record_account", "kind", "account_key", postgresql_where=text("account_key IS NOT NULL")),
    )
    id: int | None = declare_id()
    kind: str
    source: str
    key: str = declare_personal()
    version: int = 0
    version_id: int | None = declare_unchecked_id(nullable=True)
    values: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    name: str | None = declare_personal(None)
    account: str | None = declare_personal(None)
    account_key: str | None = declare_personal(None)  # the account in the form in which accounts are compared
    owner: str | None = declare_staff(None)  # a rep of the playbook
    sales_stage: str | None = None
    amount: Decimal | None = _declare_amount()
    close_date: date | None = None
    category: str | None = None
    is_open: bool = True
    outcome: str | None = None  # of a closed one: won, lost or churned
    enriched: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)  # what enrichment added
    slipped_on: date | None = None  # the close date that passed, of one that is open
    again_at: datetime | None = declare_moment(nullable=True)  # a run looks at the record again, then
    created_at: datetime = declare_moment()
    updated_at: datetime = declare_moment()


class RecordVersion(SQLModel, table=True):
    """A record after an update, complete, as it was told. Append-only.

    ``number`` counts the versions of a record in the order in which they became known; a correction by a person makes
    another of the same journey. ``changes`` maps each field that differs from the version before to [before, after].
    ``late``: it was changed before the current version and told after it, so it never was the current one.
    ``received_at`` is when the update came in, ``stored_at`` when it became a version: after a hold much later.
    """

    __tablename__ = "record_version"
    __table_args__ = (
        CheckConstraint("number > 0"),
        Index("record_version_journey", "journey_id", "number", unique=True),
        Index("record_version_record", "record_id", "received_at", "id"),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    record_id: int = declare_foreign_key("record.id")
    number: int
    journey_id: int = declare_unchecked_id()
    changed_at: datetime = declare_moment()
    changed_by: str | None = declare_staff(None)
    received_at: datetime = declare_moment()
    stored_at: datetime = declare_moment()
    values: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    changes: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    late: bool = False
    owner: str | None = declare_staff(None)
    sales_stage: str | None = None
    amount: Decimal | None = _declare_amount()
    close_date: date | None = None
    category: str | None = None
    is_open: bool = True
    outcome: str | None = None


class RecordJudgement(SQLModel, table=True):
    """What qualification made of an update: the facts that the decision rests on, and what came of it. Append-only."""

    __tablename__ = "record_judgement"
    __table_args__ = (Index("record_judgement_once", "journey_id", "generation", unique=True), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id()
    generation: int
    record_id: int = declare_unchecked_id(index=True)
    outcome: str
    reason: str | None = None
    facts: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    playbook_hash: str
    at: datetime = declare_moment()


class RecordDeletion(SQLModel, table=True):
    """A record that was deleted where it came from, or merged into another: from ``noticed_at`` on it is not known,
    until a version is stored that tells it anew. Append-only."""

    __tablename__ = "record_deletion"
    __table_args__ = ({"info": APPEND_ONLY},)
    record_id: int = Field(sa_column=Column(BigInteger, ForeignKey("record.id"), primary_key=True))
    noticed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))


class RecordSlip(SQLModel, table=True):
    """A close date that passed while the record was open: noticed, and told, once. Append-only."""

    __tablename__ = "record_slip"
    __table_args__ = ({"info": APPEND_ONLY},)
    record_id: int = Field(sa_column=Column(BigInteger, ForeignKey("record.id"), primary_key=True))
    close_date: date = Field(primary_key=True)
    journey_id: int | None = declare_unchecked_id(nullable=True)
    noticed_at: datetime = declare_moment()
