"""What is said of tried updates of records: one stage by stage, those of a file in a line each.

Belongs here: words, tables and JSON. Does not belong here: deciding anything (``tasks.record_trial``), or what is
said of leads (``trial_words``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from console.display_names import DisplayNames, write_as_words
from console.record_trial import TriedRecordRow
from console.redaction import sanitise
from console.screen import build_console, build_heading, build_table, format_moment, print_json
from console.trial_words import (
    SHOWN,
    Summary,
    build_head,
    build_pairs,
    describe_assignment,
    describe_differences,
    describe_follow_up,
    describe_validation,
    list_differences,
    print_counts,
    print_lines,
    print_stages,
    say_left_out,
)
from leadgate.counting import format_count
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import JourneyKind, Severity
from tasks.record_trial import RecordTrial

_VERDICTS = {"goes_on": "goes on to an owner", "held": "held until somebody answers", "nurture": "waits"}


def summarise_update(trial: RecordTrial, problem: str | None = None) -> Summary:
    """What two playbooks can differ in about an update. ``problem``: why its row cannot be read."""
    if problem is not None:
        return {"verdict": "held at capture", "held": [problem]}
    routed = trial.routed
    return {
        "verdict": _VERDICTS.get(trial.verdict, trial.verdict),
        "held": [words for promise, words in trial.broken if promise.severity == Severity.CRITICAL],
        "reason": trial.reason,
        "question": trial.message,
        "asks": trial.asks,
        "tells": [target for target, _ in trial.tells],
        "category": trial.category,
        "again_at": trial.again_at,
        "score": trial.score,
        "contributions": {each.rule: each.points for each in trial.contributions},
        "owner": routed and routed.owner,
        "route": routed and routed.route,
        "pool": routed and routed.pool,
        "sla": routed and routed.sla,
        "priority": routed and routed.priority,
        "due_at": routed and routed.due_at,
    }


def show_update(
    playbooks: Sequence[LoadedPlaybook], kind: JourneyKind, trials: Sequence[RecordTrial], *, as_json: bool
) -> None:
    """One update by each playbook, the one to compare with first."""
    summaries = [summarise_update(trial) for trial in trials]
    if len(trials) == 2:
        differences = list_differences(*summaries)
        if as_json:
            print_json(build_head(playbooks) | {"about": kind, "differences": build_pairs(differences)})
            return
        lines = describe_differences(differences, playbooks)
        print_lines(lines or [f"The {kind} would get the same by both playbooks."])
    elif as_json:
        print_json(build_head(playbooks) | {"about": kind} | summaries[0] | _build_details(trials[0]))
    else:
        _print_stages(trials[0], DisplayNames(playbooks[0].playbook))


def show_record_rows(
    playbooks: Sequence[LoadedPlaybook], kind: JourneyKind, tried: Sequence[Sequence[TriedRecordRow]], *, as_json: bool
) -> None:
    """The updates of a file by each playbook, the one to compare with first."""
    summaries = [[summarise_update(row.trial, row.problem) for row in each] for each in tried]
    counts = [Counter(summary["verdict"] for summary in each) for each in summaries]
    lines, head = [row.line for row in tried[-1]], build_head(playbooks) | {"about": kind, "rows": len(tried[-1])}
    if len(tried) == 2:
        pairs = zip(lines, *summaries, strict=True)
        differing = {line: found for line, one, other in pairs if (found := list_differences(one, other))}
        if as_json:
            listed = [{"line": line, "differences": build_pairs(each)} for line, each in differing.items()]
            print_json(head | {"verdicts_against": counts[0], "verdicts": counts[1], "updates": listed})
            return
        for line, each in list(differing.items())[:SHOWN]:
            print_lines([f"line {line}", *describe_differences(each, playbooks)])
        say_left_out(len(differing))
        print_lines([f"{format_count(len(differing), 'update differs', 'updates differ')} of {len(lines):,}."])
        print_counts({"against": counts[0], kind.plural: counts[1]})
        return
    if as_json:
        whole = [{"line": line} | each for line, each in zip(lines, summaries[0], strict=True)]
        print_json(head | {"verdicts": counts[0], "updates": whole})
        return
    _print_table(list(zip(lines, summaries[0], strict=True))[:SHOWN], DisplayNames(playbooks[0].playbook))
    say_left_out(len(lines))
    print_counts({kind.plural: counts[0]})


def _print_table(rows: Sequence[tuple[int, Summary]], names: DisplayNames) -> None:
    """A line for each update, then what is asked about those that are held."""
    made = build_table("line", "verdict", "score", "owner", "route", "next touch due (UTC)", right=("line", "score"))
    for line, summary in rows:
        score, owner = summary.get("score"), summary.get("owner")
        made.add_row(
            str(line), summary["verdict"], "" if score is None else str(score), names.name_rep(owner) if owner else "",
            write_as_words(summary.get("route") or ""), format_moment(summary.get("due_at")),
        )  # fmt: skip
    console = build_console()
    console.print(made)
    asked = [
        (line, each["held"] or [each.get("question")]) for line, each in rows if each["verdict"].startswith("held")
    ]
    if asked:
        console.print(build_heading("Why updates are held"))
        print_lines(f"  line {line}: {'; '.join(str(each) for each in words if each)}" for line, words in asked)


def _build_details(trial: RecordTrial) -> dict[str, Any]:
    routed = trial.routed
    return {
        "values": trial.values,
        "added": trial.added,
        "reasons": trial.reasons,
        "told_why": [why for _, why in trial.tells],
        "why": routed and routed.why,
        "candidates": routed.candidates if routed else [],
        "not_checked": [promise.name for promise in trial.unchecked],
    }


def _print_stages(trial: RecordTrial, names: DisplayNames) -> None:
    console = build_console()
    if trial.verdict == "held":
        console.print("This update would be held until somebody answers. Owner and due time are what it gets then.")
    stages = {
        "Validation": describe_validation(trial.broken, trial.values, "update"),
        "Enrichment": iter([f"{write_as_words(name)}: {value}" for name, value in trial.added.items()]),
        "Qualification": _describe_judgement(trial, names),
        "Assignment": describe_assignment(trial.routed, names),
        "Follow-up": describe_follow_up(trial.routed),
    }
    print_stages(stages)


def _describe_judgement(trial: RecordTrial, names: DisplayNames) -> Iterator[str]:
    yield f"score {trial.score}"
    for each in trial.contributions:
        yield f"{each.points:+d} {write_as_words(each.rule)} ({'fit' if each.is_fit else 'engagement'})"
    yield _VERDICTS.get(trial.verdict, trial.verdict) + (f": {write_as_words(trial.reason)}" if trial.reason else "")
    if trial.message:
        yield sanitise(trial.message, 500) + (f" (asked of the {trial.asks})" if trial.asks else "")
    yield from trial.reasons
    for target, why in trial.tells:
        yield f"{names.name_rep(target)} hears of it: {why}"
    yield f"forecast category: {write_as_words(trial.category)}"
    if trial.again_at is not None:
        yield f"looked at by itself {format_moment(trial.again_at)} UTC"
