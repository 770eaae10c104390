"""Who gets a lead: reps, working hours, pools, territories, routes, and what changes hands later.

Belongs here: the schema of these parts. Does not belong here: choosing somebody (``leadgate.assignment.routing``) or
business time (``leadgate.sla.hours``).
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from leadgate.playbook.base import Duration, Expression, Name, Part, Span, Weekday


class Absence(Part):
    first: date
    last: date  # included; days of the rep's time zone
    leaves: time | None = None  # on the first day; none: from its beginning
    returns: time | None = None  # on the last day; none: not on that day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"the absence ends ({self.last}) before it begins ({self.first})")
        if any(at is not None and at.tzinfo is not None for at in (self.leaves, self.returns)):
            raise ValueError("leaves and returns are times of the rep's time zone; write them without one, as 13:00")
        if self.last == self.first and self.returns is not None and self.returns <= (self.leaves or time(0)):
            raise ValueError(f"the absence of {self.first} ends at {self.returns} before it begins")
        return self


def _normalise(value: Any) -> Any:
    return value.strip().casefold() if isinstance(value, str) else value


#: A language by its code; ``pt-BR`` and ``Portuguese`` are refused, because leads are compared by the code alone.
Language = Annotated[str, BeforeValidator(_normalise), Field(pattern=r"^[a-z]{2,3}$")]
#: What somebody knows about, as a lead's ``product`` or a route's ``requires`` calls it, in any case.
Skill = Annotated[str, BeforeValidator(_normalise), Field(min_length=1, max_length=80)]


class Rep(Part):
    name: Name
    label: str = ""
    email: str | None = None
    login: Name | None = None  # of the operating system; none: the name
    manager: str | None = None
    time_zone: str = "UTC"
    hours: Name | None = None  # a key of the playbook's ``hours``: when they work; none: those of their pool
    languages: tuple[Language, ...] = ()
    skills: tuple[Skill, ...] = ()
    starts: date | None = None  # no lead before this day of their time zone
    ramp: Duration = timedelta(0)  # from then on: a quarter of their weight, a half, three quarters, all of it
    max_per_day: int | None = Field(default=None, ge=0)  # midnight of the rep's time zone
    max_per_week: int | None = Field(default=None, ge=0)  # Monday's midnight
    max_open: int | None = Field(default=None, ge=0)
    absent: tuple[Absence, ...] = ()
    crm_ids: dict[Name, str] = {}  # connection of ``crm`` -> their id there; none: they are found by e-mail


class Hours(Part):
    """Working hours. ``week`` maps a weekday to spans; a day left out is free."""

    time_zone: str = "UTC"
    week: dict[Weekday, tuple[Span, ...]] = {}
    holidays: str | None = None  # ISO country, or country-subdivision as in DE-BY
    closed: tuple[date, ...] = ()  # further free days


Match = Literal["ignored", "preferred", "required"]
WhenAway = Literal["pass_on", "wait", "hold", "manager"]
SlaClock = Literal["restart", "keep"]


class Member(Part):
    rep: Name
    weight: int = Field(default=1, ge=1, le=1000)


class NobodyAvailable(Part):
    """What happens to a lead when no member of its pool can take it."""

    do: Literal["wait", "overflow", "assign", "hold"] = "hold"
    pool: Name | None = None  # for overflow
    rep: Name | None = None  # for assign
    retry_after: Duration | None = Field(default=None, gt=timedelta(0))  # for wait: at the latest

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
    order: Literal["turns", "open_leads"] = "turns"
    on_return: Literal["keep_position", "catch_up"] = "keep_position"
    hours: Name | None = None  # a key of the playbook's ``hours``; none means around the clock
    only_in_hours: bool = False  # a member outside their hours (else the pool's) is passed over
    language: Match = "ignored"  # the lead's ``language`` and ``reps[].languages``
    product: Match = "ignored"  # the lead's ``product`` and ``reps[].skills``
    sla: Name | None = None
    nobody_available: NobodyAvailable = NobodyAvailable()


class Territory(Part):
    """Where a lead is. What is left out is not asked; each that is given must fit."""

    countries: tuple[str, ...] = ()  # ISO 3166
    states: tuple[str, ...] = ()  # as the lead's ``state``, in any case
    postal_prefixes: tuple[str, ...] = ()  # of the lead's ``postal_code``, without spaces, in any case

    @model_validator(mode="after")
    def _require_place(self) -> Self:
        if not (self.countries or self.states or self.postal_prefixes):
            raise ValueError("a territory needs countries, states or postal_prefixes")
        if any(not each.strip() for each in (*self.states, *self.postal_prefixes)):
            raise ValueError("an empty state or postal prefix fits nobody or everybody; remove it")
        return self


class Route(Part):
    """First match wins. ``to`` is ``pool NAME``, ``rep NAME``, ``account_owner``, ``earlier_owner``, or for a record
    ``record_owner``, the rep whom the record names."""

    name: Name
    territory: Name | None = None  # a key of the playbook's ``territories``; with ``when``, both must hold
    when: Expression = "true"
    to: Annotated[
        str,
        Field(pattern=r"^(pool [a-z][a-z0-9_]*|rep [a-z][a-z0-9_]*|account_owner|earlier_owner|record_owner)$"),
    ]
    when_away: WhenAway | None = None  # not for a pool, which has ``nobody_available``
    requires: tuple[Skill, ...] = ()  # for a pool: skills that its member must have
    why: str = ""

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if self.to.startswith("pool ") and self.when_away is not None:
            raise ValueError("when_away is about one person; a pool says nobody_available")
        if not self.to.startswith("pool ") and self.requires:
            raise ValueError("requires chooses among the members of a pool; this route names one person")
        return self

    @property
    def if_away(self) -> WhenAway:
        """What happens when the person cannot take the lead: by default, only a rep who is named is insisted on."""
        return self.when_away or ("hold" if self.to.startswith("rep ") else "pass_on")


class Reassignments(Part):
    """What the SLA's clock does when a person gives a lead, or a leaver's whole book, to another owner."""

    on_reassign: SlaClock = "restart"
    on_transfer: SlaClock = "restart"
