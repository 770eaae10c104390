"""Whether leads are still like those that judged a learned score, and its chances still true.

Belongs here: both measures and their limits, pure. Does not belong here: which leads these are
(``ledger.score_samples``), or what follows (``tasks.score_drift``).

How far two distributions are apart is the population stability index: the sum over groups of the difference of the
shares times the difference of their logarithms (S. Kullback and R. A. Leibler's divergence, taken both ways). By
custom 0.25 is a large shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from leadgate.figures import Interval, compute_wilson
from leadgate.learning.discrimination import Flags, Floats

#: With fewer leads nothing is said: by chance alone the index of so few is too large.
LEAST_RECENT: Final = 200
LEAST_RIPE: Final = 100
#: From here on leads are others than those that judged.
MOST_SHIFT: Final = 0.25
#: So far the mean chance may be from the share that was won, whatever the interval says.
MOST_GAP: Final = 0.05


@dataclass(frozen=True)
class Drift:
    """``shift`` is the index over so many ``recent`` leads. Of so many ``ripe`` ones the mean ``chance`` was given, and
    ``won`` with its ``interval`` is the share that was. None where there are too few."""

    recent: int
    shift: float | None
    ripe: int
    chance: float | None
    won: float | None
    interval: Interval | None

    @property
    def problems(self) -> list[str]:
        """What is outside of its limits, in words."""
        words = []
        if self.shift is not None and self.shift >= MOST_SHIFT:
            words.append(
                f"the last {self.recent:,} leads are others than those that judged it (stability index "
                f"{self.shift:.2f}, the limit is {MOST_SHIFT:g})"
            )
        if self.chance is not None and self.won is not None and self.interval is not None:
            low, high = self.interval
            if not low <= self.chance <= high and abs(self.chance - self.won) >= MOST_GAP:
                words.append(
                    f"of {self.ripe:,} leads whose time is up {100 * self.won:.0f} % came to it, and their chances "
                    f"said {100 * self.chance:.0f} %"
                )
        return words


def measure_drift(judged: Sequence[dict[str, Any]], recent: Floats, ripe: Floats, won: Flags) -> Drift:
    """``judged`` is the reliability table of the leads that judged, ``recent`` the chances of the latest leads, and
    ``ripe`` those of leads of which it is known whether they were ``won``."""
    shift = compute_shift(judged, recent) if len(recent) >= LEAST_RECENT and judged else None
    if len(ripe) < LEAST_RIPE:
        return Drift(len(recent), shift, len(ripe), None, None, None)
    count = int(won.sum())
    interval = compute_wilson(count, len(won))
    return Drift(len(recent), shift, len(ripe), float(ripe.mean()), count / len(won), interval)


def compute_shift(judged: Sequence[dict[str, Any]], recent: Floats) -> float:
    """The population stability index; half a lead is added to each group, so that none is empty."""
    edges = np.array([each["lowest"] for each in judged[1:]], dtype=np.float64)
    counts = np.bincount(np.searchsorted(edges, recent, side="right"), minlength=len(judged)) + 0.5
    expected = np.array([each["leads"] for each in judged]) + 0.5
    now, then = counts / counts.sum(), expected / expected.sum()
    return float(((now - then) * np.log(now / then)).sum())
