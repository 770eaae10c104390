"""Replays that pages ask for: one after the other in the background, with how far each has come.

Belongs here: running them, and how long what they found is kept. Does not belong here: replaying (``tasks.replay``), or
a page.

One at a time: a replay takes a core, and the memory of the largest batch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Final, TypeAlias

from console.web.kept_figures import BusyError
from leadgate.errors import LeadgateError
from tasks.replay.results import ReplayResult

_MOST_WAITING: Final = 4  # those that run or wait
_MOST_ENDED: Final = 16
_LAST: Final = 900.0  # seconds for which what was found is kept


Compute: TypeAlias = Callable[["BackgroundReplay"], list[ReplayResult]]


class ReplayCancelledError(LeadgateError):
    """Somebody does not want the replay any more."""


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class BackgroundReplay:
    """A replay that somebody (``by``) asked for. ``done`` of ``total`` decisions were made again so far. ``found`` is
    there once it is done; ``error`` once it has failed."""

    def __init__(self, compute: Compute, by: str) -> None:
        self.by = by
        self.state = State.WAITING
        self.done = 0
        self.total = 0
        self.found: list[ReplayResult] | None = None
        self.error: BaseException | None = None
        self.ended_at = 0.0
        self._compute = compute
        self._is_cancelled = False

    @property
    def is_going_on(self) -> bool:
        return self.state in (State.WAITING, State.RUNNING)

    def advance(self, decisions: int) -> None:
        """Hear that so many more decisions were made again. Raises ``ReplayCancelledError``, which ends the replay."""
        self.done += decisions
        if self._is_cancelled:
            raise ReplayCancelledError("the replay was cancelled")

    def cancel(self) -> None:
        """End it, at the latest when ``advance`` is called next."""
        self._is_cancelled = True
        if self.is_going_on:
            self.state = State.CANCELLED

    def run(self, clock: Callable[[], float]) -> None:
        """Compute it, in a thread of the pool."""
        if self._is_cancelled:
            return
        self.state = State.RUNNING
        try:
            self.found = self._compute(self)
        except BaseException as error:  # whoever looks next is told
            self.error = error
        self.ended_at = clock()
        if self._is_cancelled:
            self.state, self.found, self.error = State.CANCELLED, None, None
        else:
            self.state = State.DONE if self.error is None else State.FAILED


class BackgroundReplays:
    """The replays of one process. Whoever asks the same gets the same. ``close`` ends those that run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Hashable, BackgroundReplay] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="replay")

    def find(self, key: Hashable) -> BackgroundReplay | None:
        """The replay that was asked for last, unless it ended too long ago."""
        with self._lock:
            self._forget_old()
            return self._known.get(key)

    def start(self, key: Hashable, compute: Compute, by: str) -> None:
        """Compute it, unless it is being computed. Raises ``BusyError``."""
        with self._lock:
            self._forget_old()
            known = self._known.get(key)
            if known is not None and known.is_going_on:
                return
            if sum(each.is_going_on for each in self._known.values()) >= _MOST_WAITING:
                raise BusyError("too many replays wait at the moment; start this one when one of them has ended")
            replay: BackgroundReplay = BackgroundReplay(compute, by)
            self._known.pop(key, None)
            self._known[key] = replay
        self._thread.submit(replay.run, self._clock)

    def cancel(self, key: Hashable) -> None:
        """End the replay, if it is going on."""
        with self._lock:
            known = self._known.get(key)
            if known is not None and known.is_going_on:
                known.ended_at = self._clock()
                known.cancel()

    def close(self) -> None:
        """End all of them, each at the decisions that it is at."""
        with self._lock:
            for each in self._known.values():
                each.cancel()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _forget_old(self) -> None:
        ended = [key for key, each in self._known.items() if not each.is_going_on]
        late = {key for key in ended if self._clock() - self._known[key].ended_at >= _LAST}
        for key in {*late, *ended[: max(0, len(ended) - _MOST_ENDED)]}:
            del self._known[key]
