"""What a learned score is to learn, from what, and what it may do.

Belongs here: the schema of this part. Does not belong here: learning (``leadgate.learning``), or using what was learned
(``tasks.learned_scores``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from leadgate.playbook.base import Duration, Part
from leadgate.vocabulary import LearnedRole


class AuditShare(Part):
    """So many ``percent`` of the leads up to ``within`` points below the threshold go on all the same."""

    percent: float = Field(ge=1, le=5)
    within: int = Field(ge=1, le=1000)


class Learned(Part):
    """A score learned from leads whose time is up. ``role`` is the most that any may do; ``leadgate score promote``
    says what the one in force does."""

    role: LearnedRole = LearnedRole.SHADOW
    label: Literal["accepted", "opportunity"] = "accepted"  # what a good lead comes to
    horizon: Duration = Field(default=timedelta(days=60), gt=timedelta(0))  # within this, from its decision on
    train_every: Duration = Field(default=timedelta(days=7), ge=timedelta(days=1))
    fields: tuple[str, ...] = ()  # of a lead, whose values are read beside rules and evidence
    accept_from: float | None = Field(default=None, gt=0, lt=1)  # decide: from this chance on a lead goes on
    nurture_below: float | None = Field(default=None, gt=0, lt=1)  # decide: below it, it is nurtured
    audit: AuditShare | None = None  # none: what leads below the threshold would come to, nobody knows

    @model_validator(mode="after")
    def _check_chances(self) -> Self:
        if self.role is LearnedRole.DECIDE and self.accept_from is None and self.nurture_below is None:
            raise ValueError("role: decide needs accept_from, nurture_below or both: chances, such as 0.6 and 0.1")
        if self.accept_from is not None and self.nurture_below is not None and self.nurture_below > self.accept_from:
            raise ValueError(
                f"nurture_below ({self.nurture_below}) is above accept_from ({self.accept_from}); lower it"
            )
        return self
