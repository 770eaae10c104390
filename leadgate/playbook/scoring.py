"""What a good lead is: points for fit and engagement, and what they make of a lead.

Belongs here: the schema of scoring and qualification. Does not belong here: computing either
(``leadgate.scoring``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from leadgate.playbook.base import Duration, Expression, Name, Part
from leadgate.vocabulary import QualifiedAs

EvidencePart = Literal["budget", "authority", "need", "timeline"]
#: Fit and engagement in two characters: ``A1`` is the best, ``D4`` the worst.
Grade = Annotated[str, Field(pattern=r"^[A-D][1-4]$")]


class FitRule(Part):
    name: Name
    when: Expression
    points: int = Field(ge=-1000, le=1000)
    group: Name | None = None  # a key of ``groups``
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
    half_life: Duration | None = Field(default=None, gt=timedelta(0))  # each activity is worth half after this
    group: Name | None = None  # a key of ``groups``
    why: str = ""

    @model_validator(mode="after")
    def _require_one_trigger(self) -> Self:
        if (self.activity is None) == (self.when is None):
            raise ValueError("give either activity (a kind of activity) or when (an expression)")
        if self.when is not None and (self.count == "each" or self.within is not None or self.half_life is not None):
            raise ValueError("count: each, within and half_life go with activity, not with when")
        if self.max_points is not None and self.count != "each":
            raise ValueError("max_points goes with count: each")
        return self


class Cap(Part):
    """What the rules of a group, or of fit or engagement as a whole, may come to together."""

    max_points: int | None = Field(default=None, ge=0)
    min_points: int | None = Field(default=None, le=0)

    @model_validator(mode="after")
    def _require_cap(self) -> Self:
        if self.max_points is None and self.min_points is None:
            raise ValueError("a cap without max_points and min_points caps nothing; give one of them")
        return self


def _convert_keys(value: Any) -> Any:
    """YAML reads ``1:`` as a number, JSON knows text keys only: text it is."""
    return {str(key): points for key, points in value.items()} if isinstance(value, Mapping) else value


class Grades(Part):
    """From how many points on fit is A, B or C, and engagement 1, 2 or 3; what is below is D and 4."""

    fit: dict[Literal["A", "B", "C"], int]
    engagement: Annotated[dict[Literal["1", "2", "3"], int], BeforeValidator(_convert_keys)]

    @model_validator(mode="after")
    def _check_descending(self) -> Self:
        scales: tuple[tuple[str, str, Mapping[Any, int]], ...] = (
            ("fit", "ABC", self.fit),
            ("engagement", "123", self.engagement),
        )
        for part, order, thresholds in scales:
            if missing := [name for name in order if name not in thresholds]:
                raise ValueError(f"{part} has no threshold for {', '.join(missing)}; give all of {', '.join(order)}")
            points = [thresholds[name] for name in order]
            if not points[0] > points[1] > points[2]:
                raise ValueError(f"the thresholds of {part} must fall from {order[0]} to {order[2]}, not {points}")
        return self


class Scoring(Part):
    fit: tuple[FitRule, ...] = ()
    engagement: tuple[EngagementRule, ...] = ()
    groups: dict[Name, Cap] = {}
    caps: dict[Literal["fit", "engagement"], Cap] = {}
    grades: Grades | None = None


class Disqualifier(Part):
    name: Name
    when: Expression
    reason: str


class EvidenceRule(Part):
    """What proves budget, authority, need or timeline. ``negative`` wins: it is known that there is none."""

    when: Expression | None = None  # known when this holds
    activity: Name | None = None  # an activity of this kind proves it as well
    negative: Expression | None = None
    value: str | None = None  # a field, shown as the evidence

    @model_validator(mode="after")
    def _require_proof(self) -> Self:
        if self.when is None and self.activity is None and self.negative is None:
            raise ValueError("nothing proves it; give when (an expression), activity (a kind of activity) or negative")
        return self


class Band(Part):
    """Scores from ``lowest`` up to, not including, ``below`` wait for a person."""

    lowest: int
    below: int

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if self.lowest >= self.below:
            raise ValueError(f"the band from {self.lowest} to below {self.below} is empty; lowest comes first")
        return self


class ByGrade(Part):
    """The grades of a verdict."""

    marketing_qualified: tuple[Grade, ...] = ()
    sales_qualified: tuple[Grade, ...] = ()


class Leave(Part):
    """Down to where a lead that was qualified stays so. What is left out is where it enters."""

    marketing_qualified: int | None = None
    sales_qualified: int | None = None
    grades: ByGrade = ByGrade()  # further grades at which it stays, where leads qualify by grade


class Qualification(Part):
    marketing_qualified: int = 40
    sales_qualified: int = 60
    leave: Leave = Leave()
    grades: ByGrade | None = None  # leads qualify by these instead of by the two scores
    requires: dict[QualifiedAs, tuple[EvidencePart, ...]] = {}
    sales_qualified_by: Literal["threshold", "acceptance"] = "threshold"
    review: Band | None = None
    disqualify: tuple[Disqualifier, ...] = ()
    evidence: dict[EvidencePart, EvidenceRule] = {}
