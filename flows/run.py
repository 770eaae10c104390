"""Run until nothing waits: what ``leadgate run`` and the benchmarks start.

Belongs here: the loop over flow runs in this process, and what it needs around it. Prefect is imported
only when a run begins: its settings must be made first, and it is slow to import.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from flows.server import prefect_server, wait_until_ready
from leadgate.ledger import Ledger, open_ledger
from leadgate.ledger.batches import Kind, lease_remaining
from leadgate.playbook import Loaded
from leadgate.settings import Settings
from tasks.batches import BatchReport, Worker, activate, next_work
from tasks.stage import StageReport


@dataclass(frozen=True)
class Progress:
    """Where a run is: ``text`` for a person; ``report`` after each stage."""

    text: str
    report: StageReport | None = None


@dataclass
class RunReport:
    """The batches that were worked on, in order."""

    batches: list[BatchReport] = field(default_factory=list)
    seconds: float = 0.0


def run(
    settings: Settings,
    playbook: Loaded,
    *,
    now: datetime | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Take everything that waits through its stages, then check what is owned.

    Raises ``LedgerError``, ``PrefectError``, and what PostgreSQL raises when it goes away meanwhile; what
    was committed stays, and the next run continues.
    """
    progress(Progress("opening the ledger"))
    with open_ledger(settings) as ledger:
        return run_on(ledger, settings, playbook, now=now, progress=progress)


def run_on(
    ledger: Ledger,
    settings: Settings,
    playbook: Loaded,
    *,
    now: datetime | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    kinds: Sequence[Kind] = ("intake", "follow_up", "intake"),
) -> RunReport:
    """``run`` on an open ledger."""
    worker = Worker(ledger, playbook, f"run-{uuid4().hex}", settings.lease_seconds, settings.batch_limit)
    with prefect_server(ledger) as url:
        progress(Progress("starting the Prefect server"))
        from expectations import gate
        from flows.intake import intake  # noqa: F401 - imported beside the server's start, as it takes seconds

        gate.preload()
        wait_until_ready(url)
        return asyncio.run(_until_nothing_waits(worker, kinds, now, progress))


async def _until_nothing_waits(
    worker: Worker, kinds: Sequence[Kind], now: datetime | None, progress: Callable[[Progress], None]
) -> RunReport:
    """A flow run for each batch. What the follow-up takes back is assigned again before this ends."""
    from flows import session
    from flows.follow_up import follow_up
    from flows.intake import intake

    flow_of = {"intake": intake, "follow_up": follow_up}
    report, started = RunReport(), time.perf_counter()

    def clock() -> datetime:
        return now or session.utc_now()

    await asyncio.to_thread(activate, worker, clock())
    here = session.Session(worker, progress=lambda stage: progress(Progress(stage.name_in_words, stage)))
    token = session.current.set(here)
    try:
        for kind in kinds:
            while True:
                work = await asyncio.to_thread(next_work, worker, clock(), kind)
                if work is None:
                    waiting = await asyncio.to_thread(lease_remaining, worker.ledger, kind)
                    if waiting is None:
                        break
                    progress(Progress(f"another run holds a batch; its lease runs out in {waiting:.0f} s"))
                    await asyncio.sleep(min(waiting + 0.05, 1.0))
                    continue
                here.claimed[work.batch.id] = work
                done = await flow_of[kind](batch=work.batch.id, now=now)
                if done is not None:
                    report.batches.append(done)
    finally:
        session.current.reset(token)
    report.seconds = time.perf_counter() - started
    return report
