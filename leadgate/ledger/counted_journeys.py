"""The journeys of leads that a number of the report's funnel counts, one by one.

Belongs here: the list, in pages, the newest first. Does not belong here: the counts (``figures``), to which a test
compares it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leadgate.figures import STEPS
from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.database import Ledger
from leadgate.ledger.figures import ReportRequest
from leadgate.ledger.typed_rows import read_rows
from leadgate.vocabulary import STAGES, JourneyStatus


@dataclass(frozen=True)
class Counted:
    """Which of the signals of a period: those that came at least as far as the step ``reached``, or no further than
    ``stopped``; with a status, and by the last owner's rule (``route``)."""

    reached: str | None = None
    stopped: str | None = None
    status: JourneyStatus | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class CountedJourney:
    """A journey, with its last owner. It holds no value of the lead."""

    id: int
    lead_id: int | None
    source: str
    captured_at: datetime
    stage: str
    status: JourneyStatus
    owner: str | None
    counts: bool  # whether the number is of it, too


_ALL: Final = 2**63 - 1
_CHUNK: Final = 1_000  # journeys that are looked at together
_MOST_CHUNKS: Final = 4  # for one page: what is counted may be rare
#: How far each has come is told as the funnel tells it. The chunk is chosen first: the planner would look at the owners
#: of all journeys of the period. In the order of ids, which is that of their capture.
_JOURNEYS: Final = f"""
    WITH chunk AS MATERIALIZED (
        SELECT j.id, j.lead_id, j.source, j.captured_at, j.stage, j.status FROM journey j
        WHERE j.trigger = 'signal' AND j.kind = 'lead' AND j.captured_at >= :since AND j.captured_at < :until
            AND j.id < :before
            AND (CAST(:source AS text) IS NULL OR j.source = :source)
            AND (CAST(:status AS text) IS NULL OR j.status = :status)
        ORDER BY j.id DESC LIMIT :chunk)
    SELECT j.id, j.lead_id, j.source, j.captured_at, j.stage, j.status, a.owner,
        greatest(array_position(CAST(:stages AS text[]), j.stage) - 1, a.reached)
            BETWEEN :least AND :furthest
            AND (CAST(:route AS text) IS NULL OR coalesce(a.rule = :route, false)) AS counts
    FROM chunk j LEFT JOIN LATERAL (
        SELECT CASE WHEN bool_or(touched_at IS NOT NULL) THEN 6 ELSE 5 END AS reached,
            (array_agg(owner ORDER BY id DESC))[1] AS owner, (array_agg(rule ORDER BY id DESC))[1] AS rule
        FROM assignment WHERE journey_id = j.id AND {ENDED_OR_NOT} AND assigned_at >= :since
        HAVING count(*) > 0) a ON true
    ORDER BY j.id DESC"""


def list_counted(
    ledger: Ledger, asked: ReportRequest, counted: Counted, most: int, before: int | None = None
) -> tuple[list[CountedJourney], int | None]:
    """At most ``most`` of them, with ids below ``before``, and that of the next page; None at the end.

    A page looks at a few thousand journeys at most, so it may have fewer although others follow.
    """
    least = 0 if counted.reached is None else STEPS.index(counted.reached)
    furthest = len(STEPS) - 1
    if counted.stopped is not None:
        least = furthest = STEPS.index(counted.stopped)
    before = _ALL if before is None else before
    found: list[CountedJourney] = []
    with ledger.transaction(plan_by_index=True) as connection:
        for _ in range(_MOST_CHUNKS):
            rows = read_rows(
                connection, CountedJourney, _JOURNEYS, stages=list(STAGES), since=asked.since, until=asked.until,
                source=asked.source, status=counted.status, route=counted.route, least=least, furthest=furthest,
                before=before, chunk=_CHUNK,
            )  # fmt: skip
            for row in rows:
                if row.counts and len(found) == most:
                    return found, before
                before = row.id
                if row.counts:
                    found.append(row)
            if len(rows) < _CHUNK:
                return found, None
    return found, before
