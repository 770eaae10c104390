"""Signals, journeys and handoffs: every signal has a journey, and every journey is where its handoffs end.

Belongs here: journeys, what holds them and who owns them. Does not belong here: what was decided about them.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.handoffs import (
    MOMENTS_TOO_MANY_OR_FEW,
    STAGE_NUMBER,
    TOO_MANY_OR_FEW,
    count_handoffs,
    count_reruns,
)
from leadgate.ledger.verify.invariant import Invariant
from leadgate.vocabulary import OPEN, list_in_sql

_OPEN: Final = list_in_sql(OPEN)
INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "signal_has_journey",
        "Every signal has a journey",
        "SELECT count(*) FROM signal",
        "SELECT count(*) FROM signal s WHERE NOT EXISTS (SELECT 1 FROM journey j WHERE j.signal_id = s.id)",
    ),
    Invariant(
        "journeys_add_up",
        "Journeys by status add up to the signals, and those of no signal to their leads and records",
        "SELECT count(*) FROM journey",
        "SELECT abs((SELECT count(*) FROM journey WHERE trigger = 'signal') - (SELECT count(*) FROM signal)) "
        "+ (SELECT count(*) FROM journey WHERE trigger <> 'signal' AND lead_id IS NULL AND record_id IS NULL)",
    ),
    Invariant(
        "one_open_journey",
        "A lead has at most one open journey",
        f"SELECT count(DISTINCT lead_id) FROM journey WHERE status IN ({_OPEN})",
        f"SELECT count(*) FROM (SELECT lead_id FROM journey WHERE status IN ({_OPEN}) AND lead_id IS NOT NULL "
        "GROUP BY lead_id HAVING count(*) > 1) twice",
    ),
    Invariant(
        "held_has_work_item",
        "A held journey has an open work item",
        "SELECT count(*) FROM journey WHERE status = 'held'",
        "SELECT count(*) FROM journey j LEFT JOIN work_item w ON w.id = j.work_item_id AND w.closed_at IS NULL "
        "WHERE j.status = 'held' AND w.id IS NULL",
    ),
    Invariant(
        "work_item_holds",
        "An open blocking work item holds a journey",
        "SELECT count(*) FROM work_item WHERE closed_at IS NULL AND blocking",
        "SELECT count(*) FROM work_item w WHERE w.closed_at IS NULL AND w.blocking AND NOT EXISTS "
        "(SELECT 1 FROM journey j WHERE j.work_item_id = w.id AND j.status = 'held')",
    ),
    Invariant(
        "owned_has_one_owner",
        "An owned journey has exactly one open assignment, and no other journey has one",
        "SELECT count(*) FROM journey WHERE status = 'owned'",
        "SELECT count(*) FROM journey j LEFT JOIN (SELECT journey_id, count(*) AS n FROM assignment "
        "WHERE ended_at IS NULL GROUP BY journey_id) a ON a.journey_id = j.id "
        "WHERE coalesce(a.n, 0) <> CASE WHEN j.status = 'owned' THEN 1 ELSE 0 END",
    ),
    Invariant(
        "handoffs_gapless",
        "Handoffs are gapless for each journey and generation, and end where the journey is",
        count_handoffs(),
        (
            # most journeys run for the first time: their handoffs are within their stages, and as many
            count_handoffs(
                "j.last IS NOT NULL AND h.generation = 0 AND "
                "(NOT h.number BETWEEN j.first AND j.last OR j.trigger = 'signal' AND j.first <> 1)"
            ),
            TOO_MANY_OR_FEW,
            count_handoffs("h.generation > j.generation"),
            # of the others, each stage follows the one before, and a rerun begins no later than the run before ended
            count_reruns(
                "CASE WHEN h.number_before IS NULL THEN h.generation = 0 AND h.trigger = 'signal' AND h.number <> 1 "
                "WHEN h.rerun THEN h.generation = h.generation_before + 1 AND h.number > h.number_before + 1 "
                "ELSE h.number <> h.number_before + 1 END"
            ),
            f"""
            SELECT count(*) FROM (SELECT j.id FROM journey j
                LEFT JOIN handoff h ON h.journey_id = j.id AND h.generation = j.generation
                WHERE j.generation > 0 AND j.status <> 'discarded' GROUP BY j.id
                HAVING count(h.id) <> {STAGE_NUMBER.format("j.stage")} - {STAGE_NUMBER.format("j.start_stage")}
                    + CASE WHEN j.status IN ('ready', 'owned') THEN 0 ELSE 1 END) elsewhere""",
        ),
    ),
    Invariant(
        "moments_are_handoffs",
        "A journey that runs for the first time keeps the moments of its handoffs",
        "SELECT count(*) FROM journey WHERE generation = 0",
        (
            count_handoffs(
                "j.generation = 0 AND h.generation = 0 AND h.at IS DISTINCT FROM j.handed_on_at[h.number - j.first + 1]"
            ),
            MOMENTS_TOO_MANY_OR_FEW,
        ),
    ),
)
