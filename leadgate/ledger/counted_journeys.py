"""The journeys that a number of the report's funnel counts, one by one.

Belongs here: the list, in pages, the newest first. Does not belong here: the counts (``figures``), to which a test
compares it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leadgate.figures import STEPS
from leadgate.ledger.database import Ledger
from leadgate.ledger.figures import Asked
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


#: How far each has come is told as the funnel tells it.
_JOURNEYS: Final = """
    WITH counted AS (
        SELECT j.id, j.lead_id, j.source, j.captured_at, j.stage, j.status, a.owner, a.rule,
            greatest(array_position(CAST(:stages AS text[]), j.stage) - 1, a.reached) AS reached
        FROM journey j LEFT JOIN LATERAL (
            SELECT CASE WHEN bool_or(touched_at IS NOT NULL) THEN 6 ELSE 5 END AS reached,
                (array_agg(owner ORDER BY id DESC))[1] AS owner, (array_agg(rule ORDER BY id DESC))[1] AS rule
            FROM assignment WHERE journey_id = j.id AND assigned_at >= :since HAVING count(*) > 0) a ON true
        WHERE j.trigger = 'signal' AND j.captured_at >= :since AND j.captured_at < :until
            AND (j.captured_at, j.id) < (:after, CAST(:number AS bigint))
            AND (CAST(:source AS text) IS NULL OR j.source = :source)
            AND (CAST(:status AS text) IS NULL OR j.status = :status))
    SELECT id, lead_id, source, captured_at, stage, status, owner FROM counted
    WHERE reached BETWEEN :least AND :furthest AND (CAST(:route AS text) IS NULL OR rule = :route)
    ORDER BY captured_at DESC, id DESC LIMIT :most"""


def list_counted(
    ledger: Ledger, asked: Asked, counted: Counted, most: int, after: tuple[datetime, int] | None = None
) -> list[CountedJourney]:
    """At most ``most`` of them, from the one ``after`` (its capture and number) on."""
    least = 0 if counted.reached is None else STEPS.index(counted.reached)
    furthest = len(STEPS) - 1
    if counted.stopped is not None:
        least = furthest = STEPS.index(counted.stopped)
    at, number = after or (asked.until, 0)
    with ledger.transaction() as connection:
        return read_rows(
            connection, CountedJourney, _JOURNEYS, stages=list(STAGES), since=asked.since, until=asked.until,
            source=asked.source, status=counted.status, route=counted.route, least=least, furthest=furthest,
            after=at, number=number, most=most,
        )  # fmt: skip
