"""Handoffs one after the other: each follows from the one before by the table of transitions.

Belongs here: comparing what is recorded with the table. Does not belong here: the table (``ledger.journeys``), or
whether the stages are gapless (``journeys``).
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.journeys.paths import ENDS, PAIRS
from leadgate.ledger.verify.handoffs import count_handoffs, count_reruns
from leadgate.ledger.verify.invariant import Invariant
from leadgate.vocabulary import STAGES, HandoffOutcome

#: A journey that runs for the first time goes through its stages one by one: each but the last is handed on, and how
#: the last was left says how the journey stands.
_ENDS: Final = ", ".join(
    sorted(f"({STAGES.index(step.stage) + 1}, '{step.outcome}', '{status}')" for step, status in ENDS)
)
_FIRST_RUN: Final = (
    "j.last IS NOT NULL AND h.generation = 0 AND CASE "
    f"WHEN h.number < j.last THEN h.outcome <> '{HandoffOutcome.CONTINUED}' "
    f"WHEN h.number = j.last THEN (h.number, h.outcome, j.status) NOT IN ({_ENDS}) END"
)
_PAIRS: Final = ", ".join(
    sorted(
        f"({STAGES.index(before.stage) + 1 if before else 0}, '{before.outcome if before else ''}', "
        f"{STAGES.index(after.stage) + 1}, '{after.outcome}', {str(rerun).lower()})"
        for before, after, rerun in PAIRS
    )
)

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "handoffs_follow_transitions",
        "Each handoff of a journey follows from the one before by one of its transitions",
        count_handoffs(),
        (
            count_handoffs(_FIRST_RUN),
            count_reruns(
                "(coalesce(h.number_before, 0), coalesce(h.outcome_before, ''), h.number, h.outcome, h.rerun) "
                f"NOT IN (VALUES {_PAIRS})"
            ),
        ),
    ),
)
