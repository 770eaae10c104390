"""How many signals a source may send, and how many failures an address may cause: token buckets.

Belongs here: counting. Does not belong here: reading the clock, which is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FAILURES: Final = 20  # that one address may cause at once
FAILURES_PER_SECOND: Final = 1.0
MOST_ADDRESSES: Final = 10_000  # that are remembered


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
        """Return tokens that were taken for a request that was then refused."""
        self._tokens = min(self._burst, self._tokens + count)


class Throttle:
    """A bucket of failures for each address, of those that failed last. Only failures cost: a sender that shares an
    address with a stranger, and signs in rightly, is never refused."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def fail(self, address: str) -> float:
        """Count a failure of ``address``. Returns 0, or the seconds until it may fail again."""
        bucket = self._buckets.pop(address, None) or TokenBucket(FAILURES_PER_SECOND, FAILURES, self._clock)
        self._buckets[address] = bucket  # the last of all
        if len(self._buckets) > MOST_ADDRESSES:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take(1)

    def __len__(self) -> int:
        return len(self._buckets)
