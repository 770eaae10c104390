"""When the passing of time alone will change what was decided about a lead.

Belongs here: the first moment at which, without any news, the verdict or the grade differs. Does not belong here:
starting a journey then (``ledger.journeys.starting``).

Without news every contribution only moves towards zero: activities decay, and leave their windows. So between two
moments each lies between what it is at the one and at the other, and so does a capped sum. Where both bounds fall
between the same thresholds nothing can have changed in between; every other span is halved, down to a second. That
is a bisection for leads whose score only falls, and stays exact for those with negative points, whose score may
rise and fall.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadgate.expressions import rules
from leadgate.playbook import EngagementRule, Playbook
from leadgate.scoring.points import (
    ActivityMoments,
    Points,
    add_up,
    compute_activity_points,
    compute_caps,
    compute_engagement_points,
    compute_grade_numbers,
    compute_microseconds,
    list_engagement_conditions,
    list_scoring_columns,
    listen,
    select_counting,
)
from leadgate.scoring.verdict import (
    LEVELS,
    compute_level,
    encode_grade,
    find_exit_score,
    find_in_band,
    list_evidence_kinds,
)
from leadgate.vocabulary import Outcome

_SECOND: Final = 1_000_000
#: Nobody plans further ahead.
_FURTHEST: Final = 50 * 365 * 86_400
#: No second at all: nothing will change.
_UNCHANGED: Final = np.iinfo(np.int64).max


def find_next_changes(
    frame: pd.DataFrame, playbook: Playbook, activities: pd.DataFrame, now: datetime
) -> pd.Series[Any]:
    """The first whole second after ``now`` from which the verdict or the grade differs; None where none ever does.

    ``frame`` is a batch with the columns that ``score`` and ``qualify`` return; only leads that went on, were
    nurtured or are ``done`` change by themselves. An activity that is yet to happen counts as a change: the score
    may rise then.
    """
    found: list[datetime | None] = [None] * len(frame)
    positions = _find_aging(frame, playbook, activities, now)
    if len(positions):
        aging = frame.iloc[positions]
        seconds = _find_first_changes(_Outlook.of(aging, playbook, activities, now))
        for position, second in zip(positions.tolist(), seconds.tolist(), strict=True):
            found[position] = None if second == _UNCHANGED else now + timedelta(seconds=second)
    return pd.Series(found, index=frame.index, dtype=object)


def _list_timed(playbook: Playbook) -> list[tuple[int, EngagementRule]]:
    """The engagement rules whose points change with time, each with its position."""
    return [
        (number, rule)
        for number, rule in enumerate(playbook.scoring.engagement)
        if rule.half_life is not None or rule.within is not None
    ]


def _find_aging(frame: pd.DataFrame, playbook: Playbook, activities: pd.DataFrame, now: datetime) -> Points:
    """The positions of leads that time can change: they did something that ages, or is yet to happen."""
    if activities.empty:
        return np.empty(0, np.int64)
    timed = {rule.activity for _, rule in _list_timed(playbook) if rule.activity is not None}
    by_kind, _ = listen(frame, activities, now, timed)
    _, coming = listen(frame, activities, now, _list_kinds(playbook))
    did = np.zeros(len(frame), dtype=bool)
    for each in (*by_kind.values(), coming):
        did[each.row] = True
    return np.flatnonzero(did & frame["outcome"].isin((Outcome.CONTINUE, Outcome.NURTURE, Outcome.DONE)).to_numpy())


def _list_kinds(playbook: Playbook) -> set[str]:
    """Every kind of activity that a verdict rests on."""
    counted = {rule.activity for rule in playbook.scoring.engagement if rule.activity is not None}
    return counted | list_evidence_kinds(playbook.qualification)


@dataclass(frozen=True)
class _Told:
    """The activities that a timed rule counts, those of a row side by side: where they start, how many, how old."""

    rule: EngagementRule
    starts: Points
    counts: Points
    ages: Points  # at the moment of the forecast, in microseconds

    @classmethod
    def of(cls, rule: EngagementRule, heard: ActivityMoments | None, rows: int, moment: int) -> _Told:
        nobody = np.empty(0, np.int64)
        row, age = (nobody, nobody) if heard is None else select_counting(rule, heard.row, moment - heard.at, rows)
        counts = np.bincount(row, minlength=rows).astype(np.int64)
        return cls(rule, np.cumsum(counts) - counts, counts, age[np.argsort(row, kind="stable")])

    def compute_after(self, rows: Points, seconds: Points) -> Points:
        """What the rule contributes to each of ``rows`` so many ``seconds`` from now."""
        counts = self.counts[rows]
        first = np.cumsum(counts) - counts
        which = np.arange(int(counts.sum())) + np.repeat(self.starts[rows] - first, counts)
        ages = self.ages[which] + np.repeat(seconds * _SECOND, counts)
        return compute_activity_points(self.rule, np.repeat(np.arange(len(rows)), counts), ages, len(rows))


@dataclass(frozen=True)
class _Outlook:
    """Leads that age: what stays of their points, what changes, and until when."""

    playbook: Playbook
    fit: Points
    level: Points  # how far they are qualified now
    qualifiable: Points  # how far their evidence lets them be
    reviewed: npt.NDArray[np.bool_]  # whether a score in the review band would wait for a person
    fixed: Sequence[Points]  # points of every engagement rule now
    told: dict[int, _Told]  # position of a timed rule -> its activities
    until: Points  # seconds from now that have to be looked at
    coming: Points  # seconds from now at which an activity happens

    @classmethod
    def of(cls, frame: pd.DataFrame, playbook: Playbook, activities: pd.DataFrame, now: datetime) -> _Outlook:
        scoring, count = playbook.scoring, len(frame)
        by_kind, coming = listen(frame, activities, now, _list_kinds(playbook))
        matched = rules.match_rows(
            list_engagement_conditions(scoring.engagement), frame, list_scoring_columns(playbook)
        )
        moment = compute_microseconds(now)
        told = {
            number: _Told.of(rule, by_kind.get(str(rule.activity)), count, moment)
            for number, rule in _list_timed(playbook)
        }
        happens = np.full(count, _UNCHANGED, dtype=np.int64)
        np.minimum.at(happens, coming.row, -((moment - coming.at) // _SECOND))  # rounded up
        return cls(
            playbook=playbook,
            fit=frame["fit"].to_numpy(dtype=np.int64),
            level=np.array([LEVELS.index(name) for name in frame["qualified_as"].tolist()], dtype=np.int64),
            qualifiable=frame["qualifiable"].to_numpy(dtype=np.int64),
            reviewed=(frame["outcome"] == Outcome.NURTURE).to_numpy(),
            fixed=compute_engagement_points(scoring, matched, by_kind, count, now),
            told=told,
            until=np.minimum(happens - 1, max((_compute_lifetime(each) for each in told.values()), default=0)),
            coming=happens,
        )

    def points(self, rows: Points, timed: Points) -> Points:
        """The engagement of ``rows``, caps included, when the timed rules contribute ``timed`` (one line a rule)."""
        every = [fixed[rows] for fixed in self.fixed]
        for number, line in zip(self.told, timed, strict=True):
            every[number] = line
        return add_up([*every, *compute_caps("engagement", every, self.playbook.scoring).values()], len(rows))

    def compute_after(self, rows: Points, seconds: Points) -> Points:
        """What the timed rules contribute to each of ``rows`` so many ``seconds`` from now, one line a rule."""
        lines = [told.compute_after(rows, seconds) for told in self.told.values()]
        return np.array(lines, dtype=np.int64).reshape(len(lines), len(rows))

    def compute_zone(self, rows: Points, timed: Points) -> Points:
        """Between which thresholds the points lie: as long as it is the same, so is the verdict."""
        points, grades = self.points(rows, timed), self.playbook.scoring.grades
        rule = self.playbook.qualification
        cuts = {rule.marketing_qualified, rule.sales_qualified, find_exit_score(rule, 1), find_exit_score(rule, 2)}
        if rule.review is not None:
            cuts |= {rule.review.lowest, rule.review.below}
        zone = np.searchsorted(sorted(cuts), self.fit[rows] + points, side="right").astype(np.int64)
        return zone if grades is None else 10 * zone + compute_grade_numbers(grades.engagement.values(), points)

    def compute_verdict(self, rows: Points, timed: Points) -> Points:
        """The verdict and the grade as one number: what a lead is scored again for when it differs."""
        points, grades = self.points(rows, timed), self.playbook.scoring.grades
        rule, scores, grade = self.playbook.qualification, self.fit[rows] + points, np.zeros(len(rows), np.int64)
        if grades is not None:
            grade = encode_grade(
                compute_grade_numbers(grades.fit.values(), self.fit[rows]),
                compute_grade_numbers(grades.engagement.values(), points),
            )
        most = np.minimum(self.qualifiable[rows], 2 if rule.sales_qualified_by == "threshold" else 1)
        reached = np.minimum(compute_level(rule, scores, grade, self.level[rows]), most)
        reviewed = (reached == 0) & self.reviewed[rows] & find_in_band(rule, scores)
        verdict: Points = 100 * np.where(reviewed, 3, reached) + grade
        return verdict


def _compute_lifetime(told: _Told) -> int:
    """After how many seconds the activities of a rule contribute nothing any more."""
    rule = told.rule
    ends = [_FURTHEST]
    if rule.within is not None:
        ends.append(math.ceil(rule.within.total_seconds()) + 1)
    if rule.half_life is not None:
        most = abs(rule.points) * max(1, int(told.counts.max(initial=1)))
        ends.append(math.ceil(rule.half_life.total_seconds() * (math.log2(2 * most) + 1)) if most else 0)
    return min(ends)


def _find_first_changes(outlook: _Outlook) -> Points:
    """For each lead the second from now at which its verdict first differs; ``_UNCHANGED`` where it never does."""
    found = outlook.coming.copy()
    every = np.arange(len(found))
    now = outlook.compute_verdict(every, outlook.compute_after(every, np.zeros(len(found), dtype=np.int64)))

    def note(rows: Points, seconds: Points, timed: Points) -> None:
        differs = outlook.compute_verdict(rows, timed) != now[rows]
        np.minimum.at(found, rows[differs], seconds[differs])

    rows = np.flatnonzero(outlook.until > 0)
    start, end = np.zeros(len(rows), dtype=np.int64), outlook.until[rows]
    low, high = outlook.compute_after(rows, start), outlook.compute_after(rows, end)
    note(rows, end, high)
    while len(rows):
        may_change = outlook.compute_zone(rows, np.minimum(low, high)) != outlook.compute_zone(
            rows, np.maximum(low, high)
        )
        split = may_change & (start < found[rows]) & (end - start > 1)
        rows, start, end, low, high = rows[split], start[split], end[split], low[:, split], high[:, split]
        middle = start + (end - start) // 2
        between = outlook.compute_after(rows, middle)
        note(rows, middle, between)
        rows = np.concatenate([rows, rows])
        start, end = np.concatenate([start, middle]), np.concatenate([middle, end])
        low, high = np.concatenate([low, between], axis=1), np.concatenate([between, high], axis=1)
    return found
