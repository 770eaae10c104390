"""A journey, and what each stage and gate recorded of it.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    declare_id,
    declare_id_of,
    declare_json,
    declare_moment,
    declare_reference,
    list_allowed,
)
from leadgate.vocabulary import OPEN, JourneyStatus, StageName, Trigger


class Journey(SQLModel, table=True):
    """One pass of a lead through the stages. ``version`` rises with every transition; writers compare it."""

    __tablename__ = "journey"
    __table_args__ = (
        CheckConstraint(list_allowed("stage", StageName)),
        CheckConstraint(list_allowed("status", JourneyStatus)),
        CheckConstraint("(status = 'held') = (work_item_id IS NOT NULL)", name="held_by_a_work_item"),
        CheckConstraint("(status = 'joined') = (joined_to IS NOT NULL)", name="joined_to_a_journey"),
        CheckConstraint("batch_id IS NULL OR status IN ('ready', 'owned')", name="batch_works_on_open_ones"),
        CheckConstraint("status <> 'owned' OR stage = 'follow_up'", name="owned_is_followed_up"),
        Index(
            "one_open_journey_per_lead", "lead_id", unique=True, postgresql_where=text(list_allowed("status", OPEN))
        ),
        # the order in which they are claimed: that of ``id``, in the form of ``journeys.claiming``
        Index(
            "journey_waiting", text("(id + 0)"), postgresql_where=text("status = 'ready' AND batch_id IS NULL")
        ),
        # ordered by id, so that a lead's last journey is never looked for among those of all leads
        Index("journey_lead", "lead_id", "id"),
        # a report is about the journeys of a period, which lie beside one another
        Index("journey_captured", "captured_at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
        Index("journey_batch", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("journey_held_by", "work_item_id", postgresql_where=text("work_item_id IS NOT NULL")),
    )  # fmt: skip
    id: int | None = declare_id()
    trigger: str = Trigger.SIGNAL.value
    signal_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("signal.id"), nullable=True, unique=True)
    )
    lead_id: int | None = declare_reference("lead.id", nullable=True)
    source: str
    captured_at: datetime = declare_moment()
    stage: str = StageName.CAPTURE.value
    status: str = JourneyStatus.READY.value
    version: int = 0
    generation: int = 0
    start_stage: str = StageName.CAPTURE.value  # where this generation began: handoffs are gapless from here
    waived: str | None = None  # a promise that a person answers for, in this generation
    #: As long as the journey runs for the first time: when it was handed on, each time, in order. A report reads these
    #: in place of the handoffs, which are several times as many rows.
    handed_on_at: list[datetime] = Field(
        default_factory=list,
        sa_column=Column(ARRAY(DateTime(timezone=True)), nullable=False, server_default=text("'{}'::timestamptz[]")),
    )
    batch_id: int | None = declare_id_of(nullable=True)
    run_after: datetime = declare_moment()
    waits_for: str | None = None  # until ``run_after``: why nobody could take the lead, of each rep
    work_item_id: int | None = declare_reference("work_item.id", nullable=True)
    joined_to: int | None = declare_reference("journey.id", nullable=True)


class Handoff(SQLModel, table=True):
    """One journey leaving one stage, once per generation. Append-only."""

    __tablename__ = "handoff"
    __table_args__ = (Index("handoff_once", "journey_id", "generation", "stage", unique=True), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    journey_id: int = declare_id_of()
    generation: int
    stage: str
    outcome: str
    reason: str | None = None
    batch_id: int | None = declare_id_of(nullable=True)
    playbook_hash: str
    at: datetime = declare_moment()


class GateResult(SQLModel, table=True):
    """What a gate found in a batch: per promise how many rows were checked and failed. Append-only."""

    __tablename__ = "gate_result"
    __table_args__ = ({"info": APPEND_ONLY},)
    id: int | None = declare_id()
    batch_id: int = declare_id_of(index=True)
    gate: str
    rows: int
    held: int
    warned: int
    evidence: list[dict[str, JsonValue]] = declare_json("[]")
    seconds: float
    at: datetime = declare_moment()


class Warned(SQLModel, table=True):
    """A promise of severity ``warning`` that a journey broke and passed with. Append-only."""

    __tablename__ = "warned"
    __table_args__ = (
        Index("warned_once", "journey_id", "generation", "gate", "promise", unique=True),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    journey_id: int = declare_id_of()
    generation: int
    gate: str
    promise: str
    reason: str
    words: str


class QualificationRecord(SQLModel, table=True):
    """A score and what it led to. The contributions sum to the score. Append-only."""

    __tablename__ = "qualification"
    __table_args__ = (Index("qualification_once", "journey_id", "generation", unique=True), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    journey_id: int = declare_id_of()
    generation: int
    fit: int
    engagement: int
    score: int
    fit_grade: str | None = None  # A to D
    engagement_grade: int | None = None  # 1 to 4
    grade: str | None = None  # both
    contributions: dict[str, int] = declare_json("{}")
    details: dict[str, JsonValue] = declare_json("{}")  # which contributions are fit, and what decayed of what
    was: str | None = None  # how it was qualified before: the threshold to leave counts, not the one to enter
    qualified_as: str | None = None
    outcome: str
    reasons: list[str] = declare_json("[]")
    evidence: dict[str, JsonValue] = declare_json("{}")  # what is known, and by which field; the value is the lead's
    changes_at: datetime | None = declare_moment(nullable=True)  # when time alone changes the verdict or the grade
    playbook_hash: str
    at: datetime = declare_moment()
