"""Signals, journeys and handoffs: every signal has a journey, and every journey is where its handoffs end.

Belongs here: journeys, what holds them and who owns them. Does not belong here: what was decided about them.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.handoffs import MOMENTS_TOO_MANY_OR_FEW, STAGE_NUMBER, TOO_MANY_OR_FEW, count_handoffs
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
        "Journeys by status add up to the signals, and rescores to their leads",
        "SELECT count(*) FROM journey",
        "SELECT abs((SELECT count(*) FROM journey WHERE trigger = 'signal') - (SELECT count(*) FROM signal)) "
        "+ (SELECT count(*) FROM journey WHERE trigger <> 'signal' AND lead_id IS NULL)",
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
            f"""
            WITH others AS MATERIALIZED (
                SELECT id FROM journey WHERE generation > 0 OR status = 'discarded'
                UNION SELECT journey_id FROM handoff WHERE generation > 0),
            runs AS MATERIALIZED (
                SELECT journey_id, generation, count(*) AS n, min(number) AS first, max(number) AS last
                FROM (SELECT journey_id, generation, {STAGE_NUMBER.format("stage")} AS number FROM handoff
                    WHERE journey_id IN (SELECT id FROM others)) numbered
                GROUP BY journey_id, generation),
            jumps AS (
                SELECT r.journey_id FROM runs r JOIN runs p
                    ON p.journey_id = r.journey_id AND p.generation = r.generation - 1
                WHERE r.generation > 0 AND r.first > p.last + 1),
            wrong AS (
                SELECT r.journey_id FROM runs r LEFT JOIN journey j ON j.id = r.journey_id
                WHERE r.last - r.first + 1 <> r.n
                    OR r.generation = 0 AND j.trigger = 'signal' AND r.first <> 1),
            ends AS (
                SELECT j.id AS journey_id FROM journey j JOIN others o ON o.id = j.id
                LEFT JOIN runs r ON r.journey_id = j.id AND r.generation = j.generation
                WHERE coalesce(r.n, 0) <> {STAGE_NUMBER.format("j.stage")} - {STAGE_NUMBER.format("j.start_stage")}
                    + CASE WHEN j.status IN ('ready', 'owned') THEN 0 ELSE 1 END
                AND j.status <> 'discarded')
            SELECT count(*) FROM (SELECT * FROM jumps UNION SELECT * FROM wrong UNION SELECT * FROM ends) broken""",
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
