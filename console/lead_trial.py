"""A lead of one's own, as a form or a command line asks for it, and what it would get. Nothing is stored.

Belongs here: which fields and activities are asked for, and a filled-in lead as the frame that the stages decide
over. Does not belong here: deciding anything (``tasks.trial``), or a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import pandas as pd

from leadgate.errors import LeadgateError
from leadgate.expressions.syntax import parse
from leadgate.fields import STANDARD, FieldType
from leadgate.ledger import Ledger, absences, pools
from leadgate.limits import find_length_problem
from leadgate.mapping.headers import propose_field
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.scoring.evidence import list_expressions
from leadgate.scoring.verdict import list_counted_activities
from leadgate.vocabulary import JourneyKind
from tasks import assignment
from tasks.assignment import Capacity
from tasks.trial import Trial, build_frame, try_leads

#: What a form asks for in any case: who it is, and where.
_ALWAYS: Final = ("email", "phone", "job_title", "company", "website", "company_size", "industry", "country", "message")
#: What enrichment adds comes from these, so a rule about the one asks for the other.
_FROM: Final = {
    "employees": "company_size", "revenue": "annual_revenue", "company_domain": "email", "email_domain": "email",
    "website_domain": "website", "has_consent": "consent",
}  # fmt: skip
#: The most activities of one kind, and how many days ago.
MOST_TIMES: Final = 50
MOST_DAYS: Final = 3_650


class TrialError(LeadgateError, ValueError):
    """A value that no form of a source could have sent."""


@dataclass(frozen=True)
class TriedLead:
    """What was filled in: values as a source would send them, and how often the lead did what, so many days ago."""

    source: str
    values: Mapping[str, str]
    activities: Mapping[str, int] = field(default_factory=dict)
    days_ago: int = 0


def list_tried_fields(playbook: Playbook) -> dict[str, FieldType]:
    """The fields that a form asks for: the usual ones, and those that a rule reads."""
    conditions = [rule.when for rule in playbook.scoring.fit]
    conditions += [rule.when for rule in playbook.scoring.engagement if rule.when is not None]
    conditions += [rule.when for rule in playbook.qualification.disqualify]
    conditions += [route.when for route in playbook.routing]
    conditions += [rule.when for rule in playbook.follow_up.priorities]
    conditions += list_expressions(playbook.qualification.evidence).values()
    read = {_FROM.get(name, name) for when in conditions for name in parse(when).columns}
    if any(route.territory is not None for route in playbook.routing):
        read |= {"country", "state", "postal_code"}
    for pool in playbook.pools:
        read |= {name for name in ("language", "product") if getattr(pool, name) != "ignored"}
    read |= set(playbook.validation.required)
    if any(source.consent != "given" for source in playbook.sources.values()):
        read.add("consent")
    known: dict[str, FieldType] = {**STANDARD, **{name: each.type for name, each in playbook.fields.items()}}
    return {name: type_ for name, type_ in known.items() if name in read or name in _ALWAYS}


def list_tried_sources(playbook: Playbook) -> list[str]:
    return [name for name, source in playbook.sources.items() if source.kind == "leads"]


def read_capacity(ledger: Ledger, playbook: Playbook, now: datetime, kind: JourneyKind = JourneyKind.LEAD) -> Capacity:
    """What reps can take now: the turns of the pools, of each kind its own, and the reps' loads. Only reads."""
    with ledger.snapshot() as connection:
        loads, away = assignment.read_loads(connection, playbook, now), absences.read_absences(connection, now)
        return Capacity(pools.read_stored_turns(connection, kind), loads, away)


def try_lead(loaded: LoadedPlaybook, lead: TriedLead, capacity: Capacity, now: datetime) -> Trial:
    """What would become of ``lead`` if it came in ``now``. Raises ``TrialError``."""
    _check(lead, loaded.playbook)
    frame = build_frame([(lead.source, lead.values)], loaded.playbook, now)
    return try_leads(loaded, frame, _list_activities(lead, now), capacity, now)[0]


def _check(lead: TriedLead, playbook: Playbook) -> None:
    known = [*STANDARD, *playbook.fields]
    if lead.source not in list_tried_sources(playbook):
        raise TrialError("choose one of the playbook's sources of leads")
    for name, value in lead.values.items():
        if name not in known:
            shown = name[:80]
            if shown in _FROM:
                raise TrialError(f"{shown!r} is found out by later stages, and no form sends it; set {_FROM[shown]!r}")
            raise TrialError(f"a lead has no field {shown!r}; {propose_field(shown, known)}")
        require_usable_text(name, value)
    require_countable(lead.activities, lead.days_ago, playbook)


def require_usable_text(name: str, value: str) -> None:
    """Raise ``TrialError`` for a value of a field that no source could send."""
    if (problem := find_length_problem(name, value)) is not None:
        raise TrialError(problem)
    if "\x00" in value:
        raise TrialError(f"{name} has a NUL character; remove it")


def require_countable(activities: Mapping[str, int], days_ago: float, playbook: Playbook) -> None:
    """Raise ``TrialError`` for activities (kind -> how often) that no rule of ``playbook`` counts, or too many."""
    counted = list_counted_activities(playbook)
    for kind in activities:
        if kind not in counted:
            raise TrialError(f"no rule counts the activity {kind[:80]!r}; {propose(kind[:80], counted)}")
    if any(not 0 <= times <= MOST_TIMES for times in activities.values()):
        raise TrialError(f"an activity is tried up to {MOST_TIMES} times")
    if not 0 <= days_ago <= MOST_DAYS:
        raise TrialError(f"activities are tried up to {MOST_DAYS:,} days ago")


def _list_activities(lead: TriedLead, now: datetime) -> pd.DataFrame:
    kinds = [kind for kind, times in lead.activities.items() for _ in range(times)]
    at = pd.to_datetime([now - timedelta(days=lead.days_ago)] * len(kinds), utc=True)
    return pd.DataFrame({"journey_id": [0] * len(kinds), "kind": kinds, "occurred_at": at})
