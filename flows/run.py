"""Run until nothing waits: what ``leadgate run`` and the benchmarks start.

Belongs here: the loop over flow runs in this process, and what it needs around it. Prefect is imported
only when a run begins: its settings must be made first, and it is slow to import.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from flows.runtime import preload
from flows.runtime.server import open_prefect_server, wait_until_ready
from leadgate.ledger import Ledger, hosts, open_ledger
from leadgate.ledger.leases import read_lease_remaining
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import BatchKind
from tasks.batches import BatchReport, Worker, activate, claim_next_work
from tasks.changed_playbook import describe_changed_file
from tasks.failed_batches import MAX_FAILURES
from tasks.overdue import escalate_overdue
from tasks.playbook_in_use import describe_other, settle
from tasks.quiet_sources import check_quiet_sources
from tasks.released import EVERYTHING
from tasks.stage import StageReport


@dataclass(frozen=True)
class Progress:
    """Where a run is: ``text`` for a person; ``report`` after each stage. ``is_note``: it is to be kept in sight."""

    text: str
    report: StageReport | None = None
    is_note: bool = False


@dataclass
class RunReport:
    """The batches that were worked on, in order, and how many work items were escalated."""

    batches: list[BatchReport] = field(default_factory=list)
    escalated: int = 0
    seconds: float = 0.0


def run(
    settings: Settings,
    playbook: LoadedPlaybook,
    *,
    now: datetime | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Take everything that waits through its stages, then check what is owned, and what nobody took in time.

    Raises ``LedgerError``, ``PrefectError``, and what PostgreSQL raises when it goes away meanwhile; what
    was committed stays, and the next run continues.
    """
    progress(Progress("opening the ledger"))
    with open_ledger(settings) as ledger:
        hosts.require_right_clock(ledger, settings.clock_skew_limit)  # before anything slow is imported or started
        with Runner(ledger, settings, playbook, progress) as runner:
            return runner.run(now=now)


class Runner:
    """A Prefect server and a worker, kept for several runs: enter it once, ``run`` as often as wanted."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        playbook: LoadedPlaybook,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._progress = progress
        self._worker = Worker(ledger, playbook, f"run-{uuid4().hex}", settings.lease_seconds, settings.batch_limit)
        self._skew_limit = settings.clock_skew_limit
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Runner:
        with contextlib.ExitStack() as stack:
            url = stack.enter_context(open_prefect_server(self._ledger, self._worker.playbook.playbook.retention))
            self._progress(Progress("starting the Prefect server"))
            # it takes seconds as well, so it goes on beside the server's start
            preload.preload(self._worker.playbook.playbook)
            stack.enter_context(preload.collected_less_often())
            wait_until_ready(url)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run(self, *, now: datetime | None = None, kinds: Sequence[BatchKind] = EVERYTHING) -> RunReport:
        """A flow run for each batch, until nothing waits. What follow-up takes back is assigned again.

        Raises ``ClockError`` when this host's clock is too far off.
        """
        hosts.require_right_clock(self._ledger, self._skew_limit)
        worker = replace(self._worker, playbook=self._settle(now))
        return asyncio.run(_run_until_idle(worker, kinds, now, self._progress))

    def _settle(self, now: datetime | None) -> LoadedPlaybook:
        file = self._worker.playbook
        used = settle(self._ledger, file, now)
        if (changed := describe_changed_file(self._ledger, file.path)) is not None:
            self._progress(Progress(changed, is_note=True))
        elif used.hash != file.hash:
            self._progress(Progress(describe_other(used, file), is_note=True))
        return used


async def _run_until_idle(
    worker: Worker, kinds: Sequence[BatchKind], now: datetime | None, progress: Callable[[Progress], None]
) -> RunReport:
    from flows import run_log
    from flows.follow_up import follow_up
    from flows.intake import intake
    from flows.runtime import events, session

    flow_of = {BatchKind.INTAKE: intake, BatchKind.FOLLOW_UP: follow_up}
    report = RunReport()

    await asyncio.to_thread(activate, worker, now)
    here = session.Session(worker, progress=lambda stage: progress(Progress(stage.name_in_words, stage)))
    token = session.current_session.set(here)
    started = time.perf_counter()
    try:
        if BatchKind.FOLLOW_UP in kinds:  # part of the same check, and due even where no lead is owned
            report.escalated = await asyncio.to_thread(escalate_overdue, worker.ledger, worker.playbook.playbook, now)
            await asyncio.to_thread(check_quiet_sources, worker.ledger, worker.playbook, now)
        for kind in kinds:
            while True:
                work = await asyncio.to_thread(claim_next_work, worker, now, kind, events.emit_held_batch)
                if work is None:
                    waiting = await asyncio.to_thread(read_lease_remaining, worker.ledger, kind, MAX_FAILURES)
                    if waiting is None:
                        break
                    progress(Progress(f"another run holds a batch; its lease runs out in {waiting:.0f} s"))
                    await asyncio.sleep(min(waiting + 0.05, 1.0))
                    continue
                here.claimed[work.batch.id] = work
                done = await flow_of[kind](batch=work.batch.id, now=now)
                if isinstance(done, BatchReport):
                    report.batches.append(done)
    finally:
        session.current_session.reset(token)
        await run_log.send_rest()
    report.seconds = time.perf_counter() - started
    return report
