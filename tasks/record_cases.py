"""The cases of records beside a playbook, tried: what each update gets, and where that is not what the case expects.

Belongs here: a case as an update that is tried, and comparing. Does not belong here: reading cases (``leadgate.playbook
.cases``), or deciding what an update gets (``tasks.record_trial``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from leadgate.connectors.files import Row
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.cases import ReadCases, RecordCase, format_value
from leadgate.playbook.check.record_cases import list_sources_of
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
from tasks.record_trial import RecordTrial, TriedUpdate, try_updates
from tasks.trial_rows import read_signals


def try_record_cases(loaded: LoadedPlaybook, files: Sequence[ReadCases]) -> list[TriedCase]:
    """The cases of records of ``files``, whose names are known to be right, in their order."""
    cases = [(case, each, position) for each in files for position, case in enumerate(each.file.records)]
    trials: dict[int, RecordTrial] = {}
    for kind in JourneyKind:
        numbers = [number for number, (case, _, _) in enumerate(cases) if case.kind is kind]
        updates = [_build_update(loaded, cases[number][0], cases[number][1].file.received) for number in numbers]
        trials |= zip(numbers, try_updates(loaded, kind, updates) if updates else (), strict=True)
    return [
        TriedCase(
            case.name,
            each.document.file,
            each.document.line(("records", position)),
            tuple(_compare(case, trials[number], each.document, position)),
        )
        for number, (case, each, position) in enumerate(cases)
    ]


def _build_update(loaded: LoadedPlaybook, case: RecordCase, received: datetime) -> TriedUpdate:
    source, now = case.source or list_sources_of(loaded.playbook, case.kind)[0], case.received or received
    row = {name: format_value(value) for name, value in case.row.items()}
    return TriedUpdate(
        source=source,
        now=now,
        values={name: format_value(value) for name, value in case.record.items()},
        signal=read_signals(loaded, source, [Row(2, {**row})], "a case", now)[0] if row else None,
        before={name: format_value(value) for name, value in case.before.items()},
        is_due=case.time,
        did={kind: [often.days_ago] * often.times for kind, often in case.did.items()},
        enriched=case.enriched,
        away=frozenset(case.away),
    )


def _compare(case: RecordCase, trial: RecordTrial, document: Document, position: int) -> Iterator[Mismatch]:
    def tell(key: str, expected: str, found: str) -> Mismatch:
        return Mismatch(key, expected, found, document.line(("records", position, "expect", *key.split("."))))

    expected, routed = case.expect, trial.routed
    said = "; ".join(_list_reasons(trial))
    texts = (
        ("verdict", expected.verdict, trial.verdict),
        ("asks", expected.asks, trial.asks),
        ("category", expected.category, trial.category),
        ("route", expected.route, routed and routed.route),
        ("pool", expected.pool, routed and routed.pool),
        ("owner", expected.owner, routed and routed.owner),
        ("sla", expected.sla, routed and routed.sla),
        ("priority", expected.priority, routed and routed.priority),
    )
    for key, text, found in texts:
        if text is not None and text != found:
            why = said if key in ("verdict", "asks") else routed.why if routed and key in ("route", "owner") else ""
            yield tell(key, str(text), f"{found or NOTHING} ({why})" if why else str(found or NOTHING))
    points = {each.rule: each.points for each in trial.contributions}
    if expected.score is not None and not is_within(trial.score, expected.score):
        rules = ", ".join(f"{rule} {given:+d}" for rule, given in points.items()) or "no rule matched"
        yield tell("score", describe_range(expected.score), f"{trial.score} ({rules})")
    for rule, wanted in expected.points.items():
        if points.get(rule, 0) != wanted:
            yield tell(f"points.{rule}", str(wanted), str(points.get(rule, 0)))
    held = [promise.name for promise, _ in trial.broken if promise.severity == Severity.CRITICAL]
    for name in expected.held_by:
        if name not in held:
            yield tell("held_by", name, ", ".join(held) or NOTHING)
    hear = list(dict.fromkeys(target for target, _ in trial.tells))
    for name in expected.tells:
        if name not in hear:
            yield tell("tells", name, ", ".join(hear) or "nobody")
    if expected.reason is not None and not _is_said(expected.reason, trial):
        yield tell("reason", repr(expected.reason), said or NOTHING)
    for key, moment, at in (
        ("again", expected.again, trial.again_at),
        ("due", expected.due, routed.due_at if routed else None),
    ):
        if moment is not None and moment != at:
            yield tell(key, write_moment(moment), write_moment(at))
    for name, value in expected.values.items():
        found_value = trial.added.get(name, trial.values.get(name))
        if not is_same(value, found_value):
            yield tell(f"values.{name}", write_value(value), write_value(found_value))


def _list_reasons(trial: RecordTrial) -> list[str]:
    """Why the update does not go on: codes, and the words beside them."""
    broken = [each for each in trial.broken if each[0].severity == Severity.CRITICAL]
    said = [*(promise.reason for promise, _ in broken), *(words for _, words in broken)]
    said += [each for each in (trial.reason, trial.message, *trial.reasons) if each]
    said += [f"{target} hears of it: {why}" for target, why in trial.tells]
    if trial.outcome == Outcome.CONTINUE and trial.routed is not None and trial.routed.reason is not None:
        said += [trial.routed.reason, trial.routed.why]
    return list(dict.fromkeys(said))


def _is_said(reason: str, trial: RecordTrial) -> bool:
    """Whether ``reason`` is one of the codes, or part of the words."""
    wanted = reason.strip().casefold()
    return any(
        wanted == each.casefold() or (" " in each and wanted in each.casefold()) for each in _list_reasons(trial)
    )
