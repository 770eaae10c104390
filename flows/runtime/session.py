"""The session that the flow runs of one process share: the open ledger, the playbook, and claimed batches.

Belongs here: opening a session, once for a process or for a single run of a Prefect worker. Parameters of flows are
plain values; connections and playbooks are passed by the session instead.
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
from tasks.playbook_in_use import settle
from tasks.stage import StageReport, Work


@dataclass
class Session:
    """A worker, the batches that it has claimed for flow runs about to start, and its offers to runs that wait.

    ``on_batch_closed(report)`` is called before the evidence of the batch is published, ``progress(report)`` after
    each stage. ``retry_delay(error, failures)``: seconds until a batch whose run failed may be tried again.
    """

    worker: Worker
    claimed: dict[int, Work] = field(default_factory=dict)  # batch id -> work
    offers: dict[str, Offer] = field(default_factory=dict)  # flow run id -> offer
    on_batch_closed: Callable[[BatchReport], None] = lambda report: None
    progress: Callable[[StageReport], None] = lambda report: None
    retry_delay: Callable[[BaseException, int], float] = lambda error, failures: 0.0

    def build_run_worker(self) -> Worker:
        """The worker with the id of the current flow run as its holder: a retried run finds its batch by that id."""
        run_id = runtime.flow_run.id
        return replace(self.worker, holder=str(run_id)) if run_id else self.worker


current_session: ContextVar[Session | None] = ContextVar("leadgate_session", default=None)


async def read_ledger_time(ledger: Ledger, as_of: datetime | None = None) -> datetime:
    """The time of the ledger's clock, or ``as_of``; asked in a thread, so that the event loop goes on."""
    return await asyncio.to_thread(ask_time, ledger, as_of)


@contextlib.asynccontextmanager
async def open_session() -> AsyncIterator[Session]:
    """Yield this process's session, or open one from the environment for a run that a Prefect worker started.

    Flow runs that are started within the context share its session.
    """
    session = current_session.get()
    if session is not None:
        yield session
        return
    settings = Settings.from_environment()
    file = playbooks.load(settings.playbook) if settings.playbook else playbooks.load_default()
    with open_ledger(settings) as ledger:
        loaded = await asyncio.to_thread(settle, ledger, file)
        worker = Worker(ledger, loaded, f"run-{uuid4().hex}", settings.lease_seconds, settings.batch_limit)
        await asyncio.to_thread(hosts.require_right_clock, ledger, settings.clock_skew_limit)
        activate(worker)
        session = Session(worker)
        token = current_session.set(session)
        try:
            yield session
        finally:
            current_session.reset(token)
