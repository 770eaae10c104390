"""The six stages of a record, in order: the same for every kind.

Belongs here: this list. Does not belong here: the stages of leads (``tasks.batches``), or any stage itself.
"""

from __future__ import annotations

from typing import Final

from tasks.records import assignment, capture, enrichment, follow_up, qualification, validation
from tasks.stage import AnyStage

STAGES: Final[tuple[AnyStage, ...]] = (
    capture.STAGE,
    validation.STAGE,
    enrichment.STAGE,
    qualification.STAGE,
    assignment.STAGE,
    follow_up.STAGE,
)
