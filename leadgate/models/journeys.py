"""The tables of a journey and of the records that its stages and gates write.

Belongs here: these tables, with the constraints that guard them. Does not belong here: queries (``ledger``).
"""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    declare_foreign_key,
    declare_id,
    declare_json,
    declare_moment,
    declare_unchecked_id,
    list_allowed,
)
from leadgate.vocabulary import OPEN, HandoffOutcome, JourneyKind, JourneyStatus, StageName, Trigger


class Journey(SQLModel, table=True):
    """A pass of a lead or a record through the stages. ``version`` rises with every transition; writers compare it."""

    __tablename__ = "journey"
    __table_args__ = (
        CheckConstraint(list_allowed("stage", StageName)),
        CheckConstraint(list_allowed("status", JourneyStatus)),
        CheckConstraint("lead_id IS NULL OR kind = 'lead'", name="leads_have_journeys_of_their_kind"),
        CheckConstraint("record_id IS NULL OR kind <> 'lead'", name="records_have_journeys_of_their_kind"),
        CheckConstraint("(status = 'held') = (work_item_id IS NOT NULL)", name="held_by_a_work_item"),
        CheckConstraint("(status = 'joined') = (joined_to IS NOT NULL)", name="joined_to_a_journey"),
        CheckConstraint("batch_id IS NULL OR status IN ('ready', 'owned')", name="batch_works_on_open_ones"),
        CheckConstraint("status <> 'owned' OR stage = 'follow_up'", name="owned_is_followed_up"),
        Index(
            "one_open_journey_per_lead", "lead_id", unique=True, postgresql_where=text(list_allowed("status", OPEN))
        ),
        # a record that is updated while somebody follows it up has a second open journey, until that has an owner
        Index(
            "one_owned_journey_per_record", "record_id", unique=True,
            postgresql_where=text("status = 'owned' AND record_id IS NOT NULL"),
        ),
        Index("journey_record", "record_id", "id", postgresql_where=text("record_id IS NOT NULL")),
        # what is left out where leads are counted
        Index("journey_of_records", "id", postgresql_where=text("kind <> 'lead'")),
        # journeys are claimed in the order of ``id``; the expression is the one in the query of ``journeys.claiming``
        Index(
            "journey_waiting", text("(id + 0)"), postgresql_where=text("status = 'ready' AND batch_id IS NULL")
        ),
        # with the id, so that PostgreSQL finds a lead's last journey here and never scans the primary key for it
        Index("journey_lead", "lead_id", "id"),
        # for reports: the journeys of a period are neighbours in the table
        Index("journey_captured", "captured_at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
        Index("journey_batch", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("journey_held_by", "work_item_id", postgresql_where=text("work_item_id IS NOT NULL")),
    )  # fmt: skip
    id: int | None = declare_id()
    kind: str = Field(default=JourneyKind.LEAD.value, sa_column_kwargs={"server_default": JourneyKind.LEAD.value})
    trigger: str = Trigger.SIGNAL.value
    signal_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("signal.id"), nullable=True, unique=True)
    )
    lead_id: int | None = declare_foreign_key("lead.id", nullable=True)
    record_id: int | None = declare_foreign_key("record.id", nullable=True)
    source: str
    captured_at: datetime = declare_moment()
    stage: str = StageName.CAPTURE.value
    status: str = JourneyStatus.READY.value
    version: int = 0
    generation: int = 0
    start_stage: str = StageName.CAPTURE.value  # where this generation began; it has a handoff for each stage from here
    #: The promises that people waived ("done by hand"), the last at the end.
    waived: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text), nullable=True))
    #: The times of the handoffs of generation 0, in order. Reports read these in place of the handoffs, which are
    #: several times as many rows.
    handed_on_at: list[datetime] = Field(
        default_factory=list,
        sa_column=Column(ARRAY(DateTime(timezone=True)), nullable=False, server_default=text("'{}'::timestamptz[]")),
    )
    batch_id: int | None = declare_unchecked_id(nullable=True)
    run_after: datetime = declare_moment()
    waits_for: str | None = None  # until ``run_after``: for each rep, why they cannot take the lead now
    work_item_id: int | None = declare_foreign_key("work_item.id", nullable=True)
    joined_to: int | None = declare_foreign_key("journey.id", nullable=True)


class Handoff(SQLModel, table=True):
    """A journey's handoff from one stage to the next, once per generation. Append-only."""

    __tablename__ = "handoff"
    __table_args__ = (
        CheckConstraint(list_allowed("outcome", HandoffOutcome)),
        Index("handoff_once", "journey_id", "generation", "stage", unique=True),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id()
    generation: int
    stage: str
    outcome: str
    reason: str | None = None
    batch_id: int | None = declare_unchecked_id(nullable=True)
    playbook_hash: str
    at: datetime = declare_moment()


class GateResult(SQLModel, table=True):
    """The result of a gate for a batch: for each promise, how many rows were checked and failed. Append-only."""

    __tablename__ = "gate_result"
    __table_args__ = ({"info": APPEND_ONLY},)
    id: int | None = declare_id()
    batch_id: int = declare_unchecked_id(index=True)
    gate: str
    rows: int
    held: int
    warned: int
    evidence: list[dict[str, JsonValue]] = declare_json("[]")
    seconds: float
    at: datetime = declare_moment()


class Warned(SQLModel, table=True):
    """A broken promise of severity ``warning``, which did not hold the journey. Append-only."""

    __tablename__ = "warned"
    __table_args__ = (
        Index("warned_once", "journey_id", "generation", "gate", "promise", unique=True),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id()
    generation: int
    gate: str
    promise: str
    reason: str
    words: str


class QualificationRecord(SQLModel, table=True):
    """The score of a journey, and the verdict that followed. The contributions add up to the score. Append-only."""

    __tablename__ = "qualification"
    __table_args__ = (Index("qualification_once", "journey_id", "generation", unique=True), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id()
    generation: int
    fit: int
    engagement: int
    score: int
    fit_grade: str | None = None  # A to D
    engagement_grade: int | None = None  # 1 to 4
    grade: str | None = None  # both
    contributions: dict[str, int] = declare_json("{}")
    details: dict[str, JsonValue] = declare_json("{}")  # which contributions are fit, and which points have decayed
    was: str | None = None  # the verdict before; it is kept until the score falls below its threshold to leave
    qualified_as: str | None = None
    outcome: str
    reasons: list[str] = declare_json("[]")
    evidence: dict[str, JsonValue] = declare_json("{}")  # for each part whether it is known and by which field
    changes_at: datetime | None = declare_moment(nullable=True)  # when time alone changes the verdict or the grade
    playbook_hash: str
    at: datetime = declare_moment()
