"""The points of a lead as of a moment: contributions that sum to the score, to the point.

Belongs here: what each rule contributes, decay, caps, grades. Does not belong here: what a score leads to
(``verdict``).

Every contribution is a whole number. An activity under a half-life is worth ``points · 2^(−age / half_life)``, kept in
millionths of a point; the activities of a rule are added up, capped by ``max_points``, and rounded once, to the
nearest point, a half towards zero. So the sum is exact whatever the order of the activities, a score as of a moment
is a function of what had happened by then, and without news no contribution ever grows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from leadgate import fields
from leadgate.expressions import rules
from leadgate.expressions.syntax import parse
from leadgate.json_columns import Decay
from leadgate.playbook import Cap, EngagementRule, FitRule, Grades, Playbook, Scoring
from leadgate.vocabulary import StageName

Points = npt.NDArray[np.int64]

STAGE: Final = StageName.QUALIFICATION
_MILLION: Final = 1_000_000
_MICROSECOND: Final = timedelta(microseconds=1)
_NEVER: Final = np.iinfo(np.int64).max
_FIT_GRADES: Final = np.array(list("DCBA"), dtype=object)


@dataclass(frozen=True)
class ActivityMoments:
    """The activities of one kind: the lead's row in the batch (its position) and the time (microseconds since 1970)."""

    row: Points
    at: Points


def score(frame: pd.DataFrame, playbook: Playbook, activities: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Points of each journey as of ``now`` (aware UTC): a frame with the index of ``frame``.

    ``frame`` is a batch as enrichment left it, one row per ``journey_id``. ``activities`` has the
    columns ``journey_id``, ``kind`` and ``occurred_at`` (aware UTC); those after ``now`` and those
    of other journeys do not count.

    Returns ``fit``, ``engagement``, ``score`` (integers); ``fit_grade`` (A to D), ``engagement_grade``
    (1 to 4) and ``grade`` (both), missing unless the playbook grades; ``contributions`` (JSON text, rule to
    points, those that are not zero; a cap takes away or gives in a contribution of its own, ``cap of NAME``);
    ``contribution_sum``, added up from the contributions as they are written, so that a gate can compare it
    with ``score``; and ``details`` (JSON text: which contributions are ``fit``, and for each that has
    ``decayed`` the points it had in full and its latest activity).
    """
    scoring, count = playbook.scoring, len(frame)
    expressions = {f"fit {rule.name}": rule.when for rule in scoring.fit} | list_engagement_conditions(
        scoring.engagement
    )
    matched = rules.match_rows(expressions, frame, list_scoring_columns(playbook))
    kinds = {rule.activity for rule in scoring.engagement if rule.activity is not None}
    by_kind, _ = listen(frame, activities, now, kinds)
    fit = [matched[f"fit {rule.name}"].to_numpy() * np.int64(rule.points) for rule in scoring.fit]
    engagement = compute_engagement_points(scoring, matched, by_kind, count, now)
    fit_caps, engagement_caps = compute_caps("fit", fit, scoring), compute_caps("engagement", engagement, scoring)
    names = [rule.name for rule in scoring.fit] + [*fit_caps]
    fit_names = set(names)
    names += [rule.name for rule in scoring.engagement] + [*engagement_caps]
    every = [*fit, *fit_caps.values(), *engagement, *engagement_caps.values()]
    fit_points = add_up([*fit, *fit_caps.values()], count)
    points = add_up([*engagement, *engagement_caps.values()], count)
    contributions, sums, fit_shown = _format_contributions(names, every, fit_names, count)
    decayed = _find_decayed(scoring, engagement, by_kind, count, now)
    return pd.DataFrame(
        {
            "fit": fit_points,
            "engagement": points,
            "score": fit_points + points,
            **_build_grades(scoring.grades, fit_points, points),
            "contributions": pd.Series(contributions, index=frame.index, dtype=object),
            "contribution_sum": np.array(sums, dtype=np.int64),
            "details": pd.Series(_format_details(fit_shown, decayed), index=frame.index, dtype=object),
        },
        index=frame.index,
    )


def list_scoring_columns(playbook: Playbook) -> dict[str, fields.FieldType]:
    """The columns that expressions of this stage may use."""
    return playbook.columns_at(STAGE)


def list_scoring_fields(playbook: Playbook) -> list[str]:
    """The columns of a lead that the scoring rules read, in the rules' order: what a score rests on."""
    conditions = [rule.when for rule in playbook.scoring.fit] + [rule.when for rule in playbook.scoring.engagement]
    read = [sorted(parse(condition).columns) for condition in conditions if condition is not None]
    return list(dict.fromkeys(name for names in read for name in names if name != "source"))


def list_engagement_conditions(engagement: Sequence[EngagementRule]) -> dict[str, str]:
    """The expressions of the engagement rules that look at fields, as ``compute_engagement_points`` calls them."""
    return {f"engagement {rule.name}": rule.when for rule in engagement if rule.when is not None}


def listen(
    frame: pd.DataFrame, activities: pd.DataFrame, as_of: datetime, kinds: Collection[str]
) -> tuple[dict[str, ActivityMoments], ActivityMoments]:
    """The batch's activities of ``kinds`` up to ``as_of``, by kind; and those that are yet to happen."""
    nothing = np.empty(0, np.int64)
    if activities.empty or not kinds:
        return {}, ActivityMoments(nothing, nothing)
    row = pd.Index(frame["journey_id"]).get_indexer(pd.Index(activities["journey_id"])).astype(np.int64)
    moments = pd.to_datetime(activities["occurred_at"], utc=True).dt.tz_localize(None)
    at = moments.to_numpy().astype("datetime64[us]").astype(np.int64)
    kind = activities["kind"].to_numpy(dtype=object)
    ours = (row >= 0) & np.isin(kind, list(kinds))
    happened = at <= compute_microseconds(as_of)
    by_kind = {}
    for name in kinds:
        of_kind = ours & happened & (kind == name)
        if of_kind.any():
            by_kind[name] = ActivityMoments(row[of_kind], at[of_kind])
    coming = ours & ~happened
    return by_kind, ActivityMoments(row[coming], at[coming])


def compute_microseconds(moment: datetime) -> int:
    """An aware moment in microseconds."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND


def compute_engagement_points(
    scoring: Scoring, matched: pd.DataFrame, by_kind: Mapping[str, ActivityMoments], count: int, now: datetime
) -> list[Points]:
    """What each engagement rule contributes to each of ``count`` rows, before caps."""
    points = []
    for rule in scoring.engagement:
        if rule.activity is None:
            points.append(matched[f"engagement {rule.name}"].to_numpy() * np.int64(rule.points))
        elif (mine := by_kind.get(rule.activity)) is None:
            points.append(np.zeros(count, dtype=np.int64))
        else:
            points.append(compute_activity_points(rule, mine.row, compute_microseconds(now) - mine.at, count))
    return points


def compute_activity_points(
    rule: EngagementRule, row: Points, age: Points, count: int, *, in_full: bool = False
) -> Points:
    """What an activity rule contributes to each of ``count`` rows, of activities of a ``row`` and an ``age``.

    Ages are microseconds, none negative. ``in_full`` leaves the decay out.
    """
    row, age = select_counting(rule, row, age, count)
    worth = np.full(len(age), float(rule.points * _MILLION))
    if rule.half_life is not None and not in_full:
        worth = np.rint(worth * np.exp2(-age / (rule.half_life // _MICROSECOND)))
    millionths = np.bincount(row, weights=worth, minlength=count)  # whole numbers below 2^53, so the sum is exact
    if rule.max_points is not None:
        most = abs(rule.max_points) * _MILLION
        millionths = np.clip(millionths, -most, most)
    whole = millionths.astype(np.int64)
    rounded: Points = np.sign(whole) * ((np.abs(whole) + _MILLION // 2 - 1) // _MILLION)
    return rounded


def select_counting(rule: EngagementRule, row: Points, age: Points, count: int) -> tuple[Points, Points]:
    """The activities that count: those in the window, its first instant included; for ``once``, the latest of them.

    What does not count now never will: a window only moves on, and the latest stays the latest.
    """
    if rule.within is not None:
        recent = age <= rule.within // _MICROSECOND
        row, age = row[recent], age[recent]
    if rule.count == "once":
        youngest = np.full(count, _NEVER, dtype=np.int64)
        np.minimum.at(youngest, row, age)
        row = np.flatnonzero(youngest < _NEVER)
        age = youngest[row]
    return row, age


def compute_caps(part: Literal["fit", "engagement"], points: Sequence[Points], scoring: Scoring) -> dict[str, Points]:
    """What the caps of ``fit`` or ``engagement`` add to the points of its rules, by the name of the contribution.

    The groups first, each over its own rules, then the part as a whole.
    """
    if not points:
        return {}
    added: dict[str, Points] = {}
    ruled: Sequence[FitRule | EngagementRule] = scoring.fit if part == "fit" else scoring.engagement
    for group, cap in scoring.groups.items():
        if members := [mine for rule, mine in zip(ruled, points, strict=True) if rule.group == group]:
            added[f"cap of {group}"] = _cut(cap, add_up(members, len(members[0])))
    if (whole := scoring.caps.get(part)) is not None:
        added[f"cap of {part}"] = _cut(whole, add_up([*points, *added.values()], len(points[0])))
    return added


def _cut(cap: Cap, points: Points) -> Points:
    return np.clip(points, cap.min_points, cap.max_points) - points


def add_up(points: Sequence[Points], rows: int) -> Points:
    """The sum of contributions, row by row."""
    return np.sum(points, axis=0, dtype=np.int64) if points else np.zeros(rows, dtype=np.int64)


def compute_grade_numbers(thresholds: Collection[int], points: Points) -> Points:
    """1 for the best of a scale's three thresholds, 4 for points below them all."""
    return 4 - np.searchsorted(sorted(thresholds), points, side="right").astype(np.int64)


def _build_grades(
    grades: Grades | None, fit: Points, engagement: Points
) -> dict[str, npt.NDArray[np.object_] | Points | None]:
    if grades is None:
        return dict.fromkeys(("fit_grade", "engagement_grade", "grade"))
    letters = _FIT_GRADES[4 - compute_grade_numbers(grades.fit.values(), fit)]
    numbers = compute_grade_numbers(grades.engagement.values(), engagement)
    return {"fit_grade": letters, "engagement_grade": numbers, "grade": letters + numbers.astype(str).astype(object)}


def _format_contributions(
    names: Sequence[str], points: Sequence[Points], fit: Collection[str], rows: int
) -> tuple[list[str], list[int], list[list[str]]]:
    """Contributions as JSON text, their sum, and which are fit; made once for each distinct combination of points."""
    if not points:
        return ["{}"] * rows, [0] * rows, [[]] * rows
    matrix = np.ascontiguousarray(np.stack(points, axis=1))
    written: dict[bytes, tuple[str, int, list[str]]] = {}
    result = []
    for row in matrix:
        key = row.tobytes()
        if (known := written.get(key)) is None:
            nonzero = {name: value for name, value in zip(names, row.tolist(), strict=True) if value}
            of_fit = [name for name in nonzero if name in fit]
            known = written[key] = (orjson.dumps(nonzero).decode(), sum(nonzero.values()), of_fit)
        result.append(known)
    return [text for text, _, _ in result], [sum_ for _, sum_, _ in result], [of_fit for _, _, of_fit in result]


def _find_decayed(
    scoring: Scoring, points: Sequence[Points], by_kind: Mapping[str, ActivityMoments], count: int, now: datetime
) -> dict[int, dict[str, Decay]]:
    """For each row the rules whose points have decayed: what they were ``of``, and the ``latest`` activity."""
    found: dict[int, dict[str, Decay]] = {}
    for rule, mine in zip(scoring.engagement, points, strict=True):
        if rule.half_life is None or rule.activity is None or (told := by_kind.get(rule.activity)) is None:
            continue
        full = compute_activity_points(rule, told.row, compute_microseconds(now) - told.at, count, in_full=True)
        latest = np.zeros(count, dtype=np.int64)
        np.maximum.at(latest, told.row, told.at)
        for row in np.flatnonzero(full != mine).tolist():
            at = datetime.fromtimestamp(int(latest[row]) / _MILLION, UTC)
            found.setdefault(row, {})[rule.name] = {"of": int(full[row]), "latest": at.isoformat(timespec="seconds")}
    return found


def _format_details(fit_shown: Sequence[list[str]], decayed: Mapping[int, Mapping[str, Decay]]) -> list[str]:
    """One JSON text a row, written once for each list of contributions unless something has decayed."""
    written: dict[int, str] = {}  # by identity: rows with the same contributions share one list
    texts = []
    for row, names in enumerate(fit_shown):
        if (aged := decayed.get(row)) is not None:
            texts.append(orjson.dumps({"fit": names, "decayed": aged}).decode())
            continue
        if (text := written.get(id(names))) is None:
            text = written[id(names)] = orjson.dumps({"fit": names}).decode()
        texts.append(text)
    return texts
