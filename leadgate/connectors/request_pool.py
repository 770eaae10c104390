"""Many requests to one service at once, within limits of time and rate, and stopped when the service fails.

Belongs here: threads, pace, and when to stop. Does not belong here: one request (``service_session``), or what an
answer means (``http_provider``).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache

from leadgate.connectors.service_session import ServiceError
from leadgate.values.json_types import JsonValue


@dataclass(frozen=True)
class Outcome:
    """What came of one request: values that were ``found``, ``not_found``, or a ``problem``, which is a failure of the
    service (``is_failure``) or this request's own. ``stop``: why no other request is worth sending."""

    found: Mapping[str, JsonValue] | None = None
    not_found: bool = False
    problem: str | None = None
    is_failure: bool = False
    stop: str | None = None
    retry_after: float | None = None  # seconds


class Pace:
    """Requests a second, of all threads and batches of this process."""

    def __init__(self, per_second: float) -> None:
        self._apart = 1 / per_second
        self._lock = threading.Lock()
        self._next = 0.0

    def wait_for_turn(self, stopping: threading.Event, until: float) -> bool:
        """Wait for the next turn; False without one where it would come after ``until``, or when stopped before."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            if turn > until:
                return False
            self._next = turn + self._apart
        return not stopping.wait(max(0.0, turn - time.monotonic()))


@lru_cache(maxsize=64)
def find_pace(name: str, per_second: float) -> Pace:
    """The pace of the provider ``name``, the same for each batch."""
    del name
    return Pace(per_second)


class RequestPool:
    """``seconds``: for how long requests begin; ``grace``: for how much longer their answers are waited for.

    ``stop_after`` failures in a row no other request is sent. Afterwards ``sent``, ``failures`` (the last ones in a
    row), ``answered`` (whether any request was), ``stopped`` (why, if it was) and ``retry_after`` tell how it went.
    """

    def __init__(self, *, connections: int, seconds: float, grace: float, pace: Pace, stop_after: int) -> None:
        self._connections = connections
        self._seconds = seconds
        self._grace = grace
        self._pace = pace
        self._stop_after = stop_after
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.sent = 0
        self.failures = 0
        self.answered = False
        self.stopped: str | None = None
        self.retry_after: float | None = None

    def stop(self, why: str, retry_after: float | None = None) -> None:
        with self._lock:
            if self.stopped is None:
                self.stopped, self.retry_after = why, retry_after
        self._stopping.set()

    def run(self, urls: Sequence[str], ask: Callable[[str], Outcome]) -> Iterator[tuple[str, Outcome]]:
        """Each URL that was asked about, with what came of it, as it comes. The others were not asked about in time."""
        until = time.monotonic() + self._seconds
        executor = ThreadPoolExecutor(min(self._connections, len(urls) or 1), thread_name_prefix="lookup")
        try:
            asked = {executor.submit(self._ask_one, url, ask, until): url for url in urls}
            # what is still under way then is not waited for: its threads end by the limits of the session
            with contextlib.suppress(TimeoutError):
                for future in as_completed(asked, timeout=self._seconds + self._grace):
                    outcome = future.result()
                    if outcome is not None:
                        yield asked[future], outcome
        finally:
            self._stopping.set()
            executor.shutdown(wait=False, cancel_futures=True)

    def _ask_one(self, url: str, ask: Callable[[str], Outcome], until: float) -> Outcome | None:
        if self._stopping.is_set() or not self._pace.wait_for_turn(self._stopping, until):
            return None
        with self._lock:
            self.sent += 1
        try:
            outcome = ask(url)
        except ServiceError as error:
            outcome = Outcome(problem=str(error), is_failure=True)
        if outcome.stop is not None:
            self.stop(outcome.stop, outcome.retry_after)
            return None
        self._count(outcome)
        return outcome

    def _count(self, outcome: Outcome) -> None:
        with self._lock:
            if not outcome.is_failure:
                self.failures, self.answered = 0, True
                return
            self.failures += 1
            stops = self.failures >= self._stop_after
        if stops:
            self.stop(outcome.problem or "it fails")
