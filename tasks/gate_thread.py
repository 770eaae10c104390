"""The thread that runs gates, and its replacement when a gate does not return.

Belongs here: one thread with a queue of jobs, a deadline for each job, and a new thread in place of a stuck one. Does
not belong here: how a stage goes on after a gate that gave no answer (``stage_task``).

A thread cannot be killed. A thread that is past its deadline is abandoned: it takes no more jobs, and ends when its job
ends, if ever. It is a daemon, so that the process ends without it; a process would wait for the threads of
``concurrent.futures``.
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
class _Job:
    """A function to run, the future of its result, and the seconds that it may run; None: without a limit."""

    work: Callable[[], Any]
    future: Future[Any]
    seconds: float | None


class GateThread:
    """Runs one job after the other on one thread. A thread that is stuck in a job is replaced."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], Any], *, seconds: float | None = None) -> Future[Any]:
        """Queue ``work``. The future has its result, or ``DeadlinePassed`` once it runs for longer than ``seconds``."""
        future: Future[Any] = Future()
        self._waiting.put(_Job(work, future, seconds))
        with self._lock:
            if self._thread is None:
                self._begin_thread()
        return future

    def _begin_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._thread is threading.current_thread():
            job = self._waiting.get()
            if not job.future.set_running_or_notify_cancel():
                continue
            watch = None
            if job.seconds is not None:
                watch = threading.Timer(job.seconds, self._replace_stuck_thread, (job, threading.current_thread()))
                watch.daemon = True
                watch.start()
            try:
                result, error = job.work(), None
            except BaseException as raised:
                result, error = None, raised
            if watch is not None:
                watch.cancel()
            with self._lock:
                if job.future.done():  # too late: another thread has taken over
                    return
                if error is None:
                    job.future.set_result(result)
                else:
                    job.future.set_exception(error)

    def _replace_stuck_thread(self, job: _Job, stuck: threading.Thread) -> None:
        with self._lock:
            if job.future.done() or self._thread is not stuck:
                return
            _log.error(
                "a gate gave no answer in %.0f s: its thread is abandoned, and a new one runs the next gates",
                job.seconds,
            )
            self._begin_thread()
            job.future.set_exception(DeadlinePassed(f"the gate gave no answer in {job.seconds:,.0f} s"))
