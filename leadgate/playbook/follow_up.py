"""How soon an owner must react, what counts as a reaction, and what happens when there is none.

Belongs here: the schema of SLAs and follow-up. Does not belong here: telling what is due
(``leadgate.sla.sla_targets``) or what counts (``leadgate.sla.touches``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from leadgate.playbook.base import Duration, Expression, Name, Part

Target = Literal["first_touch", "acceptance", "next_touch", "stage"]
OwnedState = Literal["untouched", "touched", "accepted"]
_Positive = Annotated[Duration, Field(gt=timedelta(0))]


class LadderStep(Part):
    """``after`` is a share of the target's time in percent: 50 is halfway, 100 the due time, 200 twice as long."""

    after: int = Field(gt=0, le=10_000)
    do: Literal["remind", "escalate", "reassign"]
    to: str | None = None  # escalate: a rep or a route's name; none means the owner's manager
    of: Target = "first_touch"


class Sla(Part):
    """Each target has a clock of its own, which starts and stops as ``leadgate.sla.sla_targets`` says."""

    name: Name
    first_touch: Duration = Field(gt=timedelta(0))
    accept_within: _Positive | None = None  # the target ``acceptance``
    next_touch: _Positive | None = None
    stage: _Positive | None = None
    clock: Literal["pool", "wall", "rep"] = "pool"
    ladder: tuple[LadderStep, ...] = ()
    due_soon: int = Field(default=75, gt=0, lt=100)  # percent of first_touch after which it counts as due soon


class Priority(Part):
    """Leads that have an SLA other than their pool's. First match wins."""

    name: Name
    when: Expression
    sla: Name


class Touch(Part):
    """A kind of activity that counts. One whose length is not known counts: not every export has the column."""

    kind: str = Field(min_length=1)
    min_seconds: int = Field(default=1, ge=0)  # nobody was reached in a call of no length
    automatic: bool = False  # whether one that a sequence sent by itself counts


class RejectReason(Part):
    """A reason with which an owner may give a lead back, and what follows."""

    name: str = Field(min_length=1)
    then: Literal["nurture", "reassign", "recycle", "disqualify"] | None = None  # none: as ``rejected`` says
    after: _Positive | None = None  # recycle: in place of ``recycle_after``
    same_owner: bool = False  # whether who rejected it may get it again
    gives_turn_back: bool = False  # whether the next lead of the pool fills the turn that was taken for it

    @model_validator(mode="after")
    def _check_delay(self) -> Self:
        if self.after is not None and self.then != "recycle":
            raise ValueError("after says when a lead is recycled; add then: recycle, or remove it")
        return self


class Stale(Part):
    """``days`` are working days on the lead's clock, after the day of the last activity."""

    days: int = Field(ge=1, le=1000)
    do: Literal["remind", "recycle", "reassign"] = "remind"
    same_owner: bool = False  # whether whose lead went stale may get it again


def read_as(key: str) -> BeforeValidator:
    """A bare word stands for a part in which only ``key`` is given."""

    def read(value: Any) -> Any:
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(read)


class FollowUp(Part):
    priorities: tuple[Priority, ...] = ()
    touches: tuple[Annotated[Touch, read_as("kind")], ...] = tuple(
        Touch(kind=kind) for kind in ("call", "email", "meeting")
    )
    touched_by: Literal["owner", "anybody"] = "owner"
    finished_by: Literal["first_touch", "acceptance", "outcome"] | None = None  # none: as sales_qualified_by says
    outcomes: tuple[str, ...] = ()  # kinds of activity, by anybody, that end a journey finished by outcome
    lost_outcomes: tuple[str, ...] = ()  # those of them with which the lead is lost; with the others it is won
    reject_reasons: tuple[Annotated[RejectReason, read_as("name")], ...] = tuple(
        RejectReason(name=name) for name in ("not_a_fit", "wrong_territory", "duplicate", "unreachable", "other")
    )
    rejected: Literal["nurture", "reassign"] = "nurture"
    recycle_after: Duration = Field(default=timedelta(days=30), gt=timedelta(0))
    stale: dict[OwnedState, Stale] = {}
