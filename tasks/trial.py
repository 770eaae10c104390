"""Trials: what the stages would decide about leads. The stages' own functions decide, and nothing is stored.

Belongs here: the frame that the stages decide over, and the result of a trial. Does not belong here: a decision (the
stages, ``leadgate.scoring``, ``leadgate.assignment``), where the leads are from (``console.lead_trial``,
``console.trial_file``, ``tasks.playbook_cases``), or a page.

Not asked: services over HTTP and providers of other packages (they cost money, and hear of the lead), whether the
ledger knows the person (who is tried is somebody new), and Great Expectations, whose import takes seconds: the promises
of validation are read off the values where their kind is one that reads itself, and the others are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pandas as pd

from expectations.promises import Promise
from leadgate.assignment.absences import SaidAbsence
from leadgate.connectors.providers import Asking, build_providers
from leadgate.fields import ENRICHED, STANDARD, VALIDATED
from leadgate.json_columns import CandidateLine, ConsideredAccount
from leadgate.ledger.batches import Batch
from leadgate.mapping.answers import clean_answers
from leadgate.playbook import AccountsFile, CompanyDomain, LoadedPlaybook, Playbook
from leadgate.values.json_types import JsonValue
from leadgate.vocabulary import Outcome, Severity
from tasks import assignment, enrichment, qualification, validation
from tasks.assignment import Capacity
from tasks.stage import Gathered, Work
from tasks.trial_persons import SamePerson, find_same_persons
from tasks.trial_promises import find_broken

#: The activities of leads that have none.
NO_ACTIVITIES: Final = pd.DataFrame({"journey_id": [], "kind": [], "occurred_at": pd.to_datetime([], utc=True)})


@dataclass(frozen=True)
class Contribution:
    rule: str
    points: int
    is_fit: bool


@dataclass(frozen=True)
class Trial:
    """What the stages decided about one lead. ``routed`` is None for a lead that did not reach assignment."""

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
    same: SamePerson | None = None  # as an earlier lead of the same trial

    @property
    def held(self) -> bool:
        """Whether validation would hold the lead until a person has corrected it."""
        return _is_held(self.broken)

    @property
    def verdict(self) -> str:
        """What becomes of the lead, in the words of cases; and ``joined``: it is about the person of another one."""
        if self.held:
            return "held"
        if self.same is not None:
            return Outcome.REVIEW.value if self.same.asked else Outcome.JOINED.value
        return self.qualified

    @property
    def qualified(self) -> str:
        """What qualification says of it."""
        return str(self.qualified_as) if self.outcome == Outcome.CONTINUE else self.outcome.value

    @property
    def waits(self) -> bool:
        """Whether a person decides before anybody gets the lead: ``routed`` is who would get it then."""
        return self.verdict in ("held", Outcome.REVIEW)


@dataclass(frozen=True)
class Routed:
    """Who would get the lead now, by which route, and when the first touch would be due."""

    outcome: Outcome
    reason: str | None  # a code, where there is no owner
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


@dataclass(frozen=True)
class Circumstances:
    """The circumstances of a lead that is tried alone: the moment, the reps who are away, and the lead's earlier owner.

    ``enriched``: the values that providers which are not asked would give for the company.
    """

    now: datetime
    away: frozenset[str] = frozenset()
    earlier_owner: str | None = None
    enriched: Mapping[str, JsonValue] | None = None


class _Qualified(NamedTuple):
    """What was decided before assignment: ``frame`` has a row for each lead, in the order of their numbers."""

    frame: pd.DataFrame
    values: list[dict[Any, Any]]
    broken: list[list[tuple[Promise, str]]]
    unchecked: list[Promise]
    not_asked: list[str]


def build_frame(leads: Sequence[tuple[str, Mapping[str, str]]], playbook: Playbook, now: datetime) -> pd.DataFrame:
    """Build the frame that validation gathers, from the source and the values of each lead, as texts.

    A lead's position in ``leads`` is its ``journey_id`` and ``lead_id``.
    """
    rows = []
    for number, (source, values) in enumerate(leads):
        facts = {"journey_id": number, "generation": 0, "lead_id": number, "source": source, "captured_at": now}
        given = {name: values.get(name, "").strip() or None for name in (*STANDARD, *playbook.fields)}
        rows.append({**facts, **given, "attributes": {}})
    return pd.DataFrame(rows, dtype=object)


def try_leads(
    loaded: LoadedPlaybook, frame: pd.DataFrame, activities: pd.DataFrame, capacity: Capacity, now: datetime
) -> list[Trial]:
    """Decide about leads as if they came in ``now``, one after the other: each takes the turn after the one before.

    ``frame`` has a row for each lead, as ``build_frame`` makes it.
    """
    if frame.empty:
        return []
    work = _build_work(loaded, len(frame), now)
    qualified = _qualify(frame, activities, work)
    held = [_is_held(each) for each in qualified.broken]
    leads = {
        number: {**qualified.values[number], "source": source}
        for number, source in enumerate(frame["source"])
        if not held[number]
    }
    same = find_same_persons(leads, work.rules.matching)
    goes_on = _find_going_on(qualified)
    comes_first = [number not in same or same[number].asked for number in goes_on["journey_id"]]
    goes_on = goes_on[np.array(comes_first, dtype=bool)]
    # those that wait for a person first take their turns behind the others
    by_score = goes_on["outcome"] == Outcome.REVIEW
    waits = by_score | np.array([held[number] or number in same for number in goes_on["journey_id"]], dtype=bool)
    return _build_trials(qualified, route(pd.concat([goes_on[~waits], goes_on[waits]]), capacity, work), same)


def try_alone(
    loaded: LoadedPlaybook,
    frame: pd.DataFrame,
    activities: pd.DataFrame,
    circumstances: Sequence[Circumstances],
    now: datetime,
) -> list[Trial]:
    """Decide about each lead as if it came in alone: no turn was taken before, and no rep has a lead.

    ``frame`` has a row for each lead, as for ``try_leads``, and ``circumstances`` an entry for
    each. Activities count as of ``now``.
    """
    if frame.empty:
        return []
    told = [each.enriched or {} for each in circumstances]
    qualified = _qualify(frame, activities, _build_work(loaded, len(frame), now), told)
    goes_on = _find_going_on(qualified)
    earlier = [circumstances[number].earlier_owner for number in goes_on["journey_id"]]
    goes_on["earlier_owner"] = pd.Series(earlier, index=goes_on.index, dtype=object)
    alike: dict[tuple[datetime, frozenset[str]], list[int]] = {}
    for number in goes_on["journey_id"]:
        alike.setdefault((circumstances[number].now, circumstances[number].away), []).append(number)
    routed: dict[int, Routed] = {}
    for (at, away), numbers in alike.items():
        capacity = Capacity({}, {}, [SaidAbsence(rep, at, None) for rep in sorted(away)], alone=True)
        rows = goes_on[goes_on["journey_id"].isin(numbers)]
        routed |= route(rows, capacity, _build_work(loaded, len(rows), at))
    return _build_trials(qualified, routed)


def _build_work(loaded: LoadedPlaybook, leads: int, now: datetime) -> Work:
    """Build the work of a trial without the learned score.

    A trial reads no ledger, and its leads have no numbers of their own, by which the audit share is chosen.
    """
    if loaded.playbook.learned is not None:
        loaded = replace(loaded, playbook=loaded.playbook.model_copy(update={"learned": None}))
    return Work(Batch(0, 0, "trial", loaded.hash, leads, now), loaded, now)


def _qualify(
    frame: pd.DataFrame, activities: pd.DataFrame, work: Work, told: Sequence[Mapping[str, JsonValue]] = ()
) -> _Qualified:
    playbook = work.rules
    frame = validation.decide(Gathered(frame), work).frame
    broken, unchecked = find_broken(frame, playbook)
    cleaned = [name for name in (*STANDARD, *playbook.fields, *VALIDATED) if name in frame]
    clean = frame[cleaned].to_dict("records")
    frame, not_asked = _enrich(frame, work, told)
    qualified = qualification.decide(Gathered(frame, activities), work).frame
    return _Qualified(qualified.sort_values("journey_id"), clean, broken, unchecked, not_asked)


def _find_going_on(qualified: _Qualified) -> pd.DataFrame:
    return qualified.frame[qualified.frame["outcome"].isin((Outcome.CONTINUE, Outcome.REVIEW))].copy()


def _build_trials(
    qualified: _Qualified, routed: Mapping[int, Routed], same: Mapping[int, SamePerson] = MappingProxyType({})
) -> list[Trial]:
    return [
        _build_trial(
            row, qualified.values[number], qualified.broken[number], qualified.unchecked, qualified.not_asked,
            routed.get(number), same.get(number),
        )
        for row in qualified.frame.to_dict("records")
        for number in (row["journey_id"],)
    ]  # fmt: skip


def _build_trial(
    row: Mapping[Any, Any],
    values: Mapping[Any, Any],
    broken: list[tuple[Promise, str]],
    unchecked: list[Promise],
    not_asked: list[str],
    routed: Routed | None,
    same: SamePerson | None,
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
        same=same,
    )


@dataclass(frozen=True)
class _GivenAnswers:
    """Stands for the providers that are not asked: gives the answers of the caller, cleaned as a provider's are."""

    told: Sequence[Mapping[str, JsonValue]]
    work: Work
    name: str = "the case"

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        cleaned = clean_answers(self.told, self.work.rules, self.work.now)
        names = dict.fromkeys(name for each in cleaned for name in each.values)
        return pd.DataFrame(
            {name: [each.values.get(name) for each in cleaned] for name in names}, index=frame.index, dtype=object
        )


def _enrich(frame: pd.DataFrame, work: Work, told: Sequence[Mapping[str, JsonValue]]) -> tuple[pd.DataFrame, list[str]]:
    """Add company data of local providers and ``told``. Returns the frame, and the providers that were not asked."""
    declared = work.rules.enrichment.providers
    ours = tuple(each for each in declared if isinstance(each, CompanyDomain | AccountsFile))
    local = work.rules.model_copy(update={"enrichment": work.rules.enrichment.model_copy(update={"providers": ours})})
    providers = build_providers(replace(work.playbook, playbook=local), Asking(work.now))
    asked = {each.name for each in providers}
    if any(told):
        providers.append(_GivenAnswers(told, work))
    for name in ENRICHED:
        frame[name] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    gathered = Gathered(frame, enrichment.Said.about(frame))
    enriched = enrichment.decide(enrichment.ask_providers(gathered, work.now, providers), work).frame
    enriched["was"], enriched["finished"], enriched["engaged_before"] = None, False, None
    return enriched, [name for each in declared if (name := _name_provider(each)) not in asked]


def _name_provider(declared: Any) -> str:
    return str(getattr(declared, "name", None) or declared.type)


def route(frame: pd.DataFrame, capacity: Capacity, work: Work) -> dict[int, Routed]:
    """Assign the leads of ``frame``. Returns the results by the number of the lead."""
    if frame.empty:
        return {}
    frame = frame.drop(columns=["outcome", "reason", "reasons", "item_message"]).reset_index(drop=True)
    frame["excluded"] = pd.Series([()] * len(frame), index=frame.index, dtype=object)
    if "earlier_owner" not in frame:
        frame["earlier_owner"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    rows = assignment.decide(Gathered(frame, capacity), work).frame.to_dict("records")
    return {
        row["journey_id"]: Routed(
            outcome=Outcome(row["outcome"]),
            reason=row["reason"],
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
