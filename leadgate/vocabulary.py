"""The closed sets of words that code, tables and pages share: stages, statuses of a journey, outcomes.

Belongs here: enumerations alone. Does not belong here: which status may follow which
(``ledger.journeys.transitions``), or words of the playbook.

A member is a string. Its value is what tables, JSON and COPY hold; as a key of a JSON object write ``.value``, because
orjson takes plain strings there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class StageName(StrEnum):
    """The six stages, in order."""

    CAPTURE = "capture"
    VALIDATION = "validation"
    ENRICHMENT = "enrichment"
    QUALIFICATION = "qualification"
    ASSIGNMENT = "assignment"
    FOLLOW_UP = "follow_up"

    @property
    def next(self) -> StageName:
        """The stage that follows. Raises ``IndexError`` for the last."""
        stages = list(StageName)
        return stages[stages.index(self) + 1]


class JourneyStatus(StrEnum):
    """Where a journey stands. The first three are open: a lead has at most one open journey."""

    READY = "ready"
    HELD = "held"
    OWNED = "owned"
    JOINED = "joined"
    NURTURE = "nurture"
    DISQUALIFIED = "disqualified"
    DONE = "done"
    DISCARDED = "discarded"


class Outcome(StrEnum):
    """What a stage decides about one journey."""

    CONTINUE = "continue"
    OWNED = "owned"
    HOLD = "hold"
    REVIEW = "review"
    PARKED = "parked"
    JOINED = "joined"
    NURTURE = "nurture"
    DISQUALIFIED = "disqualified"
    WAIT = "wait"
    DONE = "done"
    REASSIGN = "reassign"
    STAY = "stay"


class HandoffOutcome(StrEnum):
    """How a journey left a stage, as its handoff records."""

    CONTINUED = "continued"
    HELD = "held"
    JOINED = "joined"
    NURTURE = "nurture"
    DISQUALIFIED = "disqualified"
    DONE = "done"
    REASSIGNED = "reassigned"


class AssignmentMethod(StrEnum):
    """How a lead got its owner: by a route of the playbook, or because a person gave it to them."""

    ROUTE = "route"
    REASSIGN = "reassign"
    TRANSFER = "transfer"

    @property
    def by_hand(self) -> bool:
        return self is not AssignmentMethod.ROUTE


#: The same as plain strings, for JSON and lists of columns.
STAGES: Final = tuple(stage.value for stage in StageName)
STATUSES: Final = tuple(status.value for status in JourneyStatus)
ASSIGNMENT_METHODS: Final = tuple(method.value for method in AssignmentMethod)
#: A lead has at most one journey in one of these.
OPEN: Final = STATUSES[:3]
