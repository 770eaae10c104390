"""Which differences between shares are more than chance, where many of them were looked at, and large enough to matter.

Belongs here: how far two shares are apart, the limit for many of them, and the least lift. Does not belong here: which
shares these are (``separation``), or what becomes of those that are left out (``rule_drafts``).

Of two hundred values that tell nothing, ten differ beyond an interval of 95 %. The limit is that of Y. Benjamini and Y.
Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57 (1995): of the
differences beyond it, at most the wanted share is expected to be chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from leadgate.figures import Interval, Share, compute_difference

#: Of the differences that count, the share that may be chance.
MOST_BY_CHANCE: Final = 0.01
#: How many times as often leads must be won, or lost, for a rule to be worth a person's attention.
LEAST_LIFT: Final = 1.2
_Z: Final = 1.959963984540054  # of the normal distribution: 95 % are within so many deviations


@dataclass(frozen=True)
class Limit:
    """A difference counts from so many standard ``errors`` on, where ``looked_at`` were compared. None: none counts."""

    errors: float | None
    looked_at: int

    def is_beyond(self, first: Share, second: Share) -> bool:
        """Whether two shares differ by more than chance."""
        return self.errors is not None and measure_distance(first, second) >= self.errors

    def widen(self, first: Share, second: Share) -> Interval | None:
        """The interval of ``first`` less ``second`` at this limit: without zero where the difference counts."""
        interval = compute_difference(first, second)
        if interval is None or first.value is None or second.value is None or self.errors is None:
            return interval
        middle, wider = first.value - second.value, self.errors / _Z
        low, high = middle - (middle - interval.low) * wider, middle + (interval.high - middle) * wider
        return Interval(max(-1.0, low), min(1.0, high))


def find_limit(distances: Sequence[float], most_by_chance: float = MOST_BY_CHANCE) -> Limit:
    """The limit for so many differences, each given in standard errors."""
    chances = sorted(compute_chance(each) for each in distances)
    allowed = [
        chance for rank, chance in enumerate(chances, 1) if chance <= most_by_chance * rank / len(chances)
    ]  # fmt: skip
    if not allowed:
        return Limit(None, len(chances))
    beyond = sum(chance <= allowed[-1] for chance in chances)
    return Limit(NormalDist().inv_cdf(1 - most_by_chance * beyond / len(chances) / 2), len(chances))


def compute_chance(errors: float) -> float:
    """How likely a difference of so many standard errors is by chance, either way."""
    return math.erfc(abs(errors) / math.sqrt(2))


def measure_distance(first: Share, second: Share) -> float:
    """How many standard errors two shares are apart, by Newcombe's interval of the difference; 0 where one is of
    nothing."""
    interval = compute_difference(first, second)
    if interval is None:
        return 0.0
    middle = (first.value or 0.0) - (second.value or 0.0)
    reach = middle - interval.low if middle > 0 else interval.high - middle
    return abs(middle) * _Z / reach if reach > 0 else 0.0


def compute_larger_lift(first: Share, second: Share) -> float:
    """How many times as often leads are won, or lost, whichever is more: 1 is as often, and it is never less.

    Where most leads are won, a rule tells by the few that are lost.
    """
    if first.value is None or second.value is None:
        return 1.0
    lifts = (_divide(first.value, second.value), _divide(1 - first.value, 1 - second.value))
    return max(max(each, 1 / each) if each else math.inf for each in lifts)


def _divide(first: float, second: float) -> float:
    return 1.0 if first == second else first / second if second else math.inf
