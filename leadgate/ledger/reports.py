"""The ledger read for people: the summary of all leads, and the queue of open work items, of journeys of every kind.

Belongs here: queries that count or list. Does not belong here: one lead's story (``lead_history``), words and
masking (the console), or any change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from leadgate.ledger.cohort import SIGNALS
from leadgate.ledger.concurrent_reads import read_concurrently
from leadgate.ledger.database import Ledger
from leadgate.ledger.outbox import ESCALATED_TO
from leadgate.ledger.queue_order import Place, build_after, build_order
from leadgate.ledger.typed_rows import Read, read_rows
from leadgate.ledger.work_items import OWNER
from leadgate.vocabulary import OPEN, STAGES, JourneyKind, JourneyStatus, StageName, Trigger, list_in_sql

if TYPE_CHECKING:
    from leadgate.values.json_types import JsonValue


@dataclass(frozen=True)
class StageCounts:
    """Journeys by where they are now. ``entered`` is the sum of the others, so a row can be added up.

    ``passed`` went on to a later stage or got their owner, ``held`` wait for a person, ``waiting`` for the
    next run, ``ended`` maps a final status reached at this stage (joined, nurture, …) to its count.
    """

    stage: str
    entered: int
    passed: int
    held: int
    waiting: int
    ended: dict[str, int]
    reasons: dict[str, int]  # of those held


@dataclass(frozen=True)
class Speed:
    """Seconds, over ``count`` leads; ``p50`` and ``p95`` are None when there are none."""

    count: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class OwnerCounts:
    """An owner's leads."""

    owner: str
    open: int
    overdue: int
    total: int


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Open work items that are alike, and the journeys that they hold; ``due_at`` is when the first is due."""

    reason: str
    stage: str
    route: str
    items: int
    journeys: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Examples:
    """Ids to try the next commands with; None where there is none."""

    owned_lead: int | None = None
    any_lead: int | None = None
    proposed_item: int | None = None
    phone_item: int | None = None
    review_item: int | None = None
    compare_item: int | None = None
    any_item: int | None = None


@dataclass(frozen=True)
class Summary:
    """What became of every lead that was captured, as of one moment of the ledger. ``queue`` is of journeys of every
    kind, ``records`` counts records by their kind, and all else is of leads alone."""

    signals: int
    leads: int
    journeys: dict[str, int]  # by status; of signals, so they add up to ``signals``
    rescores: dict[str, int]  # by status; journeys that something new about a known lead started
    stages: list[StageCounts]
    owners: list[OwnerCounts]  # most open first
    queue: list[QueueCounts]  # the most frequent first
    to_owner: Speed
    to_first_touch: Speed
    examples: Examples = field(default_factory=Examples)
    records: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkItemFilter:
    """Which open work items: every condition that is given must hold.

    ``deciders``: routed to one of these, taken by one, or about a lead that one owns. ``mine``: routed to one of these
    or taken by one. ``by_chance_at``: in the order of chances as of then. ``after``: behind that place.
    """

    ids: Sequence[int] = ()
    reason: str | None = None
    stage: str | None = None
    route: str | None = None
    assignee: str | None = None
    source: str | None = None
    batch_id: int | None = None
    due_before: datetime | None = None
    blocking: bool | None = None
    kinds: Sequence[str] = ()
    deciders: Sequence[str] | None = None
    mine: Sequence[str] | None = None
    by_chance_at: datetime | None = None
    after: Place | None = None

    def build_conditions(self) -> tuple[str, dict[str, object]]:
        """The ``AND …`` part of a query over ``work_item w``, and its parameters."""
        given: list[tuple[str, str, object]] = [
            ("ids", "w.id = ANY(:ids)", list(self.ids) or None),
            ("reason", "w.reason = :reason", self.reason),
            ("stage", "w.stage = :stage", self.stage),
            ("route", "w.route = :route", self.route),
            ("assignee", "w.assignee = :assignee", self.assignee),
            ("source", "w.source = :source", self.source),
            ("batch_id", "w.batch_id = :batch_id", self.batch_id),
            ("due_before", "w.due_at < :due_before", self.due_before),
            ("blocking", "w.blocking = :blocking", self.blocking),
            ("kinds", "w.kind = ANY(:kinds)", list(self.kinds) or None),
            ("deciders", _DECIDED_BY, None if self.deciders is None else list(self.deciders)),
            (
                "mine",
                "(w.route = ANY(:mine) OR w.assignee = ANY(:mine))",
                None if self.mine is None else list(self.mine),
            ),
            ("after_due", build_after(self.by_chance_at), self.after and self.after.due_at),
        ]
        used = [(name, condition, value) for name, condition, value in given if value is not None]
        parameters = {name: value for name, _, value in used}
        if self.after is not None:
            parameters["after_id"] = self.after.id
            if self.by_chance_at is not None:
                place = {"after_part": self.after.part, "after_rank": self.after.rank}
                parameters |= place | {"by_chance_at": self.by_chance_at}
        return "".join(f" AND {each[1]}" for each in used), parameters


#: Nobody owns a lead that is held, so its owner is looked for where the item holds none.
_DECIDED_BY = (
    f"(w.route = ANY(:deciders) OR w.assignee = ANY(:deciders) OR (NOT w.blocking AND {OWNER} = ANY(:deciders)))"
)


@dataclass(frozen=True, slots=True)
class OpenWorkItem:
    """An open work item, the lead or the record that it is about and its ``owner``, if it has one, and how many
    ``journeys`` it holds. Values are not masked."""

    id: int
    kind: str
    blocking: bool
    reason: str
    stage: str
    promise: str | None
    source: str | None
    journey_id: int | None
    lead_id: int | None
    batch_id: int | None
    message: str
    value: str | None
    detail: str | None
    proposal: dict[str, JsonValue] | None
    route: str
    assignee: str | None
    taken_at: datetime | None
    due_at: datetime
    opened_at: datetime
    escalated_at: datetime | None
    escalated_to: str | None
    journeys: int
    owner: str | None
    about: JourneyKind  # what the journey is about; a lead, too, where it is about no journey
    record_id: int | None
    record_name: str | None = field(repr=False)
    chance: float | None = None  # by a learned score that says in which order people work


@dataclass(frozen=True, slots=True)
class JourneyStanding:
    """Where a journey is now: the batch that works on it, whether it waits for a ``later`` moment (``run_after``), its
    ``owner`` or the open work item that holds it, and the ``reason`` of the last handoff that gave one."""

    id: int
    lead_id: int | None
    stage: str
    status: str
    run_after: datetime
    later: bool
    joined_to: int | None
    work_item_id: int | None
    batch_id: int | None
    owner: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Journeys:
    trigger: str
    stage: str
    status: str
    n: int


@dataclass(frozen=True, slots=True)
class _Held:
    stage: str
    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class _Counts:
    signals: int
    leads: int


def list_work_items(ledger: Ledger, wanted: WorkItemFilter, limit: int | None = None) -> list[OpenWorkItem]:
    """Open work items, oldest due first; by chance, where that is wanted."""
    (conditions, parameters), order = wanted.build_conditions(), build_order(wanted.by_chance_at)
    parameters |= {} if wanted.by_chance_at is None else {"by_chance_at": wanted.by_chance_at}
    statement = f"""
        SELECT w.id, w.kind, w.blocking, w.reason, w.stage, w.promise, w.source, w.journey_id, j.lead_id,
            w.batch_id, w.message, w.value, w.detail, w.proposal, w.route, w.assignee, w.taken_at, w.due_at,
            w.opened_at, w.escalated_at, {ESCALATED_TO} AS escalated_to,
            (SELECT count(*) FROM journey h WHERE h.work_item_id = w.id) AS journeys, {OWNER} AS owner,
            coalesce(j.kind, 'lead') AS about, j.record_id, r.name AS record_name, w.chance
        FROM work_item w LEFT JOIN journey j ON j.id = w.journey_id LEFT JOIN record r ON r.id = j.record_id
        WHERE w.closed_at IS NULL{conditions} ORDER BY {order} LIMIT :most"""
    with ledger.statement() as connection:
        return read_rows(connection, OpenWorkItem, statement, most=limit, **parameters)


def count_work_items(ledger: Ledger, wanted: WorkItemFilter) -> int:
    """How many open work items there are of those wanted."""
    conditions, parameters = wanted.build_conditions()
    with ledger.transaction() as connection:
        statement = f"SELECT count(*) FROM work_item w WHERE w.closed_at IS NULL{conditions}"
        return int(connection.execute(text(statement), parameters).scalar_one())


def list_standings(ledger: Ledger, journey_ids: Sequence[int]) -> list[JourneyStanding]:
    """Where journeys are now, by id."""
    statement = """
        SELECT j.id, j.lead_id, j.stage, j.status, j.run_after,
            j.run_after > clock_timestamp() AS later, j.joined_to, j.work_item_id,
            (SELECT b.id FROM batch b WHERE b.id = j.batch_id AND b.closed_at IS NULL) AS batch_id,
            (SELECT a.owner FROM assignment a WHERE a.journey_id = j.id AND a.ended_at IS NULL) AS owner,
            coalesce((SELECT w.reason FROM work_item w WHERE w.id = j.work_item_id),
                (SELECT h.reason FROM handoff h WHERE h.journey_id = j.id AND h.generation = j.generation
                    AND h.reason IS NOT NULL ORDER BY h.id DESC LIMIT 1)) AS reason
        FROM journey j WHERE j.id = ANY(:ids) ORDER BY j.id"""
    with ledger.transaction() as connection:
        return read_rows(connection, JourneyStanding, statement, ids=list(journey_ids))


@dataclass(frozen=True, slots=True)
class _Records:
    kind: JourneyKind
    n: int


def read_summary(ledger: Ledger, now: datetime) -> Summary:
    """All leads in counts. ``now`` decides what is overdue."""
    to_owner, to_first_touch = (
        Read(Speed, _build_percentiles(TO_OWNER)),
        Read(Speed, _build_percentiles(TO_FIRST_TOUCH)),
    )
    journeys, owners = Read(_Journeys, _JOURNEYS), Read(OwnerCounts, _OWNERS, {"now": now})
    queue, held = Read(QueueCounts, _QUEUE), Read(_Held, _HELD)
    counts, examples = Read(_Counts, _COUNTS), Read(Examples, _EXAMPLES)
    records = Read(_Records, "SELECT kind, count(*) AS n FROM record GROUP BY kind ORDER BY kind")
    reads: list[Callable[[Connection], None]] = [
        to_owner, to_first_touch, journeys, owners, queue, held, counts, examples, records,
    ]  # fmt: skip
    read_concurrently(ledger, reads)
    by_trigger: dict[str, Counter[str]] = {Trigger.SIGNAL: Counter(), Trigger.RESCORE: Counter()}
    for row in journeys.rows:
        by_trigger.setdefault(row.trigger, Counter())[row.status] += row.n
    return Summary(
        signals=counts.rows[0].signals,
        leads=counts.rows[0].leads,
        journeys=dict(by_trigger.pop(Trigger.SIGNAL).most_common()),
        rescores=dict(sum(by_trigger.values(), Counter()).most_common()),
        stages=[_build_stage_counts(name, journeys.rows, held.rows) for name in STAGES],
        owners=owners.rows,
        queue=queue.rows,
        to_owner=to_owner.rows[0],
        to_first_touch=to_first_touch.rows[0],
        examples=examples.rows[0],
        records={row.kind: row.n for row in records.rows},
    )


_JOURNEYS = (
    "SELECT trigger, stage, status, count(*) AS n FROM journey WHERE kind = 'lead' GROUP BY trigger, stage, status"
)
_HELD = """
    SELECT w.stage, w.reason, count(*) AS n FROM journey j
    JOIN work_item w ON w.id = j.work_item_id AND j.status = 'held' WHERE j.kind = 'lead'
    GROUP BY w.stage, w.reason ORDER BY n DESC, w.reason"""
_COUNTS = f"SELECT {SIGNALS} AS signals, (SELECT count(*) FROM lead) AS leads"
_OWNERS = """
    SELECT owner, count(*) FILTER (WHERE ended_at IS NULL) AS open,
        count(*) FILTER (WHERE ended_at IS NULL AND touched_at IS NULL AND due_at <= :now) AS overdue,
        count(*) AS total
    FROM assignment WHERE kind = 'lead' GROUP BY owner ORDER BY open DESC, total DESC, owner"""
_QUEUE = """
    SELECT w.reason, w.stage, w.route, count(DISTINCT w.id) AS items, count(j.id) AS journeys,
        min(w.due_at) AS due_at
    FROM work_item w LEFT JOIN journey j ON j.work_item_id = w.id
    WHERE w.closed_at IS NULL GROUP BY w.reason, w.stage, w.route ORDER BY items DESC, w.reason, w.stage"""
#: Speed to lead, a row of ``seconds`` for each: capture to the first owner, and owner to first touch.
TO_OWNER = """
    SELECT date_part('epoch', min(a.assigned_at) - j.captured_at) AS seconds
    FROM assignment a JOIN journey j ON j.id = a.journey_id
    WHERE j.trigger = 'signal' AND j.kind = 'lead' GROUP BY j.id"""
TO_FIRST_TOUCH = """
    SELECT date_part('epoch', touched_at - assigned_at) AS seconds FROM assignment
    WHERE touched_at IS NOT NULL AND kind = 'lead'"""
_EXAMPLES = f"""
    SELECT
        (SELECT lead_id FROM journey WHERE status = 'owned' AND lead_id IS NOT NULL ORDER BY id LIMIT 1) AS owned_lead,
        (SELECT lead_id FROM journey WHERE status IN ({list_in_sql(OPEN)}, 'done', 'nurture')
            AND lead_id IS NOT NULL ORDER BY id LIMIT 1) AS any_lead,
        (SELECT id FROM work_item WHERE closed_at IS NULL AND blocking AND proposal IS NOT NULL
            ORDER BY due_at, id LIMIT 1) AS proposed_item,
        (SELECT w.id FROM work_item w JOIN journey j ON j.id = w.journey_id JOIN lead l ON l.id = j.lead_id
            WHERE w.closed_at IS NULL AND w.blocking AND w.reason = 'phone_impossible' AND l.email IS NOT NULL
            ORDER BY w.due_at, w.id LIMIT 1) AS phone_item,
        (SELECT id FROM work_item WHERE closed_at IS NULL AND kind = 'review' AND stage = 'qualification'
            ORDER BY due_at, id LIMIT 1) AS review_item,
        (SELECT id FROM work_item WHERE closed_at IS NULL AND kind = 'review' AND stage = 'validation'
            ORDER BY due_at, id LIMIT 1) AS compare_item,
        (SELECT id FROM work_item WHERE closed_at IS NULL AND blocking
            ORDER BY due_at, id LIMIT 1) AS any_item"""


def _build_stage_counts(name: str, journeys: Sequence[_Journeys], held: Sequence[_Held]) -> StageCounts:
    number = STAGES.index(name)
    passed = sum(
        row.n for row in journeys if STAGES.index(row.stage) > number and _find_first_stage(row.trigger) <= number
    )
    here: Counter[str] = Counter()
    for row in journeys:
        if row.stage == name:
            here[row.status] += row.n
    waiting = here.pop(JourneyStatus.READY, 0) + here.pop(JourneyStatus.OWNED, 0)
    on_hold = here.pop(JourneyStatus.HELD, 0)
    passed += here.pop(JourneyStatus.DONE, 0)
    return StageCounts(
        stage=name,
        entered=passed + on_hold + waiting + sum(here.values()),
        passed=passed,
        held=on_hold,
        waiting=waiting,
        ended=dict(here.most_common()),
        reasons={row.reason: row.n for row in held if row.stage == name},
    )


def _find_first_stage(trigger: str) -> int:
    """The stage a journey began at: a rescore does not repeat capture, validation and enrichment."""
    if trigger == Trigger.SIGNAL:
        return 0
    return STAGES.index(StageName.ENRICHMENT if trigger == Trigger.ENRICH else StageName.QUALIFICATION)


def _build_percentiles(seconds: str) -> str:
    """The figures of ``Speed`` over the rows of a query."""
    return f"""
        SELECT count(*) AS count, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95
        FROM ({seconds}) every"""
