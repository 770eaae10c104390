"""Who gets a lead: reps, working hours, pools, routes.

Belongs here: the schema of these parts. Does not belong here: choosing somebody (``leadgate.routing``) or
business time (``leadgate.hours``).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leadgate.playbook.base import Duration, Expression, Name, Part, Span, Weekday


class Absence(Part):
    first: date
    last: date  # included; days of the rep's time zone

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"the absence ends ({self.last}) before it begins ({self.first})")
        return self


class Rep(Part):
    name: Name
    label: str = ""
    email: str | None = None
    manager: str | None = None
    time_zone: str = "UTC"
    hours: Name | None = None  # a key of the playbook's ``hours``: when they work; none: those of their pool
    max_per_day: int | None = Field(default=None, ge=0)  # midnight of the rep's time zone
    max_open: int | None = Field(default=None, ge=0)
    absent: tuple[Absence, ...] = ()


class Hours(Part):
    """Working hours. ``week`` maps a weekday to spans; a day left out is free."""

    time_zone: str = "UTC"
    week: dict[Weekday, tuple[Span, ...]] = {}
    holidays: str | None = None  # ISO country, or country-subdivision as in DE-BY
    closed: tuple[date, ...] = ()  # further free days


class Member(Part):
    rep: Name
    weight: int = Field(default=1, ge=1, le=1000)


class NobodyAvailable(Part):
    """What happens to a lead when no member of its pool can take it."""

    do: Literal["wait", "overflow", "assign", "hold"] = "hold"
    pool: Name | None = None  # for overflow
    rep: Name | None = None  # for assign
    retry_after: Duration = Field(default=timedelta(hours=1), gt=timedelta(0))  # for wait

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.do == "overflow" and self.pool is None:
            raise ValueError("overflow needs a pool to go to; add pool: NAME")
        if self.do == "assign" and self.rep is None:
            raise ValueError("assign needs a rep; add rep: NAME")
        return self


class Pool(Part):
    name: Name
    label: str = ""
    members: tuple[Member, ...] = Field(min_length=1)
    hours: Name | None = None  # a key of the playbook's ``hours``; none means around the clock
    sla: Name | None = None
    nobody_available: NobodyAvailable = NobodyAvailable()


class Route(Part):
    """First match wins. ``to`` is ``pool NAME``, ``rep NAME`` or ``account_owner``."""

    name: Name
    when: Expression = "true"
    to: Annotated[str, Field(pattern=r"^(pool [a-z][a-z0-9_]*|rep [a-z][a-z0-9_]*|account_owner)$")]
    why: str = ""
