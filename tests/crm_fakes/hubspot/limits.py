"""HubSpot's limits of requests: those of ten seconds, of a day, and of a second for searches."""

from __future__ import annotations

import time
import uuid
from collections import deque
from dataclasses import dataclass, field

from crm_fakes.serving import Response


@dataclass
class Limits:
    """``burst`` requests in any ``interval`` seconds, ``daily`` in all, and ``searches`` in any ``search_interval``."""

    burst: int = 10_000
    interval: float = 10.0
    daily: int = 1_000_000
    searches: int = 10_000
    search_interval: float = 1.0
    used_today: int = 0
    _sent: deque[float] = field(default_factory=deque)
    _searched: deque[float] = field(default_factory=deque)

    def take(self, *, is_search: bool) -> Response | None:
        """Count one request; the refusal of one that is too many."""
        sent, most, interval = (
            (self._searched, self.searches, self.search_interval)
            if is_search
            else (self._sent, self.burst, self.interval)
        )
        now = time.monotonic()
        while sent and sent[0] <= now - interval:
            sent.popleft()
        if self.used_today >= self.daily:
            return self._refuse("DAILY", "daily")
        if len(sent) >= most:
            return self._refuse(*(("SECONDLY", "secondly") if is_search else ("TEN_SECONDLY_ROLLING",) * 2))
        sent.append(now)
        self.used_today += 1
        return None

    def describe(self) -> dict[str, str]:
        """The headers of an answer that is not a search's."""
        return {
            "X-HubSpot-RateLimit-Max": str(self.burst),
            "X-HubSpot-RateLimit-Remaining": str(self.burst - len(self._sent)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(self.interval * 1000)),
            "X-HubSpot-RateLimit-Daily": str(self.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(self.daily - self.used_today),
        }

    @staticmethod
    def _refuse(policy: str, name: str) -> Response:
        body = {
            "status": "error",
            "message": f"You have reached your {name.lower()} limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": str(uuid.uuid4()),
            "policyName": policy,
            "requestId": str(uuid.uuid4()),
        }
        return Response(429, body)
