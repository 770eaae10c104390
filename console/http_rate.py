"""How many signals a source may send: a token bucket.

Belongs here: counting. Does not belong here: reading the clock, which is given.
"""

from __future__ import annotations

from collections.abc import Callable


class TokenBucket:
    """Holds ``burst`` tokens at first, gains ``per_second``, never holds more than ``burst``. For one thread."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float]) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self, count: int) -> float:
        """Take ``count`` tokens, at most ``burst``: 0. Take none and return the seconds until there are so many."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_second)
        self._at = now
        if count <= self._tokens:
            self._tokens -= count
            return 0.0
        return (count - self._tokens) / self._per_second

    def give_back(self, count: int) -> None:
        """What was taken for nothing."""
        self._tokens = min(self._burst, self._tokens + count)
