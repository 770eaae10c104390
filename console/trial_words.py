"""What is said of tried leads: one stage by stage, those of a file in a line each, and what differs by two playbooks.

Belongs here: words, tables and JSON. Does not belong here: deciding anything (``tasks.trial``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from console.display_names import DisplayNames, write_as_words
from console.redaction import sanitise
from console.screen import build_console, build_heading, build_table, format_moment, print_json, say
from console.trial_file import TriedRow
from expectations.promises import Promise
from leadgate.counting import format_count
from leadgate.masking import mask
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Outcome, Severity
from tasks.trial import Routed, Trial

SHOWN: Final = 50  # leads of a file on the screen; --json has all of them
_LONGEST: Final = 600  # characters of a line
_NAMED: Final = frozenset({"route", "pool", "sla", "priority"})
#: Of a row that is the signal of another row.
_REPEATED: Final = "already_known"
Summary = dict[str, Any]
#: By name: by the playbook to compare with, and by the one that is tried.
Differences = dict[str, tuple[Any, Any]]


def summarise_row(row: TriedRow) -> Summary:
    """``summarise`` of a row, which capture may hold, and which may be about the person of another row."""
    if row.trial is None:
        verdict = {"verdict": _REPEATED, "held": []} if row.is_repeated else {"verdict": "held", "held": [row.problem]}
        return verdict | {"same_as": row.same_as}
    because = row.trial.same and row.trial.same.because
    return summarise(row.trial) | {"same_as": row.same_as, "same_because": because}


def summarise(trial: Trial) -> Summary:
    """What two playbooks can differ in about a lead. Nobody owns a lead about which a person decides first:
    ``owner_then`` is who would."""
    routed = trial.routed
    owner = routed and routed.owner
    return {
        "verdict": trial.verdict,
        "held": [words for promise, words in trial.broken if promise.severity == Severity.CRITICAL],
        "warned": [words for promise, words in trial.broken if promise.severity != Severity.CRITICAL],
        "score": trial.score,
        "grade": trial.grade,
        "contributions": {each.rule: each.points for each in trial.contributions},
        "owner": None if trial.waits else owner,
        "owner_then": owner if trial.waits else None,
        "route": routed and routed.route,
        "pool": routed and routed.pool,
        "sla": routed and routed.sla,
        "priority": routed and routed.priority,
        "due_at": None if trial.waits else routed and routed.due_at,
    }


def list_differences(before: Summary, after: Summary) -> Differences:
    """Of the contributions those that differ."""
    found = _list_different(before, after)
    points = found.get("contributions")
    if points is not None and None not in points:
        by_rule = _list_different(*points)
        found["contributions"] = (
            {rule: one for rule, (one, _) in by_rule.items() if one is not None},
            {rule: other for rule, (_, other) in by_rule.items() if other is not None},
        )
    return found


def _list_different(before: Mapping[str, Any], after: Mapping[str, Any]) -> Differences:
    names = dict.fromkeys([*before, *after])
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def show_lead(playbooks: Sequence[LoadedPlaybook], trials: Sequence[Trial], *, as_json: bool) -> None:
    """One lead by each playbook, the one to compare with first."""
    summaries = [summarise(trial) for trial in trials]
    if len(trials) == 2:
        differences = list_differences(*summaries)
        if as_json:
            print_json(build_head(playbooks) | {"differences": build_pairs(differences)})
            return
        lines = describe_differences(differences, playbooks)
        print_lines(lines or ["The lead would get the same by both playbooks."])
    elif as_json:
        print_json(build_head(playbooks) | summaries[0] | _build_details(trials[0]))
    else:
        _print_stages(trials[0], DisplayNames(playbooks[0].playbook))


def show_rows(
    playbooks: Sequence[LoadedPlaybook], tried: Sequence[Sequence[TriedRow]], *, personal: bool, as_json: bool
) -> None:
    """The leads of a file by each playbook, the one to compare with first."""
    rows = tried[-1]
    summaries = [[summarise_row(row) for row in each] for each in tried]
    counts = [Counter(summary["verdict"] for summary in each) for each in summaries]
    leads = {row.line: f"{row.line}  {row.email if personal else mask(row.email)}" for row in rows if row.email}
    if len(tried) == 2:
        pairs = zip(rows, *summaries, strict=True)
        differing = {row.line: found for row, one, other in pairs if (found := list_differences(one, other))}
        if as_json:
            listed = [{"line": line, "differences": build_pairs(each)} for line, each in differing.items()]
            verdicts = {"verdicts_against": counts[0], "verdicts": counts[1]}
            print_json(build_head(playbooks) | {"rows": len(rows), **verdicts, "leads": listed})
            return
        for line, each in list(differing.items())[:SHOWN]:
            print_lines([f"line {leads.get(line, line)}", *describe_differences(each, playbooks)])
        say_left_out(len(differing))
        print_lines([f"{format_count(len(differing), 'lead differs', 'leads differ')} of {len(rows):,}."])
        print_counts({"against": counts[0], "leads": counts[1]})
        return
    lines = [row.line for row in rows]
    if as_json:
        whole = [{"line": line} | each for line, each in zip(lines, summaries[0], strict=True)]
        print_json(build_head(playbooks) | {"rows": len(rows), "verdicts": counts[0], "leads": whole})
        return
    shown = list(zip([leads.get(line, str(line)) for line in lines], summaries[0], strict=True))[:SHOWN]
    _print_table(shown, DisplayNames(playbooks[0].playbook))
    _print_same_persons(shown)
    say_left_out(len(rows))
    print_counts({"leads": counts[0]})


def _print_table(rows: Sequence[tuple[str, Summary]], names: DisplayNames) -> None:
    """A line for each lead, then why those are held that are."""
    made = build_table("lead", "verdict", "score", "owner", "route", "first touch due (UTC)", right=("score",))
    for lead, summary in rows:
        score, owner = summary.get("score"), summary.get("owner")
        route = None if summary.get("owner_then") else summary.get("route")
        made.add_row(
            sanitise(lead, 48), summary["verdict"], "" if score is None else str(score),
            names.name_rep(owner) if owner else "", write_as_words(route or ""),
            format_moment(summary.get("due_at")),
        )  # fmt: skip
    console = build_console()
    console.print(made)
    if held := [(lead, summary["held"]) for lead, summary in rows if summary["held"]]:
        console.print(build_heading("Why leads are held"))
        print_lines(f"  {sanitise(lead, 48)}: {'; '.join(map(str, reasons))}" for lead, reasons in held)


def _print_same_persons(rows: Sequence[tuple[str, Summary]]) -> None:
    """Which rows are about the person of another row."""
    found = [(lead, summary) for lead, summary in rows if summary.get("same_as") is not None]
    if not found:
        return
    build_console().print(build_heading("Rows about a person of another row"))
    for lead, summary in found:
        if summary["verdict"] == _REPEATED:
            words = f"the same signal as line {summary['same_as']}: their keys are the same"
        elif summary["verdict"] == Outcome.JOINED:
            words = f"joins line {summary['same_as']}: {summary['same_because']}"
        else:
            words = f"a person is asked whether it is line {summary['same_as']}: {summary['same_because']}"
        print_lines([f"  {sanitise(lead, 48)}: {words}"])


def build_head(playbooks: Sequence[LoadedPlaybook]) -> dict[str, Any]:
    return {"playbook": playbooks[-1].hash} | ({"against": playbooks[0].hash} if len(playbooks) == 2 else {})


def build_pairs(differences: Differences) -> dict[str, dict[str, Any]]:
    return {name: {"against": before, "playbook": after} for name, (before, after) in differences.items()}


def _build_details(trial: Trial) -> dict[str, Any]:
    routed = trial.routed
    return {
        "values": trial.values,
        "added": {name: {"value": value, "by": by} for name, (value, by) in trial.added.items()},
        "fit": trial.fit,
        "engagement": trial.engagement,
        "reasons": trial.reasons,
        "changes_at": trial.changes_at,
        "why": routed and routed.why,
        "run_after": routed and routed.run_after,
        "candidates": routed.candidates if routed else [],
        "not_asked": trial.not_asked,
        "not_checked": [promise.name for promise in trial.unchecked],
    }


def _print_stages(trial: Trial, names: DisplayNames) -> None:
    console = build_console()
    if trial.held:
        console.print("Validation would hold this lead until somebody has corrected it. The rest is what it gets then.")
    stages = {
        "Validation": describe_validation(trial.broken, trial.values, "lead"),
        "Enrichment": _describe_enrichment(trial),
        "Qualification": _describe_qualification(trial),
        "Assignment": describe_assignment(trial.routed, names, _say_when(trial)),
        "Follow-up": describe_follow_up(trial.routed),
    }
    print_stages(stages)


def print_stages(stages: Mapping[str, Iterator[str]]) -> None:
    """Print the lines of each stage under its name."""
    console = build_console()
    for stage, lines in stages.items():
        console.print(build_heading(stage))
        print_lines(f"  {line}" for line in lines)


def describe_validation(
    broken: Sequence[tuple[Promise, str]], values: Mapping[str, Any], tried: Literal["lead", "update"]
) -> Iterator[str]:
    """Lines about the promises that are ``broken``, each with its words, and the values that were read."""
    for promise, words in broken:
        yield f"{f'holds the {tried}' if promise.severity == Severity.CRITICAL else 'warns'}: {words}"
    if not broken:
        yield f"lets the {tried} pass"
    for name, value in values.items():
        yield f"{write_as_words(name)}: {write_value(value)}"


def _describe_enrichment(trial: Trial) -> Iterator[str]:
    for name, (value, by) in trial.added.items():
        yield f"{write_as_words(name)}: {write_value(value)} ({by if by == 'stated' else f'by {write_as_words(by)}'})"
    if not trial.added:
        yield "adds nothing"
    if trial.not_asked:
        yield f"not asked: {', '.join(trial.not_asked)}"


def _describe_qualification(trial: Trial) -> Iterator[str]:
    grade = f", grade {trial.grade}" if trial.grade else ""
    yield f"score {trial.score}: fit {trial.fit}, engagement {trial.engagement}{grade}"
    for each in trial.contributions:
        yield f"{each.points:+d} {write_as_words(each.rule)} ({'fit' if each.is_fit else 'engagement'})"
    yield f"{trial.qualified}: {'; '.join(trial.reasons)}"


def _say_when(trial: Trial) -> str:
    return f", once somebody has {'corrected' if trial.held else 'approved'} it" if trial.waits else ""


def describe_assignment(routed: Routed | None, names: DisplayNames, when: str = "") -> Iterator[str]:
    """``when``: what has to happen first."""
    if routed is None:
        yield "the lead ends before it"
        return
    if routed.owner:
        pool = f" and pool {names.name_pool(routed.pool)}" if routed.pool else ""
        yield f"to {names.name_rep(routed.owner)}{when}, by route {write_as_words(routed.route or '')}{pool}"
    else:
        yield "to nobody"
    yield names.write_names(routed.why)


def describe_follow_up(routed: Routed | None) -> Iterator[str]:
    if routed is None or routed.due_at is None:
        yield "no first touch is due"
        return
    priority = f", by priority {write_as_words(routed.priority)}" if routed.priority else ""
    yield f"first touch due {format_moment(routed.due_at)} UTC, SLA {write_as_words(routed.sla or '')}{priority}"


def describe_differences(differences: Differences, playbooks: Sequence[LoadedPlaybook]) -> list[str]:
    before, after = (DisplayNames(each.playbook) for each in playbooks)
    return [
        f"  {write_as_words(name)}: {_write(name, old, before)} → {_write(name, new, after)}"
        for name, (old, new) in differences.items()
    ]


def _write(name: str, value: Any, names: DisplayNames) -> str:
    """A value of ``summarise`` in words."""
    if value is None or value == [] or value == {}:
        return "none"
    if name in ("owner", "owner_then"):
        return names.name_rep(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{write_as_words(rule)} {points:+d}" for rule, points in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return write_as_words(value) if name in _NAMED else write_value(value)


def write_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{format_moment(value)} UTC" if isinstance(value, datetime) else str(value)


def print_counts(columns: Mapping[str, Mapping[str, int]]) -> None:
    made = build_table("verdict", *columns, right=tuple(columns))
    for verdict in dict.fromkeys(verdict for each in reversed([*columns.values()]) for verdict in each):
        made.add_row(verdict, *(f"{each.get(verdict, 0):,}" for each in columns.values()))
    build_console().print(made)


def print_lines(lines: Sequence[str] | Iterator[str]) -> None:
    console = build_console()
    for line in lines:
        console.print(sanitise(line, _LONGEST), soft_wrap=True, markup=False, highlight=False)


def say_left_out(count: int) -> None:
    if count > SHOWN:
        say(f"… and {count - SHOWN:,} more; --json has all of them")
