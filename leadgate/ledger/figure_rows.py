"""What the queries of ``figures`` find, by the names of the queries: the columns of each.

Belongs here: these shapes; a test compares them with the queries on a real server. Does not belong here: the queries.
They come as plain dictionaries, because PostgreSQL puts most of them together as JSON.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TypedDict

from leadgate.json_columns import KeptTurnCounts


class JourneyCount(TypedDict):
    """``n`` journeys that are alike; ``reached`` is an index into ``leadgate.figures.STEPS``."""

    trigger: str
    source: str
    route: str | None
    score: int | None
    grade: str | None
    status: str
    reached: int
    outcome: str | None
    n: int


class ConversionCount(TypedDict):
    """``n`` journeys that were called qualified, and are alike."""

    qualified_as: str
    score: int
    grade: str | None
    source: str
    owned: bool | None
    touched: bool | None
    due: bool | None
    missed: bool | None
    rejected: str | None
    accepted: bool | None
    outcome: str
    n: int


class RuleCount(TypedDict):
    """What became of qualified journeys to which a scoring rule gave points."""

    rule: str
    points: float
    qualified: int
    decided: int
    won: int


class PatternCount(TypedDict):
    """Decided journeys to which the same ``rules`` gave points, and the ``total`` of their scores."""

    rules: list[str]
    won: int
    lost: int
    total: int


class ToOwner(TypedDict):
    """Seconds from capture to the first owner. ``grouped`` is SQL's ``GROUPING(owner, pool, hour)``."""

    grouped: int
    owner: str | None
    pool: str | None
    hour: int | None
    n: int
    p50: float | None
    p95: float | None


class ToTouch(TypedDict):
    """Seconds from the owner to the first touch, and what became of the touches (``figures.FIRST_TOUCHES``)."""

    grouped: int
    owner: str | None
    pool: str | None
    hour: int | None
    assigned: int
    n: int
    p50: float | None
    p95: float | None
    kept: int
    early: int
    missed: int
    not_due: int
    released: int
    no_sla: int


class TurnsTaken(TypedDict):
    """What an owner got from a pool, and how many of that took a turn."""

    pool: str | None
    owner: str
    n: int
    turns: int


class OwnerNow(TypedDict):
    """What an owner has now, and got in the period."""

    owner: str
    open: int
    overdue: int
    assigned: int


class PoolNow(TypedDict):
    """What a pool remembers of its turns."""

    pool: str
    state: KeptTurnCounts | None


class RecentLeads(TypedDict):
    """What a rep got since their last midnight, and since Monday's."""

    rep: str
    today: int
    week: int


class EndingCount(TypedDict):
    """``n`` journeys with a status; ``clean``: they needed no person."""

    status: str
    clean: bool
    n: int


class StageTime(TypedDict):
    """Seconds that ``n`` journeys took at a stage, or from capture to an end."""

    stage: str
    clean: bool
    n: int
    p50: float
    p95: float


class ReasonCount(TypedDict):
    """Why a person was needed, for how many journeys, and in how many seconds they had decided."""

    reason: str
    kind: str
    items: int
    journeys: int
    open: int
    p50: float | None
    p95: float | None


class LateLead(TypedDict):
    """An owned lead whose first touch is overdue."""

    journey_id: int
    lead_id: int
    assigned_at: datetime
    due_at: datetime
    sla: str | None
    pool: str | None
    route: str
    ladder_step: int


class BucketCount(TypedDict):
    """The signals of a day, a week or a month that ``begins``, and what became of them. Seconds to the first touch."""

    begins: date
    signals: int
    owned: int
    kept: int
    missed: int
    to_touch: float | None


class UpdateCount(TypedDict):
    """``n`` updates of records that are alike: their ``path`` (one of ``leadgate.figures.PATHS``), and what became
    of the first touches that they asked for. ``not_done``: those of the missed that nobody has done yet."""

    about: str
    source: str
    owner: str | None
    path: str
    kept: int
    missed: int
    not_done: int
    n: int


class RecordCount(TypedDict):
    """``n`` records that are open now, or were closed in the period with an ``outcome``, and are alike."""

    about: str
    source: str
    owner: str | None
    sales_stage: str | None
    is_open: bool
    outcome: str | None
    owned: bool
    unowned: bool
    held: bool
    overdue: bool
    stale: bool
    slipped: bool
    n: int


class RecordReason(ReasonCount):
    """Of updates of records of one kind."""

    about: str


class EarlyCount(TypedDict):
    """Outcomes of any time that came before their lead had an owner, and are not recorded either."""

    n: int


class SignalCount(TypedDict):
    """All signals there are."""

    n: int


class ReliabilityGroup(TypedDict):
    """Of the leads that judged the learned score ``model``, those with chances from ``lowest`` to ``highest``: how many
    of them were ``won``."""

    model: int
    lowest: float
    highest: float
    chance: float
    won: int
    leads: int


class FigureRows(TypedDict, total=False):
    """The rows of ``figures.read`` by query: ``captured``, and the queries of the requested sections."""

    captured: list[SignalCount]
    journeys: list[JourneyCount]
    conversion: list[ConversionCount]
    rules: list[RuleCount]
    patterns: list[PatternCount]
    early: list[EarlyCount]
    reliability: list[ReliabilityGroup]
    to_owner: list[ToOwner]
    to_touch: list[ToTouch]
    turns: list[TurnsTaken]
    owners: list[OwnerNow]
    pools: list[PoolNow]
    recent: list[RecentLeads]
    endings: list[EndingCount]
    stages: list[StageTime]
    reasons: list[ReasonCount]
    late: list[LateLead]
    trend: list[BucketCount]
    updates: list[UpdateCount]
    records: list[RecordCount]
    record_reasons: list[RecordReason]
