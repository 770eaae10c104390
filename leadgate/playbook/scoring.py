"""What a good lead is: points for fit and engagement, and what they make of a lead.

Belongs here: the schema of scoring and qualification. Does not belong here: computing either
(``leadgate.scoring``).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from leadgate.playbook.base import Duration, Expression, Name, Part


class FitRule(Part):
    name: Name
    when: Expression
    points: int = Field(ge=-1000, le=1000)
    why: str = ""


class EngagementRule(Part):
    """Points for what the lead did. Give ``activity`` (a kind of activity) or ``when``, not both."""

    name: Name
    activity: Name | None = None
    when: Expression | None = None
    points: int = Field(ge=-1000, le=1000)
    count: Literal["once", "each"] = "once"
    max_points: int | None = None  # for ``each``: no more than this in sum
    within: Duration | None = None  # only activities this recent
    why: str = ""

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        if (self.activity is None) == (self.when is None):
            raise ValueError("give either activity (a kind of activity) or when (an expression)")
        if self.when is not None and (self.count == "each" or self.within is not None):
            raise ValueError("count: each and within go with activity, not with when")
        if self.max_points is not None and self.count != "each":
            raise ValueError("max_points goes with count: each")
        return self


class Scoring(Part):
    fit: tuple[FitRule, ...] = ()
    engagement: tuple[EngagementRule, ...] = ()


class Disqualifier(Part):
    name: Name
    when: Expression
    reason: str


class EvidenceRule(Part):
    """Budget, authority, need or timeline is known when ``when`` holds; ``value`` is what proves it."""

    when: Expression
    value: str | None = None  # a field, shown as the evidence


class Band(Part):
    """Scores from ``lowest`` up to, not including, ``below`` wait for a person."""

    lowest: int
    below: int

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.lowest >= self.below:
            raise ValueError(f"the band from {self.lowest} to below {self.below} is empty; lowest comes first")
        return self


class Qualification(Part):
    marketing_qualified: int = 40
    sales_qualified: int = 60
    sales_qualified_by: Literal["threshold", "acceptance"] = "threshold"
    review: Band | None = None
    disqualify: tuple[Disqualifier, ...] = ()
    evidence: dict[Literal["budget", "authority", "need", "timeline"], EvidenceRule] = {}
