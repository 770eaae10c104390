"""How many leads an always-on consumer claims at once.

A batch costs about the same up to some hundred leads, so claiming whatever waits is best for throughput; but
while a large one runs, a lead that comes in meanwhile waits for all of it. So the most that is claimed follows
what a batch may take. It never falls below some hundred: where even these take longer, the machine is busy, and
smaller batches would only add to that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

TARGET: Final = 2.0  # seconds that a full batch may take
LEAST: Final = 500


@dataclass(frozen=True)
class BatchSize:
    """``limit`` leads at most are claimed next, ``most`` ever."""

    most: int
    limit: int

    @classmethod
    def from_limit(cls, most: int) -> BatchSize:
        """How a consumer begins."""
        return cls(most, min(1000, most))

    def adapt(self, size: int, seconds: float) -> BatchSize:
        """The limit after a batch of ``size`` leads took ``seconds``; it at most doubles or halves.

        A batch that was not full says nothing about larger ones, unless it took too long.
        """
        if size < self.limit and seconds <= TARGET:
            return self
        wanted = size * TARGET / max(seconds, 1e-3)
        bounded = min(max(wanted, self.limit / 2), self.limit * 2)
        return replace(self, limit=max(min(int(bounded), self.most), min(LEAST, self.most)))
