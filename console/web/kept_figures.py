"""Figures that take long to compute, kept for a while: computed in the background, once for everybody who asks.

Belongs here: the computing, and how long figures are kept. Does not belong here: any figure.

A question is its key: whoever asks the same gets the same figures, so a key holds everything that they depend on, also
whose leads they are about. What is asked for rarely is dropped first.

No figures are shown that were computed longer ago than their page promises. While somebody has asked for them lately
they are renewed in the background, from two thirds of that time on, so that nobody waits; whoever asks after a longer
while waits for new ones.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Generic, NamedTuple, TypeVar, cast

from leadgate.errors import LeadgateError

_T = TypeVar("_T")
_MOST: Final = 64  # questions whose figures are kept
_MOST_RUNNING: Final = 8  # computed, or waiting to be
_AT_A_TIME: Final = 2  # each takes up to two connections, and two cores of the server
PATIENCE: Final = 0.08  # seconds for which a page waits for figures that are not there yet
#: Figures are kept for so many times as long as computing them took, up to so many seconds: on a large ledger they
#: take no more of the server.
_KEPT_BY_COST: Final = 20.0
_MOST_BY_COST: Final = 10.0
_PATIENCE_FOR_NEWER: Final = 1.0  # and where there were some: a page that has shown figures does not blink
_RENEWED_FROM: Final = 2 / 3  # of the time that figures are kept
_RENEWED_FOR: Final = 30.0  # seconds after somebody has asked for them
_LOOK_EVERY: Final = 0.2  # seconds


class BusyError(LeadgateError):
    """Too much is being computed."""

    http_status = HTTPStatus.SERVICE_UNAVAILABLE


@dataclass(frozen=True)
class Kept(Generic[_T]):
    """Figures, how many seconds ago they were asked for, and whether newer ones are on their way."""

    figures: _T
    age: float
    renewing: bool


class _Computed(NamedTuple):
    """Figures, with when they were asked for and computed, and how many seconds that ``took``. The first is the moment
    that they are of; they are kept from the second on, or those that take longer than they are kept would never be
    shown."""

    asked_at: float
    computed_at: float
    took: float
    figures: object


class _Question(NamedTuple):
    """How figures are computed and for how many seconds they are kept, as somebody last asked for them."""

    compute: Callable[[], object]
    keep: float
    asked_at: float


class KeptFigures:
    """The figures of one process. Its threads start with the first question; ``close`` ends them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Computed] = OrderedDict()
        self._asked: OrderedDict[Hashable, _Question] = OrderedDict()
        self._running: dict[Hashable, Future[None]] = {}
        self._outdated: set[Hashable] = set()  # of those that are computed: what they are of has changed meanwhile
        self._failed: OrderedDict[Hashable, BaseException] = OrderedDict()
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="figures")

    def ask(self, key: Hashable, compute: Callable[[], _T], keep: float, patience: float = PATIENCE) -> Kept[_T] | None:
        """The figures of ``key``, computed at most ``keep`` seconds ago; ``compute`` renews them before that.
        Figures that take long to compute are kept for longer (``_KEPT_BY_COST``).

        None when there are none and they take longer than ``patience``: ask again. Raises what ``compute`` raises, and
        ``BusyError``.
        """
        with self._lock:
            self._raise_failed(key)
            running, was_there = self._running.get(key), key in self._kept
            is_fresh = self._is_fresh(key, keep)
            if running is None and not self._is_fresh(key, keep, _RENEWED_FROM):
                running = self._start(key, compute)
            _put(self._asked, key, _Question(compute, keep, self._clock()))
        if running is not None and not is_fresh:
            wait([running], max(patience, _PATIENCE_FOR_NEWER) if was_there else patience)
        with self._lock:
            self._raise_failed(key)
            found = self._kept.get(key)
            if found is None or not (is_fresh or self._is_fresh(key, keep)):
                return None
            self._kept.move_to_end(key)
            return Kept(cast(_T, found.figures), self._clock() - found.asked_at, key in self._running)

    def forget(self, key: Hashable, older_than: float = 0.0) -> None:
        """Compute the figures again, if they are older than so many seconds; those that are being computed, too."""
        with self._lock:
            found = self._kept.get(key)
            if key in self._running and older_than == 0.0:
                self._outdated.add(key)
            if found is not None and self._clock() - found.asked_at >= older_than:
                del self._kept[key]

    @contextlib.contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew figures in time (``renew``) until this ends."""
        ends = threading.Event()

        def look() -> None:
            while not ends.wait(_LOOK_EVERY):
                self.renew()

        thread = threading.Thread(target=look, name="figures-renewal", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()

    def renew(self) -> None:
        """Have figures computed in the background whose time is nearly over, and for which somebody has asked in the
        last ``_RENEWED_FOR`` seconds: what nobody looks at costs nothing. Questions for which somebody waits come
        first."""
        with self._lock:
            for key, (compute, keep, asked_at) in list(self._asked.items()):
                if self._clock() - asked_at >= _RENEWED_FOR:
                    del self._asked[key]
                elif key not in self._running and not self._is_fresh(key, keep, _RENEWED_FROM):
                    if len(self._running) >= _AT_A_TIME:
                        return
                    self._start(key, compute)

    def close(self) -> None:
        """End the threads; whatever is being computed comes to its end first."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _raise_failed(self, key: Hashable) -> None:
        """What the computing raised is for whoever asks next; after that it is tried again."""
        error = self._failed.pop(key, None)
        if error is not None:
            raise error

    def _is_fresh(self, key: Hashable, keep: float, share: float = 1.0) -> bool:
        """Whether less than ``share`` of the time is over for which the figures are kept."""
        found = self._kept.get(key)
        if found is None:
            return False
        lasts = max(keep, min(_MOST_BY_COST, _KEPT_BY_COST * found.took))
        return self._clock() - found.computed_at < lasts * share

    def _start(self, key: Hashable, compute: Callable[[], object]) -> Future[None] | None:
        """Compute it in the background. None where too much is computed already, and the figures were there before."""
        if len(self._running) >= _MOST_RUNNING:
            if key in self._kept:
                return None
            raise BusyError("too many reports are being computed at the moment; ask again in a few seconds")
        started = self._threads.submit(self._compute, key, compute, self._clock())
        self._running[key] = started
        return started

    def _compute(self, key: Hashable, compute: Callable[[], object], asked_at: float) -> None:
        """Keep what ``compute`` gives; in a thread of the pool."""
        while True:
            started_at = self._clock()
            try:
                figures = compute()
            except BaseException as error:  # it is raised to whoever asks, and only then tried again
                with self._lock:
                    self._end(key)
                    self._asked.pop(key, None)
                    _put(self._failed, key, error)
                return
            with self._lock:
                now = self._clock()
                if key not in self._outdated:
                    self._end(key)
                    _put(self._kept, key, _Computed(asked_at, now, now - started_at, figures))
                    return
                self._outdated.discard(key)
                asked_at = now

    def _end(self, key: Hashable) -> None:
        del self._running[key]
        self._outdated.discard(key)


def _put(kept: OrderedDict[Hashable, _T], key: Hashable, value: _T) -> None:
    """As the newest; the oldest goes."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _MOST:
        kept.popitem(last=False)
