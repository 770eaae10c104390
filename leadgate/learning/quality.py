"""How good chances are: AUC, Brier score, calibration error and lift, each with its interval, and of two the better.

Belongs here: these measures over arrays with a value for each lead. Does not belong here: making chances (``scorer``).

The interval of the AUC is DeLong's (``discrimination``). Those of the others, and of differences, are percentiles of
the bootstrap (B. Efron, 1979) over leads, with the same draws for both scores and a fixed seed: the same leads give the
same intervals. The Brier score (G. W. Brier, 1950) is the mean squared error of a chance; 0 is perfect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Final

import numpy as np

from leadgate.figures import Interval
from leadgate.learning.discrimination import (
    Flags,
    Floats,
    Group,
    compute_auc,
    compute_calibration_error,
    group_by_score,
)

_DRAWS: Final = 500
_SEED: Final = 20_260_304
_TOP: Final = 0.1


@dataclass(frozen=True)
class Measure:
    """A figure with its interval at 95 %."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Quality:
    """Of chances: the AUC, the Brier score, the calibration error, and how many times the share of all leads that was
    won the share of the best tenth is; with the reliability table."""

    auc: Measure
    brier: Measure
    calibration_error: Measure
    top_lift: Measure
    groups: list[Group]


@dataclass(frozen=True)
class Comparison:
    """Two sets of chances for the same leads. The gains are those of ``learned`` over ``rules``: of the AUC what it is
    higher by, of the Brier score what it is lower by."""

    learned: Quality
    rules: Quality
    auc_gain: Measure
    brier_gain: Measure

    @property
    def is_better(self) -> bool:
        """Whether the AUC is higher beyond its interval, and chances are no further from what became of leads."""
        return self.auc_gain.interval.low > 0 and self.brier_gain.value >= 0


class _Drawn:
    """What is computed of one set of chances again for every draw, in a time that grows with the leads alone."""

    def __init__(self, chances: Floats, won: Flags) -> None:
        self.won = won.astype(np.float64)
        self.ranks = np.unique(chances, return_inverse=True)[1]
        self.errors = (chances - self.won) ** 2
        self.groups = group_by_score(chances, chances, won)
        lowest = np.array([each.lowest for each in self.groups])
        self.group = np.searchsorted(lowest, chances, side="right") - 1
        self.chances = chances
        self.top = _weigh_top(self.ranks)

    def compute(self, counts: Floats) -> tuple[float, float, float, float]:
        """AUC, Brier score, calibration error and lift, where each lead was drawn so many times."""
        won = counts * self.won
        of_rank, won_of_rank = (np.bincount(self.ranks, weights=each) for each in (counts, won))
        lost_of_rank = of_rank - won_of_rank
        below = np.cumsum(lost_of_rank) - lost_of_rank / 2
        pairs = won.sum() * lost_of_rank.sum()
        auc = float(won_of_rank @ below / pairs) if pairs else 0.5
        total = counts.sum()
        sums = [np.bincount(self.group, weights=each) for each in (won, counts * self.chances)]
        error = float(np.abs(sums[0] - sums[1]).sum() / total)
        share = won.sum() / total
        in_top = counts * self.top
        lift = float((in_top @ self.won) / in_top.sum() / share) if share and in_top.sum() else 1.0
        return auc, float(counts @ self.errors / total), error, lift


def _weigh_top(ranks: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Floats:
    """1 for a lead in the best tenth, 0 for one below; those with equal chances at its edge are in it in part."""
    counts = np.bincount(ranks)
    above = len(ranks) - np.cumsum(counts)
    room = len(ranks) * _TOP
    part: Floats = np.clip((room - above) / counts, 0, 1)
    return part[ranks]


def compare(learned: Floats, rules: Floats, won: Flags) -> Comparison:
    """The quality of two sets of chances for the same leads, of which some were ``won`` and some were not.

    Raises ``ValueError`` where all were won, or none.
    """
    first, second = both = (_Drawn(learned, won), _Drawn(rules, won))
    values, found = _draw(both, won)
    return Comparison(
        _build_quality(first, won, values[0], found[:, 0]),
        _build_quality(second, won, values[1], found[:, 1]),
        _measure(values[0][0] - values[1][0], found[:, 0, 0] - found[:, 1, 0]),
        _measure(values[1][1] - values[0][1], found[:, 1, 1] - found[:, 0, 1]),
    )


@dataclass(frozen=True)
class ComparedTogether:
    """Several sets of chances for the same leads: each one's quality, by name, and what the AUC of the first of two is
    higher by. All intervals are of the same draws, that of the AUC too."""

    qualities: dict[str, Quality]
    auc_gains: dict[tuple[str, str], Measure]


def compare_all(chances: Mapping[str, Floats], won: Flags) -> ComparedTogether:
    """The quality of several sets of chances for the same leads, side by side. Raises ``ValueError`` as ``compare``."""
    drawn = [_Drawn(each, won) for each in chances.values()]
    values, found = _draw(drawn, won)
    qualities = {
        name: replace(
            _build_quality(each, won, values[place], found[:, place]),
            auc=_measure(values[place][0], found[:, place, 0]),
        )
        for place, (name, each) in enumerate(zip(chances, drawn, strict=True))
    }
    gains = {
        (first, second): _measure(values[a][0] - values[b][0], found[:, a, 0] - found[:, b, 0])
        for (a, first), (b, second) in permutations(enumerate(chances), 2)
    }
    return ComparedTogether(qualities, gains)


def _draw(drawn: Sequence[_Drawn], won: Flags) -> tuple[list[tuple[float, ...]], Floats]:
    """What is computed of each set of chances once, and for every draw: the same leads for all sets."""
    draws = np.random.default_rng(_SEED)
    found = np.empty((_DRAWS, len(drawn), 4))
    for draw in range(_DRAWS):
        counts = np.bincount(draws.integers(0, len(won), len(won)), minlength=len(won)).astype(np.float64)
        found[draw] = [each.compute(counts) for each in drawn]
    once = np.ones(len(won))
    return [each.compute(once) for each in drawn], found


def _build_quality(drawn: _Drawn, won: Flags, values: tuple[float, ...], found: Floats) -> Quality:
    auc, error = compute_auc(drawn.chances, won), compute_calibration_error(drawn.groups)
    if auc is None or error is None:
        raise ValueError("all of these leads were won, or none: nothing can be compared")
    return Quality(
        Measure(auc.value, auc.interval),
        _measure(values[1], found[:, 1]),
        _measure(error, found[:, 2]),
        _measure(values[3], found[:, 3]),
        drawn.groups,
    )


def _measure(value: float, draws: Floats) -> Measure:
    low, high = np.quantile(draws, [0.025, 0.975]).tolist()
    return Measure(value, Interval(min(low, value), max(high, value)))
