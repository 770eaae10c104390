"""The outcomes of a stage, as people read them.

Belongs here: labels, and which outcomes hold a lead. Does not belong here: what an outcome leads to (``handoff``), or
counting outcomes (``descriptions``). Imports nothing but the vocabulary: the console reads this module at its start.
"""

from __future__ import annotations

from typing import Final

from leadgate.vocabulary import Outcome

#: The predicate for a number of leads with an outcome: "16 went on".
OUTCOME_LABELS: Final[dict[str, str]] = {
    Outcome.CONTINUE: "went on",
    Outcome.OWNED: "owned",
    Outcome.HOLD: "held",
    Outcome.REVIEW: "held for review",
    Outcome.PARKED: "parked with their source",
    Outcome.JOINED: "joined",
    Outcome.NURTURE: "nurture",
    Outcome.DISQUALIFIED: "disqualified",
    Outcome.WAIT: "wait",
    Outcome.DONE: "done",
    Outcome.REASSIGN: "taken back",
    Outcome.STAY: "stay with their owner",
}
#: Outcomes that hold a lead behind a work item.
HOLDING_OUTCOMES: Final = (Outcome.HOLD, Outcome.REVIEW, Outcome.PARKED)
