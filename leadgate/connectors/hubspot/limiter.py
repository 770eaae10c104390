"""How fast requests are sent to HubSpot: below its limits, which other programs may share.

Belongs here: waiting before a request, and learning from the headers of answers. Does not belong here: what is done
when a limit was reached all the same (``client``).

HubSpot counts requests in any ten seconds, for each app, and tells with each answer how many are left. What is used
and was not sent here was sent by another process. Searches have a limit of their own, of which no header tells.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from leadgate.connectors.crm import CrmBudget

#: The part of the limit that a process asks for even while others use all of it: else it would never get any.
_LEAST_SHARE: Final = 0.1
_MOST: Final = 10_000_000


@dataclass(frozen=True)
class Pace:
    """The limits to keep, and how long to wait. Times are in seconds."""

    requests: int = 100  # in ``interval``, until HubSpot tells another number
    interval: float = 10.0
    searches: int = 5  # in ``search_interval``
    search_interval: float = 1.0
    lock_wait: float = 2.0  # after 423, which HubSpot's locks take
    longest_wait: float = 30.0  # of one request, for limits
    daily_wait: float = 3_600.0  # after a day's limit, when HubSpot does not say how long


@dataclass
class _Window:
    """The times at which requests were sent, or will be."""

    most: int
    interval: float
    sent: deque[float] = field(default_factory=deque)

    def forget(self, now: float) -> None:
        while self.sent and self.sent[0] <= now - self.interval:
            self.sent.popleft()

    def reserve(self, now: float, allowed: int, not_before: float) -> float:
        """The time at which the next request may be sent."""
        self.forget(now)
        at = max(now, not_before)
        if len(self.sent) >= allowed:
            at = max(at, self.sent[len(self.sent) - allowed] + self.interval)
        self.sent.append(at)
        return at


class Limiter:
    """One for each connection to an account. Safe to use from several threads."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lock = threading.Lock()
        self._requests = _Window(pace.requests, pace.interval)
        self._searches = _Window(pace.searches, pace.search_interval)
        self._by_others = 0
        self._paused_until = {False: 0.0, True: 0.0}
        self._budget = CrmBudget()

    @property
    def budget(self) -> CrmBudget:
        return self._budget

    def reserve(self, *, is_search: bool) -> float:
        """Take the next free place. Returns the seconds until then."""
        now = time.monotonic()
        with self._lock:
            window = self._searches if is_search else self._requests
            shared = 0 if is_search else self._by_others
            allowed = max(1, int(window.most * _LEAST_SHARE), window.most - shared)
            return window.reserve(now, allowed, self._paused_until[is_search]) - now

    def pause(self, seconds: float, *, is_search: bool) -> None:
        """Send nothing for a while: a limit was reached."""
        with self._lock:
            self._paused_until[is_search] = max(self._paused_until[is_search], time.monotonic() + seconds)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Read what HubSpot says of its limits; what makes no sense is left out."""
        most = _read_count(headers.get("X-HubSpot-RateLimit-Max"))
        left = _read_count(headers.get("X-HubSpot-RateLimit-Remaining"))
        interval = _read_count(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds"))
        day_limit = _read_count(headers.get("X-HubSpot-RateLimit-Daily"))
        day_left = _read_count(headers.get("X-HubSpot-RateLimit-Daily-Remaining"))
        with self._lock:
            known = self._budget
            if most:
                self._requests.most = most
            if interval and interval <= 600_000:
                self._requests.interval = interval / 1000
            if left is not None:
                self._requests.forget(time.monotonic())
                used = self._requests.most - min(left, self._requests.most)
                self._by_others = max(0, used - len(self._requests.sent))
            self._budget = CrmBudget(
                day_limit=known.day_limit if day_limit is None else day_limit,
                day_left=known.day_left if day_left is None else day_left,
                burst_limit=most or known.burst_limit,
                burst_left=known.burst_left if left is None else left,
            )


def _read_count(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 9:
        return None
    return min(int(text), _MOST)
