"""All tables of the ledger, with the constraints that guard its invariants.

Belongs here: columns, keys, partial unique indexes and checks, and nothing that runs. Queries are in
``ledger``.

Three facts are declared with the tables, and ``ledger.verify``, ``docs/ledger.md`` and the tests read them:

- a column that may hold a personal value of a lead is ``PERSONAL``: it can be erased. No other text or JSON column
  holds one; those have ids, reasons, the names of fields and keyed hashes;
- a column that names a colleague (an owner, a reviewer, a process) is ``STAFF``;
- a table whose rows are never changed, apart from erasing, is ``APPEND_ONLY``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from leadgate.lead_columns import LEAD_COLUMNS
from leadgate.limits import LONGEST_KEY, LONGEST_ROUTE, longest_of
from leadgate.vocabulary import (
    OPEN,
    ActivityActor,
    AssignmentMethod,
    BatchKind,
    JourneyStatus,
    StageName,
    Trigger,
    WorkItemKind,
    list_in_sql,
)

#: What a column holds, as its ``info``.
PERSONAL: Final = {"holds": "personal"}
STAFF: Final = {"holds": "staff"}
#: How a table is kept, as its ``info``.
APPEND_ONLY: Final = {"append_only": True}

_COLUMN_TYPES: Final[dict[str, type[Any]]] = {
    "text": Text,
    "bigint": BigInteger,
    "double precision": Double,
    "boolean": Boolean,
    "jsonb": JSONB,
}


def _in(column: str, words: Iterable[StrEnum]) -> str:
    return f"{column} IN ({list_in_sql(words)})"


def _id() -> Any:
    return Field(default=None, sa_column=Column(BigInteger, Identity(always=False), primary_key=True))


def _ref(target: str, *, nullable: bool = False, index: bool = False) -> Any:
    column: Column[int] = Column(BigInteger, ForeignKey(target), nullable=nullable, index=index)
    return Field(default=None, sa_column=column)


def _id_of(*, nullable: bool = False, index: bool = False) -> Any:
    """An id without a foreign key. Checking one costs as much as the insert, and these rows are written for
    every lead at every stage; what they name is never deleted, and ``verify`` looks for orphans."""
    return Field(default=None, sa_column=Column(BigInteger, nullable=nullable, index=index))


def _at(*, nullable: bool = False, server_default: Any = None) -> Any:
    return Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=nullable, server_default=server_default)
    )


def _counter() -> Any:
    return Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))


def _json(default: str | None = None) -> Any:
    server = None if default is None else text(f"'{default}'::jsonb")
    return Field(default=None, sa_column=Column(JSONB, nullable=default is None, server_default=server))


def _json_or_none(info: dict[str, Any] | None = None) -> Any:
    return Field(default=None, sa_column=Column(JSONB, nullable=True, info=info))


def _personal(default: Any = ...) -> Any:
    """Text that may be a personal value."""
    return Field(default=default, sa_column_kwargs={"info": PERSONAL})


def _staff(default: Any = ..., **more: Any) -> Any:
    """Text that names a colleague."""
    return Field(default=default, sa_column_kwargs={"info": STAFF}, **more)


def _request_index(table: str) -> Index:
    """Finds what came with an id that its sender gave; a file's rows are no part of it."""
    return Index(f"{table}_request", "source", "request_id", postgresql_where=text("request_hash IS NOT NULL"))


class PlaybookVersion(SQLModel, table=True):
    """A playbook as it was activated; decisions name it by hash."""

    __tablename__ = "playbook_version"
    __table_args__ = ({"info": APPEND_ONLY},)
    hash: str = Field(primary_key=True)
    content: str = _staff()
    activated_at: datetime = _at()


class Signal(SQLModel, table=True):
    """One inbound payload exactly as received, as JSON text: JSONB would refuse a NUL character."""

    __tablename__ = "signal"
    __table_args__ = (
        Index("signal_key", "source", "key", unique=True),
        _request_index("signal"),
        {"info": APPEND_ONLY},
    )
    id: int | None = _id()
    source: str
    key: str = _personal()
    payload: str = Field(sa_column=Column(Text, nullable=False, info=PERSONAL))
    unreadable: str | None = _personal(None)
    origin: str | None = _personal(None)
    received_at: datetime = _at()
    client_address: str | None = _personal(None)  # of what came over HTTP: its sender's address
    request_id: str | None = _personal(None)
    request_hash: str | None = _personal(None)  # of the body's content, where the sender gave the id


class Batch(SQLModel, table=True):
    """The journeys one flow run works on, under a lease. ``epoch`` fences out a holder that lost it."""

    __tablename__ = "batch"
    __table_args__ = (Index("batch_open", "id", postgresql_where=text("closed_at IS NULL")),)
    id: int | None = _id()
    kind: str = BatchKind.INTAKE.value
    epoch: int = 1
    holder: str = _staff()
    lease_until: datetime = _at()
    playbook_hash: str = Field(foreign_key="playbook_version.hash")
    size: int
    failures: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    opened_at: datetime = _at()
    closed_at: datetime | None = _at(nullable=True)
    part_of: int | None = _id_of(nullable=True)  # the batch whose journeys it works on alone
    advanced_at: datetime = _at(server_default=text("clock_timestamp()"))  # when a stage of it was last stored
    # somebody said what time it is, in place of the ledger's clock
    as_of: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))


class BatchHolder(SQLModel, table=True):
    """Who held a batch, from the claim to the last take-over: a retried flow run finds its batch by it. Append-only."""

    __tablename__ = "batch_holder"
    __table_args__ = (Index("batch_holder_once", "holder", "batch_id", "epoch", unique=True), {"info": APPEND_ONLY})
    id: int | None = _id()
    batch_id: int = _id_of(index=True)
    epoch: int
    holder: str = _staff()
    at: datetime = _at()


class Consumer(SQLModel, table=True):
    """A process that takes leads through the stages, and when it was last seen alive."""

    __tablename__ = "consumer"
    name: str = _staff(primary_key=True)
    host: str = _staff()
    pid: int
    doing: str
    started_at: datetime = _at()
    seen_at: datetime = _at()


class Host(SQLModel, table=True):
    """A host on which a process worked, and how many seconds its clock was ahead of PostgreSQL's, to within
    ``uncertainty`` seconds."""

    __tablename__ = "host"
    name: str = Field(primary_key=True)
    skew: float
    uncertainty: float
    measured_at: datetime = _at()


class Lead(SQLModel, table=True):
    """The person, as known so far: a column for every standard and derived field of ``fields``."""

    __tablename__ = "lead"
    __table_args__ = (
        *(Column(name, _COLUMN_TYPES[kind](), nullable=True, info=PERSONAL) for name, kind in LEAD_COLUMNS.items()),
        Index("lead_email", "email"),
        Index("lead_phone", "phone"),
        Index("lead_rescore", "rescore_at", postgresql_where=text("rescore_at IS NOT NULL")),
        Index("lead_score_changes", "score_changes_at", postgresql_where=text("score_changes_at IS NOT NULL")),
        Index("lead_recycle", "recycle_at", postgresql_where=text("recycle_at IS NOT NULL")),
    )
    # the id of the journey that first told of the person, so no second number to remember
    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    created_at: datetime = _at()
    rescore_at: datetime | None = _at(nullable=True)  # something new is known: score again
    score_changes_at: datetime | None = _at(nullable=True)  # time alone changes the verdict or grade: score again
    recycle_at: datetime | None = _at(nullable=True)  # given back or gone stale: through qualification again, then


class LeadIdentity(SQLModel, table=True):
    """Who a lead is: a canonical e-mail address, or a CRM's id, belongs to one lead. A phone alone is only a hint."""

    __tablename__ = "identity"
    __table_args__ = ({"info": APPEND_ONLY},)
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})
    lead_id: int = _ref("lead.id", index=True)


class MatchKey(SQLModel, table=True):
    """Leads that may be the same person share a key (``matching.persons``): only they are compared."""

    __tablename__ = "match_key"
    __table_args__ = ({"info": APPEND_ONLY},)
    key: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    lead_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


class Lookalike(SQLModel, table=True):
    """Another lead that a held signal may be about, and what agrees (``levels``: field -> level). Append-only."""

    __tablename__ = "lookalike"
    __table_args__ = (
        Index("lookalike_once", "journey_id", "generation", "lead_id", unique=True),
        {"info": APPEND_ONLY},
    )
    id: int | None = _id()
    journey_id: int = _id_of()
    generation: int
    lead_id: int = _id_of()
    score: int
    levels: dict[str, str] = _json("{}")
    at: datetime = _at()


class LeadJoin(SQLModel, table=True):
    """A signal that turned out to be about a known lead, and why. Append-only.

    ``joined_to`` is that lead's open journey; without one, the signal's journey took the lead up again.
    ``changed`` maps a field of the lead that the signal changed to [before, after], and ``claimed`` lists the
    identities that it brought, each as [kind, value]: the way back needs them.
    """

    __tablename__ = "lead_join"
    __table_args__ = (Index("lead_join_once", "journey_id", "generation", unique=True), {"info": APPEND_ONLY})
    id: int | None = _id()
    journey_id: int = _id_of()
    generation: int
    lead_id: int = _id_of(index=True)
    joined_to: int | None = _id_of(nullable=True)
    because: list[str] = _json("[]")
    changed: dict[str, Any] | None = _json_or_none(PERSONAL)
    claimed: list[list[str]] | None = _json_or_none(PERSONAL)
    at: datetime = _at()


class LeadVerdict(SQLModel, table=True):
    """What a person said about two leads: the same one, or different ones. The last word counts. Append-only."""

    __tablename__ = "lead_verdict"
    __table_args__ = (
        CheckConstraint("low < high", name="verdict_in_order"),
        CheckConstraint("same = (keep IS NOT NULL)", name="verdict_keeps_one"),
        Index("lead_verdict_pair", "low", "high"),
        Index("lead_verdict_high", "high"),
        {"info": APPEND_ONLY},
    )
    id: int | None = _id()
    low: int = _id_of()
    high: int = _id_of()
    same: bool
    keep: int | None = _id_of(nullable=True)  # where signals go that are about both
    journey_id: int = _id_of()  # the one that was decided
    work_item_id: int | None = _id_of(nullable=True)
    by: str = _staff()
    at: datetime = _at()


class WorkItem(SQLModel, table=True):
    """Something a person must decide or do. A blocking one holds its journeys until it is closed."""

    __tablename__ = "work_item"
    __table_args__ = (
        CheckConstraint(_in("kind", WorkItemKind)),
        CheckConstraint("(closed_at IS NULL) = (resolution IS NULL)"),
        Index(
            "work_item_once", "journey_id", "generation", "stage", "reason", "promise",
            unique=True, postgresql_nulls_not_distinct=True,
            postgresql_where=text("closed_at IS NULL AND journey_id IS NOT NULL"),
        ),
        Index("work_item_open", "route", "reason", postgresql_where=text("closed_at IS NULL")),
    )  # fmt: skip
    id: int | None = _id()
    kind: str
    blocking: bool = True
    reason: str
    stage: str
    promise: str | None = None
    source: str | None = None
    journey_id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, ForeignKey("journey.id", use_alter=True, name="work_item_journey"), nullable=True),
    )
    batch_id: int | None = _id_of(nullable=True)
    generation: int = 0
    message: str
    value: str | None = _personal(None)
    detail: str | None = _personal(None)
    proposal: dict[str, Any] | None = _json_or_none(PERSONAL)
    note: str | None = _personal(None)
    route: str = _staff()
    assignee: str | None = _staff(None)
    taken_at: datetime | None = _at(nullable=True)
    escalated_at: datetime | None = _at(nullable=True)  # nobody took it in time
    due_at: datetime = _at()
    opened_at: datetime = _at()
    closed_at: datetime | None = _at(nullable=True)
    closed_by: str | None = _staff(None)
    resolution: str | None = None


class Journey(SQLModel, table=True):
    """One pass of a lead through the stages. ``version`` rises with every transition; writers compare it."""

    __tablename__ = "journey"
    __table_args__ = (
        CheckConstraint(_in("stage", StageName)),
        CheckConstraint(_in("status", JourneyStatus)),
        CheckConstraint("(status = 'held') = (work_item_id IS NOT NULL)", name="held_by_a_work_item"),
        CheckConstraint("(status = 'joined') = (joined_to IS NOT NULL)", name="joined_to_a_journey"),
        CheckConstraint("batch_id IS NULL OR status IN ('ready', 'owned')", name="batch_works_on_open_ones"),
        CheckConstraint("status <> 'owned' OR stage = 'follow_up'", name="owned_is_followed_up"),
        Index(
            "one_open_journey_per_lead", "lead_id", unique=True, postgresql_where=text(_in("status", OPEN))
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
    id: int | None = _id()
    trigger: str = Trigger.SIGNAL.value
    signal_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("signal.id"), nullable=True, unique=True)
    )
    lead_id: int | None = _ref("lead.id", nullable=True)
    source: str
    captured_at: datetime = _at()
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
    batch_id: int | None = _id_of(nullable=True)
    run_after: datetime = _at()
    waits_for: str | None = None  # until ``run_after``: why nobody could take the lead, of each rep
    work_item_id: int | None = _ref("work_item.id", nullable=True)
    joined_to: int | None = _ref("journey.id", nullable=True)


class Handoff(SQLModel, table=True):
    """One journey leaving one stage, once per generation. Append-only."""

    __tablename__ = "handoff"
    __table_args__ = (Index("handoff_once", "journey_id", "generation", "stage", unique=True), {"info": APPEND_ONLY})
    id: int | None = _id()
    journey_id: int = _id_of()
    generation: int
    stage: str
    outcome: str
    reason: str | None = None
    batch_id: int | None = _id_of(nullable=True)
    playbook_hash: str
    at: datetime = _at()


class GateResult(SQLModel, table=True):
    """What a gate found in a batch: per promise how many rows were checked and failed. Append-only."""

    __tablename__ = "gate_result"
    __table_args__ = ({"info": APPEND_ONLY},)
    id: int | None = _id()
    batch_id: int = _id_of(index=True)
    gate: str
    rows: int
    held: int
    warned: int
    evidence: list[dict[str, Any]] = _json("[]")
    seconds: float
    at: datetime = _at()


class Warned(SQLModel, table=True):
    """A promise of severity ``warning`` that a journey broke and passed with. Append-only."""

    __tablename__ = "warned"
    __table_args__ = (
        Index("warned_once", "journey_id", "generation", "gate", "promise", unique=True),
        {"info": APPEND_ONLY},
    )
    id: int | None = _id()
    journey_id: int = _id_of()
    generation: int
    gate: str
    promise: str
    reason: str
    words: str


class QualificationRecord(SQLModel, table=True):
    """A score and what it led to. The contributions sum to the score. Append-only."""

    __tablename__ = "qualification"
    __table_args__ = (Index("qualification_once", "journey_id", "generation", unique=True), {"info": APPEND_ONLY})
    id: int | None = _id()
    journey_id: int = _id_of()
    generation: int
    fit: int
    engagement: int
    score: int
    fit_grade: str | None = None  # A to D
    engagement_grade: int | None = None  # 1 to 4
    grade: str | None = None  # both
    contributions: dict[str, int] = _json("{}")
    details: dict[str, Any] = _json("{}")  # which contributions are fit, and what decayed of what
    was: str | None = None  # how it was qualified before: the threshold to leave counts, not the one to enter
    qualified_as: str | None = None
    outcome: str
    reasons: list[str] = _json("[]")
    evidence: dict[str, Any] = _json("{}")  # what is known, and by which field; the value is the lead's
    changes_at: datetime | None = _at(nullable=True)  # when time alone changes the verdict or the grade
    playbook_hash: str
    at: datetime = _at()


class Assignment(SQLModel, table=True):
    """Who has the lead, from when to when, and why. At most one is open per journey."""

    __tablename__ = "assignment"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)"),
        CheckConstraint(_in("method", AssignmentMethod)),
        Index("one_open_assignment", "journey_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("assignment_owner", "owner", "assigned_at"),
        Index("assignment_open", "owner", "due_at", postgresql_where=text("ended_at IS NULL")),
        Index("assignment_ended", "journey_id", postgresql_where=text("ended_at IS NOT NULL")),
    )
    id: int | None = _id()
    journey_id: int = _ref("journey.id")
    generation: int
    owner: str = _staff()
    pool: str | None = None
    rule: str
    turn: bool
    candidates: list[Any] = _json("[]")
    why: str
    inputs: dict[str, Any] | None = _json_or_none(PERSONAL)  # what the rule read of the lead, as it was then
    pointer: dict[str, Any] | None = _json_or_none()  # of a turn: the pool's count and the owner's, before and after
    sla: str | None = None
    playbook_hash: str
    assigned_at: datetime = _at()
    clock_from: datetime | None = _at(nullable=True)  # when its SLA began, for a lead that kept the clock of another
    due_at: datetime | None = _at(nullable=True)
    due_soon_at: datetime | None = _at(nullable=True)
    next_check_at: datetime | None = _at(nullable=True)  # when the ladder or the SLA next asks for a look
    priority: str | None = None  # the one whose SLA it has; none: its pool's
    ladder_step: int = 0  # steps taken for the first touch; those of the other targets follow
    acceptance_step: int = _counter()
    next_touch_step: int = _counter()  # since ``last_touched_at``
    stage_step: int = _counter()
    touched_at: datetime | None = _at(nullable=True)
    last_touched_at: datetime | None = _at(nullable=True)
    stale_since: datetime | None = _at(nullable=True)  # the last activity for which it was found stale
    accepted_at: datetime | None = _at(nullable=True)
    ended_at: datetime | None = _at(nullable=True)
    end_reason: str | None = None
    method: str = Field(
        default=AssignmentMethod.ROUTE.value, sa_column_kwargs={"server_default": AssignmentMethod.ROUTE.value}
    )


class Pause(SQLModel, table=True):
    """While a lead is waited for, its owner's clocks stand still: up to ``ended_at``, or as planned until then."""

    __tablename__ = "pause"
    __table_args__ = (
        CheckConstraint("until > started_at"),
        CheckConstraint("ended_at IS NULL OR ended_at BETWEEN started_at AND until", name="pause_ends_as_planned"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)"),
        Index("one_open_pause", "journey_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("pause_journey", "journey_id", "started_at"),
    )
    id: int | None = _id()
    journey_id: int = _id_of()
    reason: str = _personal()
    by: str = _staff()
    started_at: datetime = _at()
    until: datetime = _at()
    ended_at: datetime | None = _at(nullable=True)
    ended_by: str | None = _staff(None)  # a person, ``lead``, ``leadgate``


class Missed(SQLModel, table=True):
    """A target of an SLA that was not met in time, once for each clock that ran out; ``met_at`` when it was later."""

    __tablename__ = "missed"
    __table_args__ = (Index("missed_once", "assignment_id", "target", "since", unique=True),)
    id: int | None = _id()
    assignment_id: int = _id_of()
    journey_id: int = _id_of(index=True)
    target: str
    since: datetime = _at()
    due_at: datetime = _at()
    noticed_at: datetime = _at()
    met_at: datetime | None = _at(nullable=True)


class PoolTurns(SQLModel, table=True):
    """A pool's fair turns. A turn is taken by comparing ``version``."""

    __tablename__ = "pool_state"
    pool: str = Field(primary_key=True)
    state: dict[str, Any] = _json("{}")
    version: int = 0


class BreakerRow(SQLModel, table=True):
    """The breakers of one source at one gate: ``state`` maps each promise to its breaker."""

    __tablename__ = "breaker"
    source: str = Field(primary_key=True)
    gate: str = Field(primary_key=True)
    state: dict[str, Any] = _json("{}")
    work_item_id: int | None = _ref("work_item.id", nullable=True)


class Activity(SQLModel, table=True):
    """Something that happened: by the lead, or by a rep. ``lead_id`` is empty until the person is known."""

    __tablename__ = "activity"
    __table_args__ = (
        CheckConstraint(_in("actor", ActivityActor)),
        Index("activity_key", "source", "key", unique=True),
        Index("activity_lead", "lead_id", "occurred_at"),
        Index("activity_unmatched", "email", postgresql_where=text("lead_id IS NULL")),
        _request_index("activity"),
    )
    id: int | None = _id()
    source: str
    key: str = _personal()
    kind: str
    actor: str
    rep: str | None = _staff(None)
    email: str | None = _personal(None)
    lead_id: int | None = _ref("lead.id", nullable=True)
    occurred_at: datetime = _at()
    payload: str = Field(sa_column=Column(Text, nullable=False, info=PERSONAL))
    received_at: datetime = _at()
    seconds: int | None = None  # how long a call took
    automatic: bool | None = None  # a sequence sent it by itself
    client_address: str | None = _personal(None)
    request_id: str | None = _personal(None)
    request_hash: str | None = _personal(None)


class ReusedRequest(SQLModel, table=True):
    """An id of a request that came again with another body, which was refused."""

    __tablename__ = "reused_request"
    source: str = Field(primary_key=True)
    request_id: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})  # a sender may call it anything
    times: int
    first_at: datetime = _at()
    last_at: datetime = _at()
    last_address: str | None = _personal(None)


class Outbox(SQLModel, table=True):
    """A message to send at least once, with its key in it, in the order of ids for each journey and target.

    What the message is about never changes; the columns from ``attempts`` on tell how its delivery goes. A row
    that is being sent is leased until ``retry_at``: a process killed meanwhile leaves it to the next.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_key", "key", unique=True),
        Index("outbox_journey", "journey_id"),
        Index(
            "outbox_waiting", "id", postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL")
        ),
    )  # fmt: skip
    id: int | None = _id()
    key: str
    journey_id: int = _id_of()
    target: str = _staff()
    kind: str
    created_at: datetime = _at()
    delivered_at: datetime | None = _at(nullable=True)
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    retry_at: datetime | None = _at(nullable=True)  # not before; none: at once
    given_up_at: datetime | None = _at(nullable=True)  # a work item asks a person instead
    failure: str | None = None  # why the last attempt failed, without the address
    claimed_at: datetime | None = _at(nullable=True)  # for the last attempt


class Correction(SQLModel, table=True):
    """A value that a person set on a rerun. It wins over the signal's."""

    __tablename__ = "correction"
    __table_args__ = ({"info": APPEND_ONLY},)
    id: int | None = _id()
    journey_id: int = _ref("journey.id", index=True)
    generation: int
    field: str
    value: str | None = _personal(None)
    by: str = _staff()
    at: datetime = _at()


class Action(SQLModel, table=True):
    """What a person did to a journey: rerun, done by hand, accept, reject, reassign, unjoin, undo … Append-only.

    ``by`` is who did it, and ``acted_for`` the rep or manager for whom they did. ``note`` is the reason in the person's
    own words, which may name the lead. What one command did to several journeys has one ``number``, such as A12, and is
    undone together; ``undoes`` is the number of what an undo has undone. ``version`` is the journey's after the action:
    while it stands, nothing else has happened.
    """

    __tablename__ = "action"
    __table_args__ = (
        Index("action_number", "number"),
        Index("action_undone", "undoes", postgresql_where=text("undoes IS NOT NULL")),
        {"info": APPEND_ONLY},
    )
    id: int | None = _id()
    journey_id: int = _ref("journey.id", index=True)
    work_item_id: int | None = _ref("work_item.id", nullable=True)
    generation: int
    what: str
    by: str = _staff()
    acted_for: str | None = _staff(None)
    at: datetime = _at()
    note: str | None = _personal(None)
    version: int | None = None  # none: from before actions could be undone
    number: int | None = _id_of(nullable=True)  # drawn from the sequence of ids
    undoes: int | None = _id_of(nullable=True)


class HashKey(SQLModel, table=True):
    """The fingerprint of the key of all keyed hashes, once one has been agreed on. The key itself is not here."""

    __tablename__ = "hash_key"
    fingerprint: str = Field(primary_key=True)
    since: datetime = _at()


#: How full a page of a table is made, in percent. Rows of these tables are changed soon after they are written: with
#: room on its page a row changes without a write to an index (a heap-only update of PostgreSQL), as long as no index
#: holds the column. The tables do not become larger: what was written before is soon free again.
FILLED: Final = {"journey": 40, "lead": 40, "assignment": 50}

for _table, _percent in FILLED.items():
    _room = DDL(f"ALTER TABLE {_table} SET (fillfactor = {_percent})")  # type: ignore[no-untyped-call]
    event.listen(SQLModel.metadata.tables[_table], "after_create", _room)

_NAME: Final = 63  # bytes: names of the playbook, stages, kinds, promises
_KEY: Final = 16 + 4 * LONGEST_KEY
#: The most bytes that each indexed text can have, and so be found by; a test adds them up for each index. Whoever adds
#: an index over text says here who keeps the text short: ``limits``, or the schema of the playbook.
INDEXED_TEXT: Final[dict[str, int]] = {
    "playbook_version.hash": 64,
    "signal.source": _NAME,
    "signal.key": _KEY,
    "activity.source": _NAME,
    "activity.key": _KEY,
    "activity.email": 4 * longest_of("email"),
    "lead.email": 4 * longest_of("email"),
    "lead.phone": 4 * longest_of("phone"),
    "identity.kind": 2 * _NAME,
    "identity.value": _KEY,
    "work_item.stage": _NAME,
    "work_item.reason": _NAME,
    "work_item.promise": _NAME,
    "work_item.route": 4 * LONGEST_ROUTE,
    "handoff.stage": _NAME,
    "warned.gate": _NAME,
    "warned.promise": _NAME,
    "assignment.owner": _NAME,
    "missed.target": _NAME,
    "pool_state.pool": _NAME,
    "breaker.source": _NAME,
    "breaker.gate": _NAME,
    "outbox.key": 4 * _NAME,
    "signal.request_id": 255,  # ASCII: what `console.http.capture_api` lets through
    "activity.request_id": 255,
    "reused_request.source": _NAME,
    "reused_request.request_id": 255,
    "batch_holder.holder": 512,  # a flow run's id, or a host and a process
    "consumer.name": 512,
    "host.name": 255,  # what the operating system allows
    "hash_key.fingerprint": 32,
}
