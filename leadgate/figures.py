"""The arithmetic of a report: steps that add up, shares with their intervals, bands of scores, fair shares.

Belongs here: what is computed from counts. Does not belong here: counting (``ledger.figures``), or words and
charts (``console.report``).

A share of few leads says little, so each comes with its interval at 95 %: that of E. B. Wilson, "Probable
inference, the law of succession, and statistical inference", Journal of the American Statistical Association 22
(1927), which stays inside 0 and 1 and makes sense for one lead, or for none of many. Two shares are compared by
the difference's interval built from theirs: method 10 of R. G. Newcombe, "Interval estimation for the difference
between independent proportions", Statistics in Medicine 17 (1998).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Final, NamedTuple

from leadgate.playbook import Qualification

#: Each step that a signal can reach, in order; who reached one reached those before it.
STEPS: Final = ("signals", "captured", "validated", "enriched", "qualified", "owned", "touched")
#: What became of a lead that was called qualified: one of these, and never two of them.
OUTCOMES: Final = ("won", "lost", "undecided")
#: What became of the first touch that an assignment asks for: one of these, and never two of them.
FIRST_TOUCHES: Final = ("kept", "missed", "early", "not_due", "released", "no_sla")

#: Which path an update of a record took: one of these, and never two of them. The first is clean, the last three are
#: stalled: it is held now, a touch that was due is missed, or it waits.
PATHS: Final = ("clean", "helped", "held", "late", "waiting")
#: Points for a unit of log-odds where a learned score is shown: ten points double the odds.
POINTS_PER_LOG_ODDS: Final = 10 / log(2)

_Z: Final = 1.959963984540054  # of the normal distribution: 95 % are within so many deviations


class Interval(NamedTuple):
    """Where the true value lies, 95 times of 100."""

    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """``count`` out of ``of``. ``value`` and ``interval`` are None when there is nothing to take a share of."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> Interval | None:
        return compute_wilson(self.count, self.of) if self.of else None


def compute_wilson(count: int, of: int) -> Interval:
    """Wilson's score interval of ``count`` out of ``of``, which is at least 1."""
    share, z2 = count / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    reach = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    # rounding must not push the share itself outside
    return Interval(max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach)))


def compute_difference(with_it: Share, without: Share) -> Interval | None:
    """The interval of one share less the other, by Newcombe; None when either is of nothing."""
    first, second = with_it.interval, without.interval
    a, b = with_it.value, without.value
    if first is None or second is None or a is None or b is None:
        return None
    below = sqrt((a - first.low) ** 2 + (second.high - b) ** 2)
    above = sqrt((first.high - a) ** 2 + (b - second.low) ** 2)
    return Interval(max(-1.0, a - b - below), min(1.0, a - b + above))


def lift(with_it: Share, without: Share) -> float | None:
    """How many times the share without it the share with it is; None when that cannot be told."""
    a, b = with_it.value, without.value
    return None if a is None or not b else a / b


def compute_won_share(counts: Mapping[str, int]) -> Share:
    """The share won of those decided. ``counts`` is by outcome; undecided ones are in no share."""
    return Share(counts["won"], counts["won"] + counts["lost"])


def compute_kept_share(counts: Mapping[str, int]) -> Share:
    """The share of first touches done in time, of those whose time is up. ``counts`` is by ``FIRST_TOUCHES``.

    What is due and not done counts as missed. What is not due yet is in no share, even where it is done (``early``):
    else the quick ones would be counted before the slow ones of the same day are.
    """
    return Share(counts["kept"], counts["kept"] + counts["missed"])


# --- The funnel -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """``reached`` journeys got here; ``on`` of them went further, the others stopped, by their status now.

    ``reached == on + sum(stopped.values())``, and ``on`` is what the next step reached.
    """

    name: str
    reached: int
    on: int
    stopped: dict[str, int]


def build_steps(counts: Iterable[tuple[int, str, int]]) -> list[Step]:
    """The funnel of ``counts``: of journeys that reached an index into ``STEPS``, with a status, how many."""
    stopped: list[Counter[str]] = [Counter() for _ in STEPS]
    for at, status, count in counts:
        stopped[at][status] += count
    found: list[Step] = []
    on = 0
    for name, here in zip(reversed(STEPS), reversed(stopped), strict=True):
        reached = on + here.total()
        found.append(Step(name, reached, on, dict(here)))
        on = reached
    return found[::-1]


# --- Bands of scores --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Band:
    """Scores from ``lowest`` up to, not including, ``below``; None is no limit."""

    lowest: int | None
    below: int | None
    words: str = ""

    def has_score(self, score: int) -> bool:
        return (self.lowest is None or score >= self.lowest) and (self.below is None or score < self.below)

    @property
    def name(self) -> str:
        if self.lowest is None:
            return "all" if self.below is None else f"below {self.below}"
        return f"{self.lowest} and more" if self.below is None else f"{self.lowest} to {self.below - 1}"


def build_bands(rules: Qualification) -> list[Band]:
    """The bands between the playbook's thresholds, lowest first: apart, and without a gap."""
    marketing, sales = rules.marketing_qualified, max(rules.sales_qualified, rules.marketing_qualified)
    review = rules.review
    cuts = {marketing: "marketing-qualified", sales: "sales-qualified"}
    if review is not None:
        cuts = {review.lowest: "reviewed by a person", review.below: "nurture"} | cuts
    edges = sorted(cuts)
    found = [Band(None, edges[0], "nurture")]
    for lowest, below in zip(edges, [*edges[1:], None], strict=True):
        found.append(Band(lowest, below, cuts[lowest]))
    return found


def build_tens(scores: Iterable[int]) -> list[Band]:
    """Bands of ten that hold all of ``scores``, without a gap; none when there are none."""
    floors = {score // 10 * 10 for score in scores}
    return [Band(low, low + 10) for low in range(min(floors), max(floors) + 1, 10)] if floors else []


def find_band(score: int, among: Sequence[Band]) -> Band:
    """The band that holds ``score``. ``LookupError`` when none does."""
    for band in among:
        if band.has_score(score):
            return band
    raise LookupError(f"no band holds a score of {score}")


# --- Fair shares ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Due:
    """What a rep got of a pool's turns, and what the weights would have given, both in leads."""

    turns: int
    expected: float

    @property
    def deviation(self) -> float:
        return self.turns - self.expected


def compute_dues(turns: Mapping[str, int], weights: Mapping[str, int]) -> dict[str, Due]:
    """Each rep's turns beside the weight's share of all of them. Who has no weight (any more) had none to expect.

    The deviations sum to zero, unless nobody has a weight.
    """
    total, weight = sum(turns.values()), sum(weights.values())
    reps = [*weights, *(rep for rep in turns if rep not in weights)]
    return {rep: Due(turns.get(rep, 0), total * weights.get(rep, 0) / weight if weight else 0.0) for rep in reps}


def find_largest_deviation(dues: Iterable[Due]) -> float:
    """The largest deviation, either way; 0 when there is none."""
    return max((abs(due.deviation) for due in dues), default=0.0)
