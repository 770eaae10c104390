"""One pass over the handoffs, the largest table: each beside its journey and its batch.

Belongs here: the rows of that pass. Does not belong here: the invariants that count in it, which are with their
subjects.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.invariant import Tally
from leadgate.vocabulary import StageName, list_in_sql

#: The number of the stage that a column names, from 1.
STAGE_NUMBER: Final = f"array_position(ARRAY[{list_in_sql(StageName)}], {{}})"

#: A journey that runs for the first time, or was discarded in that, hands on its stages from ``first``; ``last`` is the
#: last that it has handed on. A discarded one may have handed on its last stage, or not.
_JOURNEYS: Final = f"""
    SELECT id, trigger, status, captured_at, generation, handed_on_at, {STAGE_NUMBER.format("start_stage")} AS first,
        CASE WHEN generation = 0 AND status <> 'discarded' THEN {STAGE_NUMBER.format("stage")}
            - CASE WHEN status IN ('ready', 'owned') THEN 1 ELSE 0 END END AS last
    FROM journey OFFSET 0"""

#: A handoff ``h`` with the ``number`` of its stage, its journey ``j`` and its batch ``b``, if there are any.
_HANDOFFS: Final = f"""
    (SELECT journey_id, generation, outcome, batch_id, playbook_hash, at, {STAGE_NUMBER.format("stage")} AS number
        FROM handoff OFFSET 0) h
    LEFT JOIN ({_JOURNEYS}) j ON j.id = h.journey_id LEFT JOIN batch b ON b.id = h.batch_id"""

#: The handoffs ``h`` of journeys that ran again, or were discarded: each with what the one before was, if any,
#: and whether it is of a later generation.
_RERUNS: Final = f"""(
    SELECT trigger, generation, number, outcome, lag(generation) OVER one AS generation_before,
        lag(number) OVER one AS number_before, lag(outcome) OVER one AS outcome_before,
        generation > coalesce(lag(generation) OVER one, 0) AS rerun
    FROM (SELECT o.journey_id, j.trigger, o.generation, o.outcome, {STAGE_NUMBER.format("o.stage")} AS number
        FROM handoff o JOIN journey j ON j.id = o.journey_id AND (j.generation > 0 OR j.status = 'discarded')) numbered
    WINDOW one AS (PARTITION BY journey_id ORDER BY generation, number)) h"""

#: The handoffs that journeys which run for the first time must have, all together.
_EXPECTED: Final = f"(SELECT coalesce(sum(last - first + 1), 0) FROM ({_JOURNEYS}) j WHERE last IS NOT NULL)"


def count_handoffs(condition: str = "true") -> Tally:
    """How many handoffs ``condition`` holds for, of ``h``, ``j`` and ``b``."""
    return Tally(_HANDOFFS, f"count(*) FILTER (WHERE {condition})")


def count_reruns(condition: str) -> Tally:
    """How many handoffs ``condition`` holds for, of journeys that ran again, or were discarded."""
    return Tally(_RERUNS, f"count(*) FILTER (WHERE {condition})")


#: How many handoffs of journeys that run for the first time there are more, or fewer, than those journeys must have. No
#: two handoffs are of one journey, generation and stage.
TOO_MANY_OR_FEW: Final = Tally(
    _HANDOFFS, f"abs(count(*) FILTER (WHERE j.last IS NOT NULL AND h.generation = 0) - {_EXPECTED})"
)
#: The same of the moments that journeys keep.
MOMENTS_TOO_MANY_OR_FEW: Final = Tally(
    _HANDOFFS,
    "abs(count(*) FILTER (WHERE j.generation = 0 AND h.generation = 0) "
    "- (SELECT coalesce(sum(cardinality(handed_on_at)), 0) FROM journey WHERE generation = 0))",
)
