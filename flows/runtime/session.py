"""What flow runs of one process share: the open ledger, the playbook, and batches claimed for them.

Belongs here: opening these once, or for a run of its own when nobody has. Parameters of flows stay plain
values; connections and playbooks do not travel through them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from prefect import runtime

from flows.runtime.started_runs import Offer
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, hosts, open_ledger
from leadgate.ledger.clock import ask_time
from leadgate.settings import Settings
from tasks.batches import BatchReport, Worker, activate
from tasks.stage import StageReport, Work


@dataclass
class Session:
    """A worker with what it has claimed for flow runs that are about to start, or offers to runs that wait.

    ``patience(error, failures)``: seconds until a batch whose run failed may be tried again.
    """

    worker: Worker
    claimed: dict[int, Work] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)  # by flow run
    closed: Callable[[BatchReport], None] = lambda report: None  # hears of a batch before its evidence is published
    progress: Callable[[StageReport], None] = lambda report: None
    patience: Callable[[BaseException, int], float] = lambda error, failures: 0.0

    def build_run_worker(self) -> Worker:
        """The worker under the name of the flow run that runs now: retried, the run finds its batch by that."""
        run_id = runtime.flow_run.id
        return replace(self.worker, holder=str(run_id)) if run_id else self.worker


current: ContextVar[Session | None] = ContextVar("leadgate_session", default=None)


async def read_ledger_time(ledger: Ledger, as_of: datetime | None = None) -> datetime:
    """What time it is on the ledger's clock, or ``as_of``; read beside the event loop."""
    return await asyncio.to_thread(ask_time, ledger, as_of)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Session]:
    """This process's session, or one from the environment for a run that a Prefect worker started.

    Flow runs within that one share it.
    """
    session = current.get()
    if session is not None:
        yield session
        return
    settings = Settings.from_environment()
    loaded = playbooks.load(settings.playbook) if settings.playbook else playbooks.load_default()
    with open_ledger(settings) as ledger:
        worker = Worker(ledger, loaded, f"run-{uuid4().hex}", settings.lease_seconds, settings.batch_limit)
        await asyncio.to_thread(hosts.require_right_clock, ledger, settings.clock_skew_limit)
        activate(worker)
        here = Session(worker)
        token = current.set(here)
        try:
            yield here
        finally:
            current.reset(token)
