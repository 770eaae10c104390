"""The thread that runs gates, and what happens when it does not come back.

Belongs here: one thread with a queue, a deadline for each piece of work, and a new thread in place of one that is
past it. Does not belong here: what a gate that gave no answer means (``stage_task``).

A thread cannot be killed. One that is past its deadline is left to itself: it takes no more work and ends when its
piece of work does, if ever. It is a daemon, so the process ends without it; those of
``concurrent.futures`` are waited for when a process ends.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from leadgate.deadlines import DeadlinePassed

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Piece:
    """A piece of work, what waits for it, and the seconds it has once it was begun."""

    work: Callable[[], Any]
    answer: Future[Any]
    seconds: float | None


class GateThread:
    """Runs one piece of work after the other, on one thread as long as that thread comes back."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[_Piece] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], Any], *, seconds: float | None = None) -> Future[Any]:
        """What ``work`` will return. With ``seconds``, ``DeadlinePassed`` when it took longer."""
        answer: Future[Any] = Future()
        self._waiting.put(_Piece(work, answer, seconds))
        with self._lock:
            if self._thread is None:
                self._begin_thread()
        return answer

    def _begin_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._thread is threading.current_thread():
            piece = self._waiting.get()
            if not piece.answer.set_running_or_notify_cancel():
                continue
            watch = None
            if piece.seconds is not None:
                watch = threading.Timer(piece.seconds, self._replace_thread, (piece, threading.current_thread()))
                watch.daemon = True
                watch.start()
            try:
                result, error = piece.work(), None
            except BaseException as raised:
                result, error = None, raised
            if watch is not None:
                watch.cancel()
            with self._lock:
                if piece.answer.done():  # too late; somebody else has taken over
                    return
                if error is None:
                    piece.answer.set_result(result)
                else:
                    piece.answer.set_exception(error)

    def _replace_thread(self, piece: _Piece, stuck: threading.Thread) -> None:
        with self._lock:
            if piece.answer.done() or self._thread is not stuck:
                return
            _log.error(
                "a gate gave no answer in %.0f s: its thread is left to itself, and a new one runs the next gates",
                piece.seconds,
            )
            self._begin_thread()
            piece.answer.set_exception(DeadlinePassed(f"the gate gave no answer in {piece.seconds:,.0f} s"))
