"""What happens when something is wrong: who decides, further promises, the breaker; and who hears of it.

Belongs here: the schema of exceptions, gates, breaker, notifications and retention. Does not belong here:
checking a promise (``expectations``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from leadgate.limits import MAX_ROUTE_LENGTH
from leadgate.playbook.base import Duration, EnvironmentName, Name, Part
from leadgate.vocabulary import Severity, StageName


class ExceptionRoute(Part):
    """Who decides a work item, and by when. ``reason`` is a promise's or a hold's reason."""

    to: str = Field(min_length=1, max_length=MAX_ROUTE_LENGTH)
    within: Duration = timedelta(hours=24)
    escalate_to: str | None = None  # a rep or a route, told when nobody took it in time; none: the last route
    reasons: tuple[str, ...] = ()  # none: every reason that no other route names
    stages: tuple[StageName, ...] = ()


class Expect(Part):
    """One more promise for a gate: an allow-listed expectation type with allow-listed arguments."""

    name: Name
    expectation: str
    arguments: dict[str, Any] = {}
    severity: Severity = Severity.WARNING
    why: str  # what is promised
    broken: str | None = Field(default=None, min_length=1)  # what is wrong when it is broken; none: from ``why``


class GateRules(Part):
    severity: dict[str, Severity] = {}  # promise -> severity, in place of the built-in one
    expect: tuple[Expect, ...] = ()


class Breaker(Part):
    """Parks a source when too many of its last rows break the same promise."""

    window: int = Field(default=50, ge=20, le=1000)  # rows looked back on
    at_least: int = Field(default=20, ge=20)  # rows seen before it may open
    share: float = Field(default=0.5, gt=0, le=1)
    cool_down: Duration = timedelta(minutes=15)  # open for this long, then half-open
    probes: int = Field(default=5, ge=1)  # rows let through while half-open


#: What a message may say of a lead.
ShownFact = Literal["name", "job_title", "company", "country", "email", "phone", "score", "grade", "reasons"]
#: What a message to a person may have: ``record`` is the address of the lead's record in a CRM.
MessageFact = ShownFact | Literal["record"]


class Notification(Part):
    """Where messages to a rep or to an exception's route are sent: an Apprise address, kept in the environment.

    ``to`` is a rep's name, a route's name, or ``everybody``, for those whom no other entry names.
    """

    to: str
    address_env: EnvironmentName
    shows: tuple[MessageFact, ...] = ()  # of a lead, on top of a masked address: whoever runs the service can read it
    digest_from: int | None = Field(default=10, ge=2)  # so many messages of one kind become one; none: never


class Retention(Part):
    """How long Prefect keeps what it shows, and a shadow what it found of each lead. The rest of the ledger is never
    pruned: it is the record."""

    flow_runs: Duration = Field(default=timedelta(days=7), ge=timedelta(hours=1))
    artifacts: Duration = Field(default=timedelta(days=7), ge=timedelta(hours=1))
    shadows: Duration = Field(default=timedelta(days=90), ge=timedelta(hours=1))
