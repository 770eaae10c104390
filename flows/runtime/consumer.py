"""The always-on consumer: takes leads through the stages as soon as they are captured.

Belongs here: the loop that claims, runs the intake flow as a run of its deployment in this process, waits
while a server is away or somebody paused it, and delivers. Does not belong here: the flow (``intake``), starting
servers (the console), or how much to claim (``batch_size``).

Several of these share one PostgreSQL and one Prefect server: each claims its own batches.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import AsyncClientContext, SyncClientContext
from prefect.exceptions import ObjectNotFound, Pause, PrefectSignal
from sqlalchemy.exc import DBAPIError

from flows import run_log
from flows.deployments import register
from flows.intake import intake
from flows.runtime import control, events, session
from flows.runtime.batch_size import BatchSize
from flows.runtime.in_process import run_here
from flows.runtime.preload import CycleCollector
from flows.runtime.server import WORK_POOL
from flows.runtime.started_runs import StartedRun, StartedRuns
from leadgate.counting import format_count
from leadgate.ledger import Ledger, announcements, consumers, faults, hosts
from leadgate.ledger.batches import Conflict, LeaseLost
from leadgate.ledger.consumers import PAUSED
from leadgate.ledger.database import explain_database_error
from leadgate.ledger.leases import release
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import BatchKind
from tasks.batches import BatchReport, Worker, activate, claim_next_work
from tasks.crm import lead_ads
from tasks.descriptions import describe_batch
from tasks.outbox import deliver_waiting
from tasks.playbook_in_use import PlaybookInUse
from tasks.run_tags import build_consumer_tag
from tasks.stage import Work

LOOK_EVERY: Final = 1.0  # seconds between looks at the ledger when no notification comes
ORDERS_EVERY: Final = 5.0  # seconds between looks at whether somebody paused the deployment
ANSWERS_WITHIN: Final = 5.0  # else Prefect counts as away
SEEN_EVERY: Final = 5.0
DELIVER_EVERY: Final = 2.0  # seconds between rounds of delivery
LEAD_ADS_EVERY: Final = 1.0  # seconds between looks for leads that webhooks have named
REPORTS_EVERY: Final = 15.0  # seconds between looks for e-mails of saved views that are due
RETRY_EVERY: Final = 2.0  # while a server is away

AWAY: Final = "waits for Prefect"
_WORDS: Final = {
    PAUSED: "paused in the Prefect UI; leads wait",
    AWAY: "the Prefect API does not answer; capture goes on meanwhile",
}
_OVER: Final = {PAUSED: "resumed in the Prefect UI", AWAY: "the Prefect API answers again"}


#: Gets the ledger, a moment in place of its clock, and whether to stop.
SendReports = Callable[[Ledger, datetime | None, Callable[[], bool]], object]


class Consumer:
    """Takes what waits, until ``stop`` is called.

    ``tell`` gets a line for people whenever something happens. ``now`` is what time it is, in place of the ledger's
    clock; for trying things out. ``send_reports`` sends the e-mails of saved views that are due: what they say is
    composed by the floor above.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        playbook: LoadedPlaybook,
        tell: Callable[[str], None] = lambda _: None,
        *,
        now: datetime | None = None,
        send_reports: SendReports | None = None,
    ) -> None:
        self._now = now
        self._send_reports = send_reports
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._worker = Worker(ledger, playbook, self.name, settings.lease_seconds, settings.batch_limit)
        self._in_use = PlaybookInUse(ledger, playbook, tell)
        self._session = session.Session(
            self._worker, on_batch_closed=self._note_closed, retry_delay=control.compute_retry_delay
        )
        self._closing: dict[int, asyncio.Future[BatchReport]] = {}
        self._finishing: asyncio.Task[Any] | None = None
        self._tell = tell
        self._doing = "starting"
        self._deployments: dict[str, UUID] = {}
        self._pace = BatchSize.from_limit(settings.batch_limit)
        self._hindered = ""  # why nothing is claimed: paused, or Prefect is away …
        self._clock_off = ""  # … or this host's clock is wrong, and how
        self._skew_limit = settings.clock_skew_limit
        self._cycles = CycleCollector()
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()

    def stop(self) -> None:
        """Finish the batch at hand, then end."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until ``stop``. Errors of servers are waited out; what is ours to fix is told and tried later."""
        loop = asyncio.get_running_loop()
        deaf = threading.Event()

        def wake(_: str) -> None:
            loop.call_soon_threadsafe(self._wake.set)

        token = session.current_session.set(self._session)
        listener = threading.Thread(
            target=announcements.listen,
            args=(self._worker.ledger, announcements.WAITING, wake, deaf),
            name="listen",
            daemon=True,
        )
        listener.start()
        beside = [asyncio.create_task(self._repeat(do, every)) for do, every in self._list_side_tasks()]
        try:
            while not self._stopping.is_set():
                try:
                    await self._survive_errors(self._serve)
                except asyncio.CancelledError:
                    this = asyncio.current_task()
                    if this is None or this.cancelling():  # this process is asked to end, not only the run at hand
                        raise
        finally:
            for each in beside:
                each.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            deaf.set()
            session.current_session.reset(token)
            await run_log.send_rest()
            with contextlib.suppress(DBAPIError):
                await asyncio.to_thread(consumers.remove_consumer, self._worker.ledger, self.name)

    def _list_side_tasks(self) -> list[tuple[Callable[[], Awaitable[None]], float]]:
        return [
            (self._look_at_clock, SEEN_EVERY),
            (self._show_alive, SEEN_EVERY),
            (self._look_for_orders, ORDERS_EVERY),
            (self._deliver, DELIVER_EVERY),
            (self._read_answers, LEAD_ADS_EVERY),
            (self._send_due_reports, REPORTS_EVERY),
        ]

    async def _serve(self) -> None:
        """Claim and work, with a run kept ready. Ends with an error when a server goes away."""
        # one client for all runs: starting one takes longer than a stage. Prefect's engine asks for a synchronous one
        # as well, at every start of a run, to learn where results are stored
        with SyncClientContext.get_or_create():
            await self._serve_with_a_client()

    async def _serve_with_a_client(self) -> None:
        async with AsyncClientContext.get_or_create() as context:
            client = context.client
            self._deployments = await register(client)
            await asyncio.to_thread(self._settle)
            await self._look_at_clock()
            await self._look_for_orders()  # nothing is claimed while it is paused, not even at a start
            self._set_idle()
            ready = StartedRuns(
                client, self._deployments["intake"], [build_consumer_tag(self.name)], self._begin, self._session.offers
            )
            try:
                while not self._stopping.is_set():
                    self._wake.clear()
                    self._set_idle()
                    run = None if self._is_blocked() else await ready.wait_for_run(self._wake)
                    # a run takes a while to begin, and somebody may have paused the deployment meanwhile
                    idle = run is None or self._is_blocked() or not await self._work_one_batch(run)
                    self._cycles.collect_if_due(idle=idle)
                    if idle:
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._wake.wait(), LOOK_EVERY)
                last, self._finishing = self._finishing, None
                if last is not None:
                    await last
            finally:
                await ready.close()

    async def _begin(self, flow_run: FlowRun) -> State[Any]:
        return await run_here(intake, flow_run, {"batch": None, "now": self._now})

    async def _work_one_batch(self, run: StartedRun) -> bool:
        """Claim what waits and take it through. Whether anything waited."""
        work = await asyncio.to_thread(self._claim, str(run.flow_run.id))
        if work is None:
            return False
        if not run.waits:  # somebody ended it meanwhile
            await asyncio.to_thread(release, self._worker.ledger, work.batch)
            return True
        run.offer.give(work)
        self._set_doing(f"batch {work.batch.id}: {format_count(work.batch.size, 'lead', 'leads')}")
        started = time.perf_counter()
        closed = self._closing[work.batch.id] = asyncio.get_running_loop().create_future()
        going = run.going
        try:
            await asyncio.wait({going, closed}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            going.cancel()
            raise
        finally:
            del self._closing[work.batch.id]
        seconds = time.perf_counter() - started
        self._pace = self._pace.adapt(work.batch.size, seconds)
        self._set_idle()
        if closed.done():
            self._tell(f"batch {work.batch.id}: {describe_batch(closed.result())}")
            await self._await_finish(going)
            return True
        state = await going
        if state.is_failed() or state.is_crashed():
            raise await state.aresult(raise_on_failure=False)
        self._tell(f"batch {work.batch.id}: {state.message or state.name or 'ended'}")
        return True

    def _settle(self) -> None:
        self._work_by(self._in_use.settle(self._now))
        activate(self._worker, self._now)

    def _claim(self, holder: str) -> Work | None:
        """What waits, by the playbook that is in use now: somebody may have activated another, or changed the file."""
        before = self._worker.playbook
        self._work_by(self._in_use.follow(self._now, reads_file=True))
        if self._worker.playbook is not before:
            activate(self._worker, self._now)
        worker = replace(self._worker, holder=holder, limit=self._pace.limit)
        return claim_next_work(worker, self._now, BatchKind.INTAKE, events.emit_held_batch)

    def _work_by(self, playbook: LoadedPlaybook) -> None:
        self._worker = self._session.worker = replace(self._worker, playbook=playbook)

    def _note_closed(self, report: BatchReport) -> None:
        if (waiting := self._closing.get(report.batch)) is not None and not waiting.done():
            waiting.set_result(report)

    async def _await_finish(self, going: asyncio.Task[Any]) -> None:
        """The owners are committed: evidence is published and the run ended while the next batch goes on. Of
        runs that end so there is one at most, so that a slow Prefect server is not flooded."""
        last, self._finishing = self._finishing, going
        if last is not None:
            await last

    async def _survive_errors(self, do: Callable[[], Awaitable[None]]) -> None:
        """What an error means for a process that must not end: say it once, wait, go on."""
        try:
            await do()
        except Pause as signal:  # a run was suspended in the UI: the run that resumes it has its batch
            self._tell(f"a run was suspended ({signal})")
        except PrefectSignal as signal:
            self._tell(f"a run was ended in the Prefect UI before it began ({signal}); another one takes its leads")
        except (LeaseLost, Conflict) as error:
            self._tell(f"{error}; going on")
        except Exception as error:
            fault = faults.judge(error)
            told = explain_database_error(error) if isinstance(error, DBAPIError) else str(error)
            if fault == "race":
                self._tell(f"{told} Going on")
            elif fault == "server":
                await self._wait_for("PostgreSQL", told)
            elif control.is_prefect_away(error) or isinstance(error, ObjectNotFound):
                self._set_hindrance(AWAY)
                await self._wait_for("Prefect", "")
            else:  # the run's state tells the rest; an error's own words may hold a lead's values
                await self._wait_for("", f"a run failed ({faults.describe(error)}); it is tried again later")

    async def _wait_for(self, whom: str, words: str) -> None:
        doing = f"waits for {whom}" if whom else "waits after a failure"
        if words and self._doing != doing:
            self._tell(words)
        self._set_doing(doing)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), RETRY_EVERY)

    async def _repeat(self, do: Callable[[], Awaitable[None]], every: float) -> None:
        while True:
            with contextlib.suppress(Exception):  # the main loop meets the same trouble, and says so
                await do()
            await asyncio.sleep(every)

    async def _show_alive(self) -> None:
        await asyncio.to_thread(
            consumers.record_consumer,
            self._worker.ledger,
            name=self.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            doing=self._doing,
        )

    async def _look_at_clock(self) -> None:
        """Compare this host's clock with the ledger's. While it is too far off, nothing is claimed or sent."""
        skew = (await asyncio.to_thread(hosts.note, self._worker.ledger)).skew
        off = f"its clock is {skew.words}" if skew.is_beyond(self._skew_limit) else ""
        if bool(off) != bool(self._clock_off):
            self._tell(
                f"this host's clock is {skew.words}; the limit is {self._skew_limit:g} s, so it takes no leads"
                if off
                else "this host's clock is right again; it takes leads"
            )
            self._clock_off = off
            self._wake.set()
            self._set_idle()
            await self._show_alive()
        self._clock_off = off

    async def _deliver(self) -> None:
        """Send what stages left in the outbox. No flow run of its own: what became of each message is in the ledger."""
        if self._clock_off:
            return
        await asyncio.to_thread(
            deliver_waiting,
            self._worker.ledger,
            self._worker.playbook.playbook,
            self._now,
            stop=self._stopping.is_set,
        )

    async def _send_due_reports(self) -> None:
        """Beside the messages, which must not wait for a report to be computed."""
        if self._send_reports is not None and not self._clock_off:
            await asyncio.to_thread(self._send_reports, self._worker.ledger, self._now, self._stopping.is_set)

    async def _read_answers(self) -> None:
        """Ask for what leads answered that a webhook has only named: a call is due minutes after such a form."""
        for name in () if self._clock_off else lead_ads.list_sources(self._worker.playbook.playbook):
            await asyncio.to_thread(
                lead_ads.read_answers,
                self._worker.ledger,
                self._worker.playbook,
                name,
                os.environ,
                self._now,
                stop=self._stopping.is_set,
            )

    async def _look_for_orders(self) -> None:
        """Pausing the intake deployment or the work pool in the Prefect UI pauses every consumer.

        The page of a deployment with one schedule has no other switch than that schedule's, so it counts as one.
        A client that was connected tries again for a minute before it says that Prefect is away. This one is new.
        """
        if "intake" not in self._deployments:
            return
        try:
            async with asyncio.timeout(ANSWERS_WITHIN), get_client() as client:
                deployment = await client.read_deployment(self._deployments["intake"])
                pool = await client.read_work_pool(WORK_POOL)
        except (httpx.TransportError, TimeoutError):
            self._set_hindrance(AWAY)
            raise
        switched_off = bool(deployment.schedules) and not any(each.active for each in deployment.schedules)
        if self._set_hindrance(PAUSED if deployment.paused or switched_off or pool.is_paused else ""):
            self._set_idle()
            await self._show_alive()  # a person who paused it looks at `leadgate status` next

    def _set_hindrance(self, why: str) -> bool:
        """Nothing is claimed from now on, because of ``why``; or it is again. Whether that is news."""
        if why == self._hindered:
            return False
        self._tell(_WORDS.get(why) or _OVER[self._hindered])
        self._hindered = why
        self._wake.set()
        return True

    def _is_blocked(self) -> bool:
        """Whether nothing may be claimed just now."""
        return bool(self._hindered or self._clock_off)

    def _set_idle(self) -> None:
        idle = self._hindered or "waits for leads"
        self._set_doing(f"takes nothing: {self._clock_off}" if self._clock_off else idle)

    def _set_doing(self, what: str) -> None:
        self._doing = what
