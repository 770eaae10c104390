"""The outcomes of a stage, and the words for them.

Belongs here: names and words alone. Does not belong here: what an outcome leads to (``handoff``), or counting them
(``descriptions``). Imports words alone: the console reads it before it starts anything.
"""

from __future__ import annotations

from typing import Final

from leadgate.vocabulary import Outcome

#: An outcome of a stage, as one says it of leads: "16 went on".
IN_WORDS: Final[dict[str, str]] = {
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
HOLDS: Final = (Outcome.HOLD, Outcome.REVIEW, Outcome.PARKED)
