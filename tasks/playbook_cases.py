"""The cases beside a playbook, tried: what each lead gets, and where that is not what the case expects.

Belongs here: a case as a lead that is tried, and comparing. Does not belong here: reading cases (``leadgate.playbook
.cases``), deciding what a lead gets (``tasks.trial``), or what is shown of it (``console.case_words``).

A case needs no ledger: nobody has a lead yet, each case finds all pools at the beginning of their turns, and the moment
is the case's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pandas as pd

from expectations import list_promise_names
from leadgate.connectors.files import Row
from leadgate.counting import format_count
from leadgate.playbook import LoadedPlaybook, Playbook, PlaybookError, Problem
from leadgate.playbook.cases import Case, format_value, read_cases
from leadgate.playbook.check.cases import check_cases
from leadgate.playbook.check.record_cases import check_record_cases
from leadgate.playbook.yaml_text import Document
from leadgate.vocabulary import JourneyKind, Outcome, Severity
from tasks.case_results import (
    NOTHING,
    Mismatch,
    TriedCase,
    describe_range,
    is_same,
    is_within,
    write_moment,
    write_value,
)
from tasks.qualification import IN_REVIEW_BAND
from tasks.record_cases import try_record_cases
from tasks.trial import Circumstances, Trial, build_frame, try_alone
from tasks.trial_rows import map_signals, read_signals


def try_cases(loaded: LoadedPlaybook) -> list[TriedCase]:
    """The cases beside a playbook that is sound, tried; an empty list where there are none.

    Raises ``PlaybookError`` for files of cases that cannot be used: with every problem, each with its line.
    """
    files, promises = read_cases(loaded), list_promise_names()
    problems = check_cases(loaded, files, promises[JourneyKind.LEAD])
    if problems := [*problems, *check_record_cases(loaded, files, promises)]:
        raise PlaybookError(problems)
    cases = [(case, each, position) for each in files for position, case in enumerate(each.file.cases)]
    trials, unread = _try(loaded, [(case, case.received or each.file.received) for case, each, _ in cases])
    of_leads = [
        TriedCase(
            case.name, each.document.file, each.document.line(("cases", position)),
            tuple(_compare(case, trial, loaded.playbook, each.document, position)) if number not in unread else
            (_tell_unread(unread[number], each.document, position),),
        )
        for number, ((case, each, position), trial) in enumerate(zip(cases, trials, strict=True))
    ]  # fmt: skip
    return [*of_leads, *try_record_cases(loaded, files)]


def require_cases(loaded: LoadedPlaybook) -> None:
    """Raises ``PlaybookError`` with the cases beside a sound playbook that do not give what they expect."""
    tried = try_cases(loaded)
    if failed := list_problems(tried):
        raise PlaybookError(failed)


def list_problems(tried: Sequence[TriedCase]) -> list[Problem]:
    """What failed of ``tried``, as problems of a playbook: a line each."""
    return [
        Problem(each.file, each.line, f"case {each.name!r}", "; ".join(str(mismatch) for mismatch in each.mismatches))
        for each in tried
        if each.failed
    ]


def describe_failed(tried: Sequence[TriedCase]) -> str:
    """Such as "2 of 14 cases fail"."""
    failed = sum(each.failed for each in tried)
    return f"{failed} of {format_count(len(tried), 'case', 'cases')} {'fails' if failed == 1 else 'fail'}"


def _try(loaded: LoadedPlaybook, cases: Sequence[tuple[Case, datetime]]) -> tuple[list[Trial], dict[int, str]]:
    """What each lead would get; and by the places of the cases why capture would hold a row."""
    if not cases:
        return [], {}
    playbook = loaded.playbook
    usual = next(name for name, source in playbook.sources.items() if source.kind == "leads")
    now = cases[0][1]
    leads = [
        (case.source or usual, {name: format_value(value) for name, value in case.lead.items()}) for case, _ in cases
    ]
    done = [
        (number, kind, now - timedelta(days=often.days_ago))
        for number, (case, _) in enumerate(cases)
        for kind, often in case.did.items()
        for _ in range(often.times)
    ]
    activities = pd.DataFrame(done, columns=["journey_id", "kind", "occurred_at"])
    activities["occurred_at"] = pd.to_datetime(activities["occurred_at"], utc=True)
    circumstances = [
        Circumstances(at, frozenset(case.away), case.earlier_owner, case.enriched) for case, at in cases
    ]  # fmt: skip
    rows = {
        number: (leads[number][0], {name: format_value(value) for name, value in case.row.items()})
        for number, (case, _) in enumerate(cases)
        if case.row
    }
    frame, unread = _map_rows(loaded, build_frame(leads, playbook, now), rows, now)
    return try_alone(loaded, frame, activities, circumstances, now), unread


def _map_rows(
    loaded: LoadedPlaybook, frame: pd.DataFrame, rows: Mapping[int, tuple[str, dict[str, str]]], now: datetime
) -> tuple[pd.DataFrame, dict[int, str]]:
    """``frame`` with the leads of ``rows``, each a source and a row, at their places: each as a file of its own."""
    if not rows:
        return frame, {}
    signals = [
        signal
        for source, row in rows.values()
        for signal in read_signals(loaded, source, [Row(2, {**row})], "a case", now)
    ]
    mapped = map_signals(loaded, signals, now)
    problems = dict(zip(rows, mapped["problem"], strict=True))
    records = frame.to_dict("records")
    for number, record in zip(rows, mapped.to_dict("records"), strict=True):
        records[number] |= {name: record[name] for name in records[number] if name not in ("journey_id", "lead_id")}
    return pd.DataFrame(records, dtype=object), {number: why for number, why in problems.items() if why is not None}


def _tell_unread(problem: str, document: Document, position: int) -> Mismatch:
    line = document.line(("cases", position, "row"))
    return Mismatch("row", "a row that can be read", f"that capture holds it: {problem}", line)


def _compare(case: Case, trial: Trial, playbook: Playbook, document: Document, position: int) -> Iterator[Mismatch]:
    def tell(key: str, expected: str, found: str) -> Mismatch:
        return Mismatch(key, expected, found, document.line(("cases", position, "expect", *key.split("."))))

    expected, routed = case.expect, trial.routed
    texts: Sequence[tuple[str, str | None, str | None]] = (
        ("verdict", expected.verdict, trial.verdict),
        ("grade", expected.grade, trial.grade),
        ("route", expected.route, routed.route if routed else None),
        ("pool", expected.pool, routed.pool if routed else None),
        ("owner", expected.owner, routed.owner if routed else None),
        ("sla", expected.sla, routed.sla if routed else None),
        ("priority", expected.priority, routed.priority if routed else None),
        ("stages.validation", expected.stages.validation, Outcome.HOLD if trial.held else Outcome.CONTINUE),
        ("stages.qualification", expected.stages.qualification, trial.outcome),
        ("stages.assignment", expected.stages.assignment, routed.outcome if routed else None),
    )
    for key, text, found in texts:
        if text is not None and text != found:
            yield tell(key, str(text), _explain(key, found, trial))
    points = {each.rule: each.points for each in trial.contributions}
    for key, wanted, number in (
        ("score", expected.score, trial.score),
        ("fit", expected.fit, trial.fit),
        ("engagement", expected.engagement, trial.engagement),
    ):
        if wanted is not None and not is_within(number, wanted):
            said = ", ".join(f"{rule} {given:+d}" for rule, given in points.items()) or "no rule matched"
            yield tell(key, describe_range(wanted), f"{number} ({said})")
    for rule, wanted_points in expected.points.items():
        if points.get(rule, 0) != wanted_points:
            yield tell(f"points.{rule}", str(wanted_points), str(points.get(rule, 0)))
    yield from (tell(*each) for each in _compare_promises(case, trial))
    if expected.reason is not None and not _is_said(expected.reason, trial, playbook):
        yield tell("reason", repr(expected.reason), "; ".join(_list_reasons(trial, playbook)) or NOTHING)
    if expected.due is not None and expected.due != (routed and routed.due_at):
        yield tell("due", write_moment(expected.due), write_moment(routed.due_at if routed else None))
    for name, value in expected.values.items():
        found_value = trial.added[name][0] if name in trial.added else trial.values.get(name)
        if not is_same(value, found_value):
            yield tell(f"values.{name}", write_value(value), write_value(found_value))


def _explain(key: str, found: str | None, trial: Trial) -> str:
    """What was found, and the reason that stages gave for it."""
    if key == "verdict" and trial.held:
        return f"held ({'; '.join(_list_held(trial))})"
    if key in ("verdict", "stages.qualification") and trial.reasons:
        return f"{found} ({'; '.join(trial.reasons)})"
    if key in ("route", "pool", "owner", "stages.assignment"):
        if trial.routed is None:
            return f"{NOTHING} (the lead ends as {trial.outcome.value})"
        if key == "owner" or found is None:
            return f"{found or ('nobody' if key == 'owner' else NOTHING)} ({trial.routed.why})"
    return NOTHING if found is None else str(found)


def _list_held(trial: Trial) -> list[str]:
    return [words for promise, words in trial.broken if promise.severity == Severity.CRITICAL]


def _compare_promises(case: Case, trial: Trial) -> Iterator[tuple[str, str, str]]:
    unjudged = {promise.name for promise in trial.unchecked}
    for key, wanted, holds in (("held_by", case.expect.held_by, True), ("warned_by", case.expect.warned_by, False)):
        broken = [each.name for each, _ in trial.broken if (each.severity == Severity.CRITICAL) is holds]
        for name in wanted:
            if name in unjudged:
                yield key, name, "that cases cannot judge this promise: Great Expectations alone does"
            elif name not in broken:
                yield key, name, ", ".join(broken) or NOTHING


def _list_reasons(trial: Trial, playbook: Playbook) -> list[str]:
    """Why the lead does not go on, or goes on: codes, and the words beside them."""
    codes = [promise.reason for promise, _ in trial.broken if promise.severity == Severity.CRITICAL]
    if trial.outcome == Outcome.REVIEW:
        codes.append(IN_REVIEW_BAND)
    if trial.outcome == Outcome.DISQUALIFIED:
        codes += [rule.name for rule in playbook.qualification.disqualify if rule.reason in trial.reasons]
    if trial.routed is not None and trial.routed.reason is not None:
        codes += [trial.routed.reason, trial.routed.why]
    return [*dict.fromkeys(codes), *_list_held(trial), *trial.reasons]


def _is_said(reason: str, trial: Trial, playbook: Playbook) -> bool:
    """Whether ``reason`` is one of the codes, or part of the words."""
    wanted = reason.strip().casefold()
    return any(
        wanted == each.casefold() or (" " in each and wanted in each.casefold())
        for each in _list_reasons(trial, playbook)
    )
