"""The one thread that stores what is posted: requests that arrive together share a transaction.

Belongs here: grouping, the bounded queue, and what a failed statement means for each request of a group. Does
not belong here: the transaction (``tasks.ingestion``), HTTP.

A commit waits for the disk, so what arrives meanwhile is stored by the next one, together: under load a
transaction holds dozens of requests, and a lone request waits for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from console.http.responses import RefusedError, build_id_reused_error, build_ledger_away_error, build_unexpected_error
from console.screen import say
from leadgate.ledger import Ledger, faults
from leadgate.ledger.requests import Sender
from tasks.ingestion import Outcome, Rows, store_requests

MOST_WAITING: Final = 20_000  # payloads in the queue; what comes then is refused
MOST_WAITING_BYTES: Final = 128 * 1024**2
_MOST_TOGETHER: Final = 2_000  # payloads in one transaction


class _Job:
    __slots__ = ("activities", "changes", "future", "payloads", "sender", "signals", "size")

    def __init__(self, rows: Rows, size: int, sender: Sender, future: asyncio.Future[Outcome]) -> None:
        self.signals, self.activities, self.changes = rows.signals, rows.activities, rows.changes
        self.size, self.sender, self.future = size, sender, future
        self.payloads = len(self.signals) + len(self.activities) + len(self.changes)


class Writer:
    """Stores jobs in the order in which they were submitted. Start it on the event loop that submits."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Job] = deque()
        self._payloads = self._bytes = 0
        self._change = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def submit(self, rows: Rows, size: int, sender: Sender) -> asyncio.Future[Outcome] | None:
        """Have the rows stored, all or none; ``size`` is in bytes. None when too much waits already."""
        job = _Job(rows, size, sender, self._loop.create_future())
        with self._change:
            full = self._payloads + job.payloads > MOST_WAITING or self._bytes + size > MOST_WAITING_BYTES
            if full or self._stopping:
                return None
            self._waiting.append(job)
            self._payloads += job.payloads
            self._bytes += size
            self._change.notify()
        return job.future

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take no more, store what waits, and end."""
        with self._change:
            self._stopping = True
            self._change.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._take_jobs():
            try:
                outcomes = self._store(jobs)
            except BaseException as error:  # whatever it is, the next group must find a writer
                report(error)
                outcomes = [build_unexpected_error() for _ in jobs]
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits for an answer
                self._loop.call_soon_threadsafe(_answer, jobs, outcomes)

    def _take_jobs(self) -> list[_Job]:
        """The jobs of the next transaction; none when this is the end."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._stopping)
            jobs: list[_Job] = []
            payloads = 0
            while self._waiting and (not jobs or payloads + self._waiting[0].payloads <= _MOST_TOGETHER):
                jobs.append(self._waiting.popleft())
                payloads += jobs[-1].payloads
                self._bytes -= jobs[-1].size
            self._payloads -= payloads
            return jobs

    def _store(self, jobs: list[_Job]) -> Sequence[Outcome | RefusedError]:
        """What became of each job. A group that fails is tried in halves: one that is to blame fails alone."""
        outcomes: list[Outcome | RefusedError] = []
        waiting = [jobs]
        while waiting:
            group = waiting.pop()
            try:
                stored = store_requests(self._ledger, group)
                outcomes += [build_id_reused_error() if outcome is None else outcome for outcome in stored]
                continue
            except Exception as error:
                if is_database_away(error):
                    return [*outcomes, *(_build_refusal(error) for _ in jobs[len(outcomes) :])]
                if len(group) == 1:
                    outcomes.append(_build_refusal(error))
                    continue
            middle = len(group) // 2
            waiting += [group[middle:], group[:middle]]
        return outcomes


def _answer(jobs: Sequence[_Job], outcomes: Sequence[Outcome | RefusedError]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        if job.future.done():  # its sender went away
            continue
        if isinstance(outcome, Outcome):
            job.future.set_result(outcome)
        else:
            job.future.set_exception(outcome)


def is_database_away(error: Exception) -> bool:
    """Whether PostgreSQL is away or takes nothing, so that trying again at once is pointless."""
    return faults.judge(error) == "server"


def _build_refusal(error: Exception) -> RefusedError:
    """What passes may be tried again: PostgreSQL is away, full, or another transaction was in the way."""
    if faults.judge(error) != "ours":
        return build_ledger_away_error()
    report(error)
    return build_unexpected_error()


def report(error: BaseException, part: str = "http capture") -> None:
    """An unexpected error of ``part``, for the operator: its kind and place, never its message, which may hold
    the values of a lead."""
    where = faults.format_place(error)
    say(f"{part}: an unexpected {faults.describe(error)} at {where}; the request was answered with 500")
