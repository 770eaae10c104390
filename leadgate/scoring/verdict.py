"""The verdict on a score: by thresholds to enter and to leave, grades, disqualifiers and evidence.

Belongs here: which leads go on, wait for a person or are nurtured, and the words for it. Does not belong here:
the points (``points``), or when a verdict will change (``forecast``).

A lead that was qualified stays so down to the lower threshold, to leave, and one that was not must reach the
higher one, to enter: along any path of scores the verdict changes only where the path crosses *enter* upwards or
*leave* downwards, so a lead at the edge does not flap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadgate.expressions import rules
from leadgate.playbook import ByGrade, Playbook, Qualification
from leadgate.scoring import evidence
from leadgate.scoring.points import Points, list_scoring_columns, listen
from leadgate.vocabulary import Outcome, QualifiedAs

Flags = npt.NDArray[np.bool_]

#: How far a lead is qualified: 0 is not, then these.
LEVELS: Final = (None, *(verdict.value for verdict in QualifiedAs))
_SAID: Final = ("", "marketing-qualified", "sales-qualified")
_NOTHING: Final = pd.DataFrame({"journey_id": [], "kind": [], "occurred_at": []})


def qualify(
    frame: pd.DataFrame, playbook: Playbook, now: datetime, activities: pd.DataFrame = _NOTHING
) -> pd.DataFrame:
    """The verdict on each scored journey: a frame with the index of ``frame``.

    ``frame`` is a batch with the columns that ``score`` returns. It may have ``was``, how the lead was qualified
    before (None, marketing_qualified, sales_qualified), and ``finished``, whether it was followed up and is only
    scored again. ``activities`` are those that ``score`` takes; they can be evidence.

    In this order: a disqualifier that matches disqualifies; a lead that is qualified, or stays so, goes on; a
    score in the review band waits for a person; the rest is nurtured. A finished lead that stays qualified is
    ``done``, so that nobody is assigned again, and is never reviewed. Where sales accepts
    (``sales_qualified_by: acceptance``), a lead is at most marketing-qualified here.

    Returns ``outcome`` (continue, review, nurture, disqualified, done), ``qualified_as`` (None,
    marketing_qualified, sales_qualified), ``qualifiable`` (how far the evidence that the playbook requires lets it
    be qualified, 0 to 2), ``reasons`` (a list of plain words) and ``evidence``
    (JSON text: budget, authority, need, timeline, each with whether it is known or negative, and the name of the
    field or the activity that tells).
    """
    rule = playbook.qualification
    out = {f"out {d.name}": d.when for d in rule.disqualify}
    matched = rules.match_rows(out | evidence.list_expressions(rule.evidence), frame, list_scoring_columns(playbook))
    by_kind, _ = listen(frame, activities, now, list_evidence_kinds(rule))
    part_states = evidence.find_part_states(rule.evidence, matched, by_kind)
    scores = frame["score"].to_numpy(dtype=np.int64)
    was, finished = read_before(frame)
    missing_parts = _find_missing_parts(rule, part_states, len(frame))
    allowed = _compute_allowed(missing_parts, len(frame))
    by_points = compute_level(rule, scores, compute_grade_codes(rule, frame), was)
    reached = np.minimum(by_points, allowed)
    refused = matched[list(out)].to_numpy(dtype=bool)
    outcome = np.select(
        [refused.any(axis=1), (reached > 0) & finished, reached > 0, find_in_band(rule, scores) & ~finished],
        [Outcome.DISQUALIFIED, Outcome.DONE, Outcome.CONTINUE, Outcome.REVIEW],
        default=Outcome.NURTURE,
    )
    goes_on = np.isin(outcome, (Outcome.CONTINUE, Outcome.DONE))
    as_stated = reached if rule.sales_qualified_by == "threshold" else np.minimum(reached, 1)
    qualified_as = np.array(LEVELS, dtype=object)[np.where(goes_on, as_stated, 0)]
    lacks = _find_lacking(missing_parts, by_points, reached)
    grades = frame["grade"].tolist() if rule.grades is not None else [None] * len(frame)
    cases = zip(outcome.tolist(), scores.tolist(), reached.tolist(), was.tolist(), grades, lacks, strict=True)
    return pd.DataFrame(
        {
            "outcome": pd.Series(outcome, index=frame.index, dtype=object),
            "qualified_as": pd.Series(qualified_as, index=frame.index, dtype=object),
            "qualifiable": allowed,
            "reasons": pd.Series(_list_reasons(rule, cases, refused), index=frame.index, dtype=object),
            "evidence": pd.Series(
                evidence.format_evidence(rule.evidence, len(frame), part_states), index=frame.index, dtype=object
            ),
        },
        index=frame.index,
    )


def compute_level(rule: Qualification, scores: Points, grades: Points, was: Points) -> Points:
    """How far a lead is qualified (an index of ``LEVELS``) that was qualified as far as ``was`` before."""
    reached = np.zeros(len(scores), dtype=np.int64)
    for number in (1, 2):
        if rule.grades is None:
            enters, stays = scores >= find_entry_score(rule, number), scores >= find_exit_score(rule, number)
        else:
            enters = np.isin(grades, _compute_codes(_list_grades(rule.grades, number)))
            stays = np.isin(grades, _compute_codes(_list_grades(rule.leave.grades, number)))
        reached[enters | (stays & (was >= number))] = number
    return reached


def find_entry_score(rule: Qualification, number: int) -> int:
    """The score from which on a lead is qualified as far as ``number``."""
    return rule.sales_qualified if number == 2 else rule.marketing_qualified


def find_exit_score(rule: Qualification, number: int) -> int:
    """The score below which a lead is no longer qualified as far as ``number``."""
    leaves = rule.leave.sales_qualified if number == 2 else rule.leave.marketing_qualified
    return find_entry_score(rule, number) if leaves is None else leaves


def _list_grades(grades: ByGrade, number: int) -> tuple[str, ...]:
    return grades.sales_qualified if number == 2 else grades.marketing_qualified


def find_in_band(rule: Qualification, scores: Points) -> Flags:
    """Which scores wait for a person, unless the lead is qualified."""
    if rule.review is None:
        return np.zeros(len(scores), dtype=bool)
    return (scores >= rule.review.lowest) & (scores < rule.review.below)


def read_before(frame: pd.DataFrame) -> tuple[Points, Flags]:
    """How far each lead was qualified before, and whether it was followed up; a frame that does not say has none."""
    if "was" not in frame:
        return np.zeros(len(frame), dtype=np.int64), np.zeros(len(frame), dtype=bool)
    numbers = {name: number for number, name in enumerate(LEVELS)}
    was = np.array([numbers.get(name, 0) for name in frame["was"].tolist()], dtype=np.int64)
    return was, frame["finished"].to_numpy(dtype=bool)


def compute_grade_codes(rule: Qualification, frame: pd.DataFrame) -> Points:
    """The grade of each row as a number that ``compute_level`` takes; 0 where leads do not qualify by grade."""
    if rule.grades is None:
        return np.zeros(len(frame), dtype=np.int64)
    return _compute_codes(frame["grade"].tolist())


def _compute_codes(grades: Sequence[str]) -> Points:
    return np.array([_compute_code(grade) for grade in grades], dtype=np.int64)


def _compute_code(grade: str) -> int:
    return int(encode_grade(" ABCD".index(grade[0]), int(grade[1])))


def encode_grade(fit: Any, engagement: Any) -> Any:
    """A grade as a number, of the numbers 1 (the best) to 4 of its two parts."""
    return 10 * fit + engagement


def list_evidence_kinds(rule: Qualification) -> set[str]:
    """The kinds of activity that are evidence of something."""
    return {proof.activity for proof in rule.evidence.values() if proof.activity is not None}


def list_counted_activities(playbook: Playbook) -> list[str]:
    """The kinds of activity that a rule counts, in the playbook's order."""
    counted = [rule.activity for rule in playbook.scoring.engagement if rule.activity is not None]
    return list(dict.fromkeys([*counted, *sorted(list_evidence_kinds(playbook.qualification))]))


def _find_missing_parts(
    rule: Qualification, part_states: Mapping[str, evidence.PartState], count: int
) -> dict[int, dict[str, Flags]]:
    """For each level, the parts of the evidence that it requires, each with the rows that lack it."""
    required = {number: rule.requires.get(verdict, ()) for number, verdict in enumerate(QualifiedAs, start=1)}
    return {
        number: {
            part: ~part_states[part].known if part in part_states else np.ones(count, dtype=bool) for part in parts
        }
        for number, parts in required.items()
    }


def _compute_allowed(missing_parts: Mapping[int, Mapping[str, Flags]], count: int) -> Points:
    """The highest level for which each row has the required evidence."""
    allowed = np.full(count, 2, dtype=np.int64)
    for number in (2, 1):
        for lacks in missing_parts[number].values():
            allowed[lacks] = number - 1
    return allowed


def _find_lacking(
    missing_parts: Mapping[int, Mapping[str, Flags]], by_points: Points, reached: Points
) -> list[tuple[str, ...]]:
    """The parts of the evidence whose lack kept each row below the level that its points reach."""
    lacks: list[tuple[str, ...]] = [()] * len(reached)
    for row in np.flatnonzero(reached < by_points).tolist():
        lacks[row] = tuple(part for part, missing in missing_parts[int(reached[row]) + 1].items() if missing[row])
    return lacks


Case = tuple[str, int, int, int, str | None, tuple[str, ...]]


def _list_reasons(rule: Qualification, cases: Iterable[Case], refused: Flags) -> list[list[str]]:
    disqualified = [d.reason for d in rule.disqualify]
    hit: dict[bytes, list[str]] = {}
    said: dict[Case, list[str]] = {}
    reasons = []
    for row, case in enumerate(cases):
        if case[0] == Outcome.DISQUALIFIED:
            pattern = refused[row].tobytes()
            if (why := hit.get(pattern)) is None:
                why = hit[pattern] = [disqualified[i] for i in np.flatnonzero(refused[row])]
        elif (why := said.get(case)) is None:
            why = said[case] = _explain(rule, *case)
        reasons.append(list(why))
    return reasons


def _explain(
    rule: Qualification, outcome: str, points: int, reached: int, was: int, grade: str | None, lacks: tuple[str, ...]
) -> list[str]:
    if outcome == Outcome.REVIEW and rule.review is not None:
        words = [f"a score of {points} is in the review band, {rule.review.lowest} to {rule.review.below - 1}"]
    elif rule.grades is not None:
        words = [_explain_grade(rule, rule.grades, str(grade), reached, was)]
    else:
        words = [_explain_score(rule, points, reached, was)]
    if lacks:
        needed = _SAID[reached + 1]
        words = [
            f"{' and '.join(lacks)} {'is' if len(lacks) == 1 else 'are'} not known, which {needed} requires",
            *words,
        ]
    if outcome == Outcome.DONE:
        words.append("it was followed up before, so nobody is assigned again")
    return words


def _explain_score(rule: Qualification, points: int, reached: int, was: int) -> str:
    if was > reached and points < find_exit_score(rule, reached + 1):
        lost = f"a score of {points} is below {find_exit_score(rule, reached + 1)}: no longer {_SAID[reached + 1]}"
        return lost + (f", but {_SAID[reached]}" if reached else "")
    enter = find_entry_score(rule, max(reached, 1))
    if reached == 0 and points >= enter:  # evidence is lacking
        return f"a score of {points} would reach {enter}"
    if reached == 0:
        return f"a score of {points} is below {enter}, from which a lead is marketing-qualified"
    if points < enter:
        leave = find_exit_score(rule, reached)
        return f"a score of {points} is below {enter}, but a lead that was {_SAID[reached]} stays so down to {leave}"
    return f"a score of {points} reaches {enter}: {_SAID[reached]}{_format_once_accepted(rule, reached)}"


def _format_once_accepted(rule: Qualification, reached: int) -> str:
    return " once sales accepts it" if reached == 2 and rule.sales_qualified_by == "acceptance" else ""


def _explain_grade(rule: Qualification, by_grade: ByGrade, grade: str, reached: int, was: int) -> str:
    if reached == 0:
        among = ", ".join((*by_grade.marketing_qualified, *by_grade.sales_qualified))
        lost = "no longer" if was else "not"
        return f"grade {grade} is {lost} among those from which a lead is marketing-qualified ({among})"
    if grade not in _list_grades(by_grade, reached):
        return f"a lead that was {_SAID[reached]} stays so at grade {grade}"
    return f"grade {grade} is {_SAID[reached]}{_format_once_accepted(rule, reached)}"
