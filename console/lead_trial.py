"""What a made-up lead would get: its values go through the stages' own decisions, and nothing is stored.

Belongs here: a lead of one's own as the frame that the stages decide over, and what they decided. Does not belong here:
deciding anything (``tasks``, ``leadgate.scoring``, ``leadgate.assignment``), or a page.

Not asked: services over HTTP and providers of other packages (they cost money, and hear of the lead), who the person is
(each trial is somebody new), and Great Expectations, whose import takes seconds: the promises of validation are read
off the values where their kind is one that reads itself, and the others are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import pandas as pd

from expectations.gate import list_promises
from expectations.promises import Promise
from leadgate.connectors.providers import Asking, build_providers
from leadgate.errors import LeadgateError
from leadgate.expressions.patterns import find_matches
from leadgate.expressions.syntax import parse
from leadgate.fields import ENRICHED, STANDARD, VALIDATED, FieldType
from leadgate.json_columns import CandidateLine, ConsideredAccount
from leadgate.ledger import Ledger, absences, pools
from leadgate.ledger.batches import Batch
from leadgate.limits import find_length_problem
from leadgate.playbook import AccountsFile, CompanyDomain, LoadedPlaybook, Playbook
from leadgate.scoring.evidence import list_expressions
from leadgate.scoring.verdict import list_evidence_kinds
from leadgate.vocabulary import GateName, Outcome, Severity
from tasks import assignment, enrichment, qualification, validation
from tasks.assignment import Capacity
from tasks.stage import Gathered, Work

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


@dataclass(frozen=True)
class Contribution:
    rule: str
    points: int
    is_fit: bool


@dataclass(frozen=True)
class Trial:
    """What the stages decided. ``owner`` is None for a lead that nobody would get: ``stops`` says why."""

    values: dict[str, Any]  # as validation leaves them
    broken: list[tuple[Promise, str]]  # each with what is wrong
    unchecked: list[Promise]
    added: dict[str, tuple[Any, str]]  # by enrichment: the value, and where it is from
    accounts: list[ConsideredAccount]
    not_asked: list[str]  # providers
    fit: int
    engagement: int
    score: int
    grade: str | None
    contributions: list[Contribution]
    outcome: Outcome
    qualified_as: str | None
    reasons: list[str]
    changes_at: datetime | None
    routed: Routed | None

    @property
    def held(self) -> bool:
        """Whether validation would hold the lead until a person has corrected it."""
        return any(promise.severity == Severity.CRITICAL for promise, _ in self.broken)


@dataclass(frozen=True)
class Routed:
    """Who would get the lead now, by which route, and when the first touch would be due."""

    outcome: Outcome
    owner: str | None
    route: str | None
    pool: str | None
    why: str
    candidates: list[CandidateLine]
    sla: str | None
    priority: str | None
    due_at: datetime | None
    run_after: datetime | None


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


def list_tried_activities(playbook: Playbook) -> list[str]:
    """The kinds of activity that a rule counts, in the playbook's order."""
    counted = [rule.activity for rule in playbook.scoring.engagement if rule.activity is not None]
    return list(dict.fromkeys([*counted, *sorted(list_evidence_kinds(playbook.qualification))]))


def list_tried_sources(playbook: Playbook) -> list[str]:
    return [name for name, source in playbook.sources.items() if source.kind == "leads"]


def read_capacity(ledger: Ledger, playbook: Playbook, now: datetime) -> Capacity:
    """What reps can take now: the turns of the pools, and the reps' loads. Only reads."""
    with ledger.snapshot() as connection:
        loads, away = assignment.read_loads(connection, playbook, now), absences.read_absences(connection, now)
        return Capacity(pools.read_stored_turns(connection), loads, away)


def try_lead(loaded: LoadedPlaybook, lead: TriedLead, capacity: Capacity, now: datetime) -> Trial:
    """What would become of ``lead`` if it came in ``now``. Raises ``TrialError``."""
    playbook = loaded.playbook
    _check(lead, playbook)
    work = Work(Batch(0, 0, "trial", loaded.hash, 1, now), loaded, now)
    frame = validation.decide(Gathered(_build_frame(lead, playbook, now)), work).frame
    broken, unchecked = _find_broken(frame, playbook)
    clean = {name: frame[name].iloc[0] for name in (*STANDARD, *playbook.fields, *VALIDATED) if name in frame}
    frame, not_asked = _enrich(frame, work)
    qualified = qualification.decide(Gathered(frame, _list_activities(lead, now)), work).frame
    row = qualified.iloc[0]
    goes_on = row["outcome"] in (Outcome.CONTINUE, Outcome.REVIEW)
    details = orjson.loads(row["details"])
    origins = row["provenance"]
    return Trial(
        values={name: value for name, value in clean.items() if _is_given(value)},
        broken=broken,
        unchecked=unchecked,
        added={
            name: (row[name], str(origins.get(name, {}).get("provider", "")))
            for name in dict.fromkeys([*ENRICHED, *origins])
            if name in frame and _is_given(row[name])
        },
        accounts=row["account_candidates"] or [],
        not_asked=not_asked,
        fit=int(row["fit"]),
        engagement=int(row["engagement"]),
        score=int(row["score"]),
        grade=row["grade"] if isinstance(row["grade"], str) else None,
        contributions=[
            Contribution(rule, points, rule in details["fit"])
            for rule, points in orjson.loads(row["contributions"]).items()
        ],
        outcome=Outcome(row["outcome"]),
        qualified_as=row["qualified_as"],
        reasons=list(row["reasons"]),
        changes_at=row["changes_at"],
        routed=_route(qualified, capacity, work) if goes_on else None,
    )


def _check(lead: TriedLead, playbook: Playbook) -> None:
    known = list_tried_fields(playbook)
    if lead.source not in list_tried_sources(playbook):
        raise TrialError("choose one of the playbook's sources of leads")
    for name, value in lead.values.items():
        if name not in known:
            raise TrialError("the form has no such field")
        if (problem := find_length_problem(name, value)) is not None:
            raise TrialError(problem)
        if "\x00" in value:
            raise TrialError(f"{name} has a NUL character; remove it")
    if not lead.activities.keys() <= set(list_tried_activities(playbook)):
        raise TrialError("no rule counts such an activity")
    if any(not 0 <= times <= MOST_TIMES for times in lead.activities.values()):
        raise TrialError(f"an activity is tried up to {MOST_TIMES} times")
    if not 0 <= lead.days_ago <= MOST_DAYS:
        raise TrialError(f"activities are tried up to {MOST_DAYS:,} days ago")


def _build_frame(lead: TriedLead, playbook: Playbook, now: datetime) -> pd.DataFrame:
    """As validation gathers it: texts as they were sent."""
    values = {name: lead.values.get(name, "").strip() or None for name in (*STANDARD, *playbook.fields)}
    facts = {"journey_id": 0, "generation": 0, "lead_id": 0, "source": lead.source, "captured_at": now}
    return pd.DataFrame([{**facts, **values, "attributes": {}}], dtype=object)


def _list_activities(lead: TriedLead, now: datetime) -> pd.DataFrame:
    kinds = [kind for kind, times in lead.activities.items() for _ in range(times)]
    at = pd.to_datetime([now - timedelta(days=lead.days_ago)] * len(kinds), utc=True)
    return pd.DataFrame({"journey_id": [0] * len(kinds), "kind": kinds, "occurred_at": at})


def _find_broken(frame: pd.DataFrame, playbook: Playbook) -> tuple[list[tuple[Promise, str]], list[Promise]]:
    """The promises of validation that the lead breaks, each with what is wrong; and those that were not looked at."""
    values = frame.iloc[0].to_dict().items()
    row = {str(name): value if _is_given(value) else None for name, value in values}
    broken, unchecked = [], []
    for promise in list_promises(GateName.VALIDATED, playbook):
        breaks = _is_broken(promise, row)
        if breaks is None:
            unchecked.append(promise)
        elif breaks:
            said = row.get(promise.explained_by) if promise.explained_by else None
            broken.append((promise, f"{promise.broken}: {said}" if said else promise.broken))
    return broken, unchecked


def _is_broken(promise: Promise, row: Mapping[str, Any]) -> bool | None:
    """None for a promise of a kind that only Great Expectations judges."""
    if promise.problem_column is not None and row[promise.problem_column] is not None:
        return True
    arguments = promise.arguments
    value = row.get(arguments.get("column", ""))
    match promise.expectation:
        case "expect_column_values_to_be_null":
            return value is not None
        case "expect_column_values_to_not_be_null":
            return value is None
        case "expect_column_values_to_be_in_set" if not promise.required:
            return value is not None and value not in arguments["value_set"]
        case "expect_column_values_to_match_regex" if not promise.required:
            return value is not None and not find_matches(arguments["regex"], [value])[0]
    return None


def _enrich(frame: pd.DataFrame, work: Work) -> tuple[pd.DataFrame, list[str]]:
    """With what is known of companies here; and the providers that were not asked."""
    declared = work.rules.enrichment.providers
    ours = tuple(each for each in declared if isinstance(each, CompanyDomain | AccountsFile))
    local = work.rules.model_copy(update={"enrichment": work.rules.enrichment.model_copy(update={"providers": ours})})
    providers = build_providers(replace(work.playbook, playbook=local), Asking(work.now))
    for name in ENRICHED:
        frame[name] = pd.Series([None], index=frame.index, dtype=object)
    gathered = Gathered(frame, enrichment.Said.about(frame))
    enriched = enrichment.decide(enrichment.ask_providers(gathered, work.now, providers), work).frame
    enriched["was"], enriched["finished"], enriched["engaged_before"] = None, False, None
    asked = {each.name for each in providers}
    return enriched, [name for each in declared if (name := _name_provider(each)) not in asked]


def _name_provider(declared: Any) -> str:
    return str(getattr(declared, "name", None) or declared.type)


def _route(frame: pd.DataFrame, capacity: Capacity, work: Work) -> Routed:
    frame = frame.drop(columns=["outcome", "reason", "reasons", "item_message"])
    frame["excluded"] = pd.Series([()], index=frame.index, dtype=object)
    frame["earlier_owner"] = pd.Series([None], index=frame.index, dtype=object)
    row = assignment.decide(Gathered(frame, capacity), work).frame.iloc[0]
    return Routed(
        outcome=Outcome(row["outcome"]),
        owner=row["owner"],
        route=row["rule"],
        pool=row["pool"],
        why=row["why"],
        candidates=orjson.loads(row["candidates"]),
        sla=row["sla"],
        priority=row["priority"],
        due_at=None if pd.isna(row["due_at"]) else row["due_at"].to_pydatetime(),
        run_after=None if pd.isna(row["run_after"]) else row["run_after"].to_pydatetime(),
    )


def _is_given(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and value != value) and value is not pd.NaT
