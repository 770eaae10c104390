"""The outcomes of a stage, and the words for them.

Belongs here: names and words alone. Does not belong here: what an outcome leads to (``handoff``), or counting them
(``descriptions``). Imports nothing: the console reads it before it starts anything.
"""

from __future__ import annotations

from typing import Final

#: An outcome of a stage, as one says it of leads: "16 went on".
IN_WORDS: Final = {
    "continue": "went on",
    "owned": "owned",
    "hold": "held",
    "review": "held for review",
    "parked": "parked with their source",
    "joined": "joined",
    "nurture": "nurture",
    "disqualified": "disqualified",
    "wait": "wait",
    "done": "done",
    "reassign": "taken back",
    "stay": "stay with their owner",
}
#: Outcomes that hold a lead behind a work item.
HOLDS: Final = ("hold", "review", "parked")
