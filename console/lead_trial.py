"""What a made-up lead would get: its values go through the stages' own decisions, and nothing is stored.

Belongs here: a lead of one's own as the frame that the stages decide over, and what they decided. Does not belong here:
deciding anything (``tasks``, ``leadgate.scoring``, ``leadgate.assignment``), or a page.

Not asked: services over HTTP and providers of other packages (they cost money, and hear of the lead), who the person is
(each trial is somebody new), and Great Expectations, whose import takes seconds: the promises of validation are read
off the values where their kind is one that reads itself, and the others are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from leadgate.nearest import propose
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
        return _is_held(self.broken)


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


def _is_held(broken: Sequence[tuple[Promise, str]]) -> bool:
    return any(promise.severity == Severity.CRITICAL for promise, _ in broken)


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
    _check(lead, loaded.playbook)
    frame = _build_frame(lead, loaded.playbook, now)
    return try_leads(loaded, frame, _list_activities(lead, now), capacity, now)[0]


def try_leads(
    loaded: LoadedPlaybook, frame: pd.DataFrame, activities: pd.DataFrame, capacity: Capacity, now: datetime
) -> list[Trial]:
    """What would become of leads if they came in ``now``, one after the other: each takes the turn after the one
    before. A row each, as validation gathers them, with their number from 0 as ``journey_id`` and ``lead_id``."""
    if frame.empty:
        return []
    playbook = loaded.playbook
    work = Work(Batch(0, 0, "trial", loaded.hash, len(frame), now), loaded, now)
    frame = validation.decide(Gathered(frame), work).frame
    broken, unchecked = _find_broken(frame, playbook)
    cleaned = [name for name in (*STANDARD, *playbook.fields, *VALIDATED) if name in frame]
    clean = frame[cleaned].to_dict("records")
    frame, not_asked = _enrich(frame, work)
    qualified = qualification.decide(Gathered(frame, activities), work).frame
    goes_on = qualified[qualified["outcome"].isin((Outcome.CONTINUE, Outcome.REVIEW))]
    # those that wait for a person first take their turns behind the others
    held = [_is_held(each) for each in broken]
    waits = (goes_on["outcome"] == Outcome.REVIEW) | goes_on["journey_id"].map(lambda number: held[number])
    routed = _route(pd.concat([goes_on[~waits], goes_on[waits]]), capacity, work) if len(goes_on) else {}
    return [
        _build_trial(row, clean[number], broken[number], unchecked, not_asked, routed.get(number))
        for row in qualified.sort_values("journey_id").to_dict("records")
        for number in (row["journey_id"],)
    ]


def _build_trial(
    row: Mapping[Any, Any],
    values: Mapping[Any, Any],
    broken: list[tuple[Promise, str]],
    unchecked: list[Promise],
    not_asked: list[str],
    routed: Routed | None,
) -> Trial:
    details = orjson.loads(row["details"])
    origins = row["provenance"]
    return Trial(
        values={name: value for name, value in values.items() if _is_given(value)},
        broken=broken,
        unchecked=unchecked,
        added={
            name: (row[name], str(origins.get(name, {}).get("provider", "")))
            for name in dict.fromkeys([*ENRICHED, *origins])
            if name in row and _is_given(row[name])
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
        routed=routed,
    )


def _check(lead: TriedLead, playbook: Playbook) -> None:
    known = [*STANDARD, *playbook.fields]
    if lead.source not in list_tried_sources(playbook):
        raise TrialError("choose one of the playbook's sources of leads")
    for name, value in lead.values.items():
        if name not in known:
            raise TrialError(f"a lead has no field {name[:80]!r}; {propose(name[:80], known)}")
        if (problem := find_length_problem(name, value)) is not None:
            raise TrialError(problem)
        if "\x00" in value:
            raise TrialError(f"{name} has a NUL character; remove it")
    counted = list_tried_activities(playbook)
    for kind in lead.activities:
        if kind not in counted:
            raise TrialError(f"no rule counts the activity {kind[:80]!r}; {propose(kind[:80], counted)}")
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


def _find_broken(frame: pd.DataFrame, playbook: Playbook) -> tuple[list[list[tuple[Promise, str]]], list[Promise]]:
    """For each lead the promises of validation that it breaks, with what is wrong; and those not looked at."""
    given = frame.astype(object).where(frame.notna(), None)
    broken: list[list[tuple[Promise, str]]] = [[] for _ in range(len(frame))]
    unchecked = []
    for promise in list_promises(GateName.VALIDATED, playbook):
        breaks = _list_breaks(promise, given)
        if breaks is None:
            unchecked.append(promise)
            continue
        said = given[promise.explained_by].tolist() if promise.explained_by in given else [None] * len(given)
        for number in (number for number, is_broken in enumerate(breaks) if is_broken):
            words = f"{promise.broken}: {said[number]}" if said[number] else promise.broken
            broken[number].append((promise, words))
    return broken, unchecked


def _list_breaks(promise: Promise, given: pd.DataFrame) -> list[bool] | None:
    """Which leads break a promise; None where only Great Expectations judges its kind."""
    found = _list_breaks_of_values(promise, given)
    if promise.problem_column is None:
        return found
    problems = [value is not None for value in given[promise.problem_column]]
    if found is None:
        return problems if any(problems) else None
    return [one or other for one, other in zip(problems, found, strict=True)]


def _list_breaks_of_values(promise: Promise, given: pd.DataFrame) -> list[bool] | None:
    arguments = promise.arguments
    values = given[arguments["column"]].tolist() if arguments.get("column") in given else [None] * len(given)
    match promise.expectation:
        case "expect_column_values_to_be_null":
            return [value is not None for value in values]
        case "expect_column_values_to_not_be_null":
            return [value is None for value in values]
        case "expect_column_values_to_be_in_set" if not promise.required:
            return [value is not None and value not in arguments["value_set"] for value in values]
        case "expect_column_values_to_match_regex" if not promise.required:
            fits = iter(find_matches(arguments["regex"], [value for value in values if value is not None]))
            return [value is not None and not next(fits) for value in values]
    return None


def _enrich(frame: pd.DataFrame, work: Work) -> tuple[pd.DataFrame, list[str]]:
    """With what is known of companies here; and the providers that were not asked."""
    declared = work.rules.enrichment.providers
    ours = tuple(each for each in declared if isinstance(each, CompanyDomain | AccountsFile))
    local = work.rules.model_copy(update={"enrichment": work.rules.enrichment.model_copy(update={"providers": ours})})
    providers = build_providers(replace(work.playbook, playbook=local), Asking(work.now))
    for name in ENRICHED:
        frame[name] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    gathered = Gathered(frame, enrichment.Said.about(frame))
    enriched = enrichment.decide(enrichment.ask_providers(gathered, work.now, providers), work).frame
    enriched["was"], enriched["finished"], enriched["engaged_before"] = None, False, None
    asked = {each.name for each in providers}
    return enriched, [name for each in declared if (name := _name_provider(each)) not in asked]


def _name_provider(declared: Any) -> str:
    return str(getattr(declared, "name", None) or declared.type)


def _route(frame: pd.DataFrame, capacity: Capacity, work: Work) -> dict[int, Routed]:
    """By the number of the lead."""
    frame = frame.drop(columns=["outcome", "reason", "reasons", "item_message"]).reset_index(drop=True)
    frame["excluded"] = pd.Series([()] * len(frame), index=frame.index, dtype=object)
    frame["earlier_owner"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    rows = assignment.decide(Gathered(frame, capacity), work).frame.to_dict("records")
    return {
        row["journey_id"]: Routed(
            outcome=Outcome(row["outcome"]),
            owner=row["owner"],
            route=row["rule"],
            pool=row["pool"],
            why=row["why"],
            candidates=orjson.loads(row["candidates"]),
            sla=row["sla"],
            priority=row["priority"],
            due_at=_read_moment(row["due_at"]),
            run_after=_read_moment(row["run_after"]),
        )
        for row in rows
    }


def _read_moment(value: Any) -> datetime | None:
    return None if pd.isna(value) else value.to_pydatetime()


def _is_given(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and value != value) and value is not pd.NaT
