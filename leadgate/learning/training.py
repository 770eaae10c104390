"""Learning a score from leads whose time is up: three periods, two kinds of score, and the better one.

Belongs here: how many leads are enough, the split by time, and what is learned from which part. Does not belong here:
which leads these are (``ledger.score_samples``), scikit-learn (``fitting``), or whether a score is used.

The earliest leads teach the weights, later ones what chance a score stands for, and the latest judge, and teach
nothing. Boosting is taken only where its AUC is higher on the latest leads beyond the interval of the difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import orjson

from leadgate.counting import format_count
from leadgate.learning.discrimination import Flags, Floats, fit_curve
from leadgate.learning.fitting import fit_boosting, fit_logistic
from leadgate.learning.indicators import Decision, Indicator, build_matrix, choose_indicators
from leadgate.learning.quality import Comparison, compare
from leadgate.learning.scorer import LearnedScore, Trees, Weights

#: With fewer leads than this nothing is learned,
LEAST_LEADS: Final = 1_000
#: nor with fewer that were won, or were not.
LEAST_OF_CLASS: Final = 120
#: The share of the leads that teaches weights, and the share that teaches chances; the rest judges.
_TEACH, _CALIBRATE = 0.6, 0.2
#: Of what teaches weights, the last part chooses how strong they are, and is learned from after that.
_CHOOSE: Final = 0.2
_STRENGTHS: Final = (0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Sample:
    """A lead whose time is up: what was recorded when it was decided about, the ``points`` that it had by the rules,
    and whether it was ``won`` in time."""

    lead_id: int
    decided_at: datetime
    decision: Decision
    points: int
    won: bool


@dataclass(frozen=True)
class Period:
    """One of the three parts of the leads, in time."""

    since: datetime
    until: datetime
    leads: int
    won: int


@dataclass(frozen=True)
class Trained:
    """A score, and how good it was on the latest leads beside the points of the rules. ``boosting_gain`` is what the
    AUC of boosting was higher by than that of the logistic regression, lowest, itself and highest."""

    score: LearnedScore
    comparison: Comparison
    boosting_gain: tuple[float, float, float]
    taught: Period
    calibrated: Period
    judged: Period
    data_hash: str


class TooFewError(ValueError):
    """There is not enough to learn from yet; the message says of what."""


def require_enough(leads: int, won: int) -> None:
    """Raises ``TooFewError`` with what is there and what is needed."""
    if leads < LEAST_LEADS:
        raise TooFewError(f"not enough yet ({leads:,} of {LEAST_LEADS:,} leads whose time is up)")
    for count, words in ((won, "accepted"), (leads - won, "not accepted")):
        if count < LEAST_OF_CLASS:
            raise TooFewError(f"not enough yet ({count:,} of {LEAST_OF_CLASS:,} leads that were {words} in time)")


def train(samples: Sequence[Sample], points: Mapping[str, int]) -> Trained:
    """A score learned from ``samples``; ``points`` are those of the playbook's rules, whose signs boosting keeps.

    Raises ``TooFewError`` where there are too few leads, or one of the three periods has none won or none lost.
    """
    ordered = sorted(samples, key=lambda each: (each.decided_at, each.lead_id))
    won = np.array([each.won for each in ordered], dtype=bool)
    require_enough(len(ordered), int(won.sum()))
    ends = [round(len(ordered) * share) for share in (_TEACH, _TEACH + _CALIBRATE)]
    parts = (slice(0, ends[0]), slice(ends[0], ends[1]), slice(ends[1], len(ordered)))
    for part, words in zip(parts, ("earliest", "middle", "latest"), strict=True):
        if won[part].all() or not won[part].any():
            missing = "accepted" if not won[part].any() else "left"
            raise TooFewError(
                f"not enough yet: of the {words} {format_count(len(won[part]), 'lead', 'leads')} none was {missing}"
            )
    teach, calibrate, judge = parts
    decisions = [each.decision for each in ordered]
    indicators = choose_indicators(decisions[teach], points)
    if not indicators:
        raise TooFewError("no rule, part of the evidence or field tells these leads apart")
    matrix = build_matrix(decisions, indicators)
    logistic = fit_logistic(matrix[teach], won[teach], _choose_strength(matrix[teach], won[teach]))
    boosting = fit_boosting(matrix[teach], won[teach], _list_signs(indicators, points))
    first, second = (
        _calibrate(indicators, learned, matrix[calibrate], won[calibrate]) for learned in (logistic, boosting)
    )
    given = np.array([each.points for each in ordered], dtype=np.float64)
    curve = fit_curve(given[calibrate], won[calibrate])
    assert curve is not None  # noqa: S101 - both outcomes are there, as was asked above
    rules = curve.compute_chances(given[judge])
    of_logistic, of_boosting = (each.compute_chances(matrix[judge]) for each in (first, second))
    between = compare(of_boosting, of_logistic, won[judge]).auc_gain
    score, chances = (second, of_boosting) if between.interval.low > 0 else (first, of_logistic)
    return Trained(
        score=score,
        comparison=compare(chances, rules, won[judge]),
        boosting_gain=(between.interval.low, between.value, between.interval.high),
        taught=_describe_period(ordered[teach]),
        calibrated=_describe_period(ordered[calibrate]),
        judged=_describe_period(ordered[judge]),
        data_hash=_compute_hash(ordered),
    )


def _choose_strength(matrix: Floats, won: Flags) -> float:
    """How strong weights may be: what makes the last of the leads to learn from likeliest."""
    end = round(len(won) * (1 - _CHOOSE))
    if won[:end].all() or not won[:end].any():
        return _STRENGTHS[0]

    def compute_loss(strength: float) -> float:
        begin, added = fit_logistic(matrix[:end], won[:end], strength).contribute(matrix[end:])
        told = begin + added.sum(axis=1)
        return float((np.logaddexp(0, told) - won[end:] * told).sum())

    return min(_STRENGTHS, key=compute_loss)


def _list_signs(indicators: Sequence[Indicator], points: Mapping[str, int]) -> list[int]:
    """The direction that the playbook gives each rule; a field may speak either way."""
    return [int(np.sign(points.get(each.name, 0))) if each.kind == "rule" else 0 for each in indicators]


def _calibrate(indicators: tuple[Indicator, ...], learned: Weights | Trees, matrix: Floats, won: Flags) -> LearnedScore:
    begin, added = learned.contribute(matrix)
    curve = fit_curve(begin + added.sum(axis=1), won)
    assert curve is not None  # noqa: S101 - both outcomes are there
    return LearnedScore(indicators, learned, curve)


def _describe_period(samples: Sequence[Sample]) -> Period:
    return Period(samples[0].decided_at, samples[-1].decided_at, len(samples), sum(1 for each in samples if each.won))


def _compute_hash(samples: Sequence[Sample]) -> str:
    """Of everything that was learned from: the same leads, as they were, have the same hash."""
    digest = hashlib.sha256()
    for each in samples:
        of = each.decision
        digest.update(
            orjson.dumps(
                [
                    each.lead_id, each.decided_at.isoformat(), sorted(of.rules), sorted(of.known), sorted(of.negative),
                    dict(sorted(of.values.items())), each.points, each.won,
                ]
            )
        )  # fmt: skip
    return digest.hexdigest()
