"""How well scores tell won leads from lost ones: the rank AUC, and whether chances that they stand for are true.

Belongs here: these measures, over arrays with a value for each lead. Does not belong here: the scores (``points``), or
which leads are kept aside (``tasks.measuring``).

The AUC is the share of pairs of a won and a lost lead in which the won one has more points; a pair with as many counts
one half. Its interval is that of E. R. DeLong and others, "Comparing the areas under two or more correlated receiver
operating characteristic curves", Biometrics 44 (1988), by the ranks of X. Sun and W. Xu, IEEE Signal Processing Letters
21 (2014). A chance is made of points as J. Platt proposed, "Probabilistic outputs for support vector machines" (1999):
a logistic curve, fitted on other leads than those it is judged by. The expected calibration error is that of M. P.
Naeini and others, "Obtaining well calibrated probabilities using Bayesian binning" (AAAI 2015): how far the share won
is from the mean chance, in groups of about as many leads each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from leadgate.figures import Interval, Share

#: Groups of a reliability table.
GROUPS: Final = 10
_Z: Final = 1.959963984540054  # of the normal distribution: 95 % are within so many deviations
_PULL: Final = 1e-6  # so weak that it shows only where points part the leads perfectly
_MOST_STEPS: Final = 100
_CLOSE: Final = 1e-10

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Auc:
    """The rank AUC of so many ``won`` and ``lost`` leads."""

    value: float
    interval: Interval
    won: int
    lost: int


def compute_auc(scores: Floats, won: Flags) -> Auc | None:
    """None where all were won, or all lost: then there is no pair."""
    first, second = scores[won], scores[~won]
    m, n = len(first), len(second)
    if not m or not n:
        return None
    together = _rank(np.concatenate([first, second]))
    value = float((together[:m].sum() - m * (m + 1) / 2) / (m * n))
    below = (together[:m] - _rank(first)) / n  # of each won lead: the share of lost ones below it
    above = 1 - (together[m:] - _rank(second)) / m  # of each lost lead: the share of won ones above it
    variance = (float(below.var(ddof=1)) / m if m > 1 else 0.25) + (float(above.var(ddof=1)) / n if n > 1 else 0.25)
    reach = _Z * sqrt(variance)
    return Auc(value, Interval(max(0.0, value - reach), min(1.0, value + reach)), m, n)


def _rank(values: Floats) -> Floats:
    """Ranks from 1 on; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: Floats = last - (counts - 1) / 2
    return middle[inverse]


@dataclass(frozen=True)
class Curve:
    """The chance to be won by points: a logistic curve."""

    intercept: float
    slope: float

    def compute_chances(self, scores: Floats) -> Floats:
        told = np.clip(self.intercept + self.slope * scores, -700, 700)
        chances: Floats = 1 / (1 + np.exp(-told))
        return chances


def fit_curve(scores: Floats, won: Flags) -> Curve | None:
    """The curve under which these outcomes are likeliest; None where all were won, or all lost."""
    if won.all() or not won.any():
        return None
    middle, spread = float(scores.mean()), float(scores.std()) or 1.0
    design = np.column_stack([np.ones(len(scores)), (scores - middle) / spread])
    pull = np.array([0.0, _PULL * len(scores)])
    coefficients = np.array([np.log(won.mean() / (1 - won.mean())), 0.0])
    for _ in range(_MOST_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ coefficients, -700, 700)))
        gradient = design.T @ (won - chance) - pull * coefficients
        information = design.T @ (design * (chance * (1 - chance))[:, None]) + np.diag(pull + _CLOSE)
        step = np.linalg.solve(information, gradient)
        coefficients = coefficients + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < _CLOSE:
            break
    slope = float(coefficients[1]) / spread
    return Curve(float(coefficients[0]) - slope * middle, slope)


@dataclass(frozen=True)
class Group:
    """Leads with points from ``lowest`` to ``highest``: the ``chance`` that these stand for, and how many were won."""

    lowest: float
    highest: float
    chance: float
    share: Share


def group_by_score(scores: Floats, chances: Floats, won: Flags) -> list[Group]:
    """A reliability table, the fewest points first: at most ``GROUPS`` groups of about as many leads. Leads with equal
    points are in one group."""
    order = np.argsort(scores, kind="stable")
    scores, chances, won = scores[order], chances[order], won[order]
    groups: list[Group] = []
    start = 0
    for number in range(1, GROUPS + 1):
        end = round(len(scores) * number / GROUPS)
        if end <= start:
            continue
        end = int(np.searchsorted(scores, scores[end - 1], side="right"))
        part = slice(start, end)
        share = Share(int(won[part].sum()), end - start)
        groups.append(Group(float(scores[start]), float(scores[end - 1]), float(chances[part].mean()), share))
        start = end
    return groups


def compute_calibration_error(groups: Sequence[Group]) -> float | None:
    """The expected calibration error of the groups; None where there is no lead."""
    leads = sum(group.share.of for group in groups)
    if not leads:
        return None
    return sum(abs((group.share.value or 0.0) - group.chance) * group.share.of for group in groups) / leads


@dataclass(frozen=True)
class TopShare:
    """The tenth of the leads with the most points: how many of them were won, and how many times the share of all."""

    share: Share
    lift: float | None


def compute_top_share(scores: Floats, won: Flags, tenths: int = 1) -> TopShare:
    """Of leads with as many points at the border, as many count as there is room for, with the share of all of them."""
    room = -(-len(scores) * tenths // 10)
    if not room:
        return TopShare(Share(0, 0), None)
    border = np.sort(scores)[-room]
    above, beside = scores > border, scores == border
    left = room - int(above.sum())
    count = int(won[above].sum()) + left * float(won[beside].mean())
    everywhere = float(won.mean())
    return TopShare(Share(round(count), room), count / room / everywhere if everywhere else None)
