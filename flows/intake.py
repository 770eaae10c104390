"""Intake: a batch of captured leads goes through the six stages, each behind its gate.

Belongs here: the order of the stages, as a flow that people watch, pause, cancel and retry. Does not belong
here: what a stage does, or what pausing means (``control``).
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any, Final

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed

from flows import evidence, run_log
from flows.runtime import control, events, session
from leadgate.counting import format_count
from leadgate.ledger.journeys.locking import count_entering_by_stage
from leadgate.ledger.leases import find_last_held_batch, find_standing, lease, release
from leadgate.vocabulary import BatchKind, Outcome
from tasks.batches import BatchReport, claim_next_work, close, list_stages, resume_work
from tasks.descriptions import describe_batch, describe_stage
from tasks.failed_batches import CANCELLED, hold_batch
from tasks.stage import Work
from tasks.stage_task import run_stage_task
from tasks.task_runs import telling

NAMED_AFTER: Final = 1.0  # seconds


async def take_through(kind: BatchKind, batch: int | None, now: datetime | None) -> BatchReport | State[Any] | None:
    """A batch through the stages of its kind; ``None`` when nothing waits.

    The batch is the one this process claimed as ``batch``; that which this very run held before, when it is
    retried; or the next that waits or was left behind. What came of it is a state with the report, whose message
    counts the leads. A batch that somebody else finished is told as a state, too.
    """
    async with session.open_session() as here, telling():
        work = await _find_work(here, kind, batch, now)
        if not isinstance(work, Work):
            return work
        started = time.perf_counter()  # a run that was kept ready has waited until now
        ahead = str(runtime.flow_run.id) in here.offers
        over = asyncio.Event()
        naming = asyncio.create_task(_name_while_at_work(_format_name(work), over))
        ledger, held = here.worker.ledger, work.batch
        report = BatchReport(held.id, held.size, kind, journey_kind=held.journey_kind)
        orders = control.Orders(ahead=ahead)
        with lease(
            ledger,
            held,
            work.lease_seconds,
            failed=control.is_failure,
            retry_delay=lambda error: here.retry_delay(error, held.failures),
        ):
            stands = await asyncio.to_thread(count_entering_by_stage, ledger, held)
            entering = 0
            for stage in list_stages(held):
                entering += stands.pop(stage.name, 0)
                if not entering and not report.stages and stands:
                    continue  # a batch that was begun goes on where it stopped
                if report.stages and (why := await orders.find_early_end()) is not None:
                    await asyncio.to_thread(release, ledger, held)  # its leads go on with the next run
                    return Cancelled(message=f"{why}, just before its leads came; another run takes them.")
                if (who := await orders.find_canceller()) is not None:
                    count = await asyncio.to_thread(hold_batch, ledger, work, reason=CANCELLED, why=who, now=now)
                    events.emit_alerts(report)
                    events.emit_held_batch(work, CANCELLED, count)
                    return Cancelled(message=f"Batch {held.id}: {_describe_waiting(count)} behind a work item.")
                result = await run_stage_task(stage, ledger, work, entering)
                report.stages.append(result)
                here.progress(result)
                if result.entered:
                    run_log.tell(describe_stage(result))
                entering = result.outcomes.get(Outcome.CONTINUE, 0) + result.outcomes.get(Outcome.OWNED, 0)
            await asyncio.to_thread(close, ledger, held, work.now)
        report.seconds = time.perf_counter() - started
        here.on_batch_closed(report)
        over.set()
        events.emit_alerts(report)
        told = describe_batch(report)
        run_log.tell(told)
        # nobody waits for these: the owners are committed
        await asyncio.gather(_name_in_the_end(_format_name(work, told), naming), evidence.publish(report, ledger))
        return Completed(message=told, data=report)


def _describe_waiting(journeys: int) -> str:
    return format_count(journeys, "journey waits", "journeys wait")


def _format_name(work: Work, told: str = "") -> str:
    """``batch 7 · 28 leads``, and once it is over: ``batch 7 · 28 leads: 13 owned, 12 held, 3 nurture · 1.7 s``."""
    kind = work.batch.journey_kind
    return f"batch {work.batch.id} · {told or format_count(work.batch.size, kind.value, kind.plural)}"


async def _name_while_at_work(name: str, over: asyncio.Event) -> None:
    """Name the run once it takes long enough to be watched: the request would slow a lone lead down."""
    try:
        await asyncio.wait_for(over.wait(), NAMED_AFTER)
    except TimeoutError:
        await control.name_run(name)


async def _name_in_the_end(name: str, before: asyncio.Task[None]) -> None:
    await before
    await control.name_run(name)


async def _find_work(
    here: session.Session, kind: BatchKind, batch: int | None, now: datetime | None
) -> Work | State[Any] | None:
    if batch is not None and (claimed := here.claimed.pop(batch, None)) is not None:
        return claimed
    if (offer := here.offers.get(str(runtime.flow_run.id))) is not None:
        return await offer.take()
    worker = here.build_run_worker()
    if batch is None and runtime.flow_run.run_count > 1:
        batch = await asyncio.to_thread(find_last_held_batch, worker.ledger, worker.holder)
    if batch is None:
        return await asyncio.to_thread(claim_next_work, worker, now, kind, events.emit_held_batch)
    while (work := await asyncio.to_thread(resume_work, worker, batch, now)) is None:
        found = await asyncio.to_thread(find_standing, worker.ledger, batch)
        if found is None:
            raise LookupError(f"there is no batch {batch}; leave it empty to take the leads that wait")
        if found.closed:
            by = "this run" if found.holder == worker.holder else f"run {found.holder}"
            return Completed(message=f"Batch {batch} was finished by {by}; there was nothing left to do.")
        await asyncio.sleep(min(found.lease_remaining + 0.05, 1.0))
    return work


@flow(name="intake", persist_result=False, validate_parameters=False)
async def intake(batch: int | None = None, now: datetime | None = None) -> BatchReport | State[Any] | None:
    """Take captured leads that wait through the stages, each behind its gate.

    They become owned, held, nurtured, disqualified or joined.

    Args:
        batch: A batch that was begun, to continue it; leave it empty to take the leads that wait.
        now: What time it is, in place of the clock; for trying things out.
    """
    return await take_through(BatchKind.INTAKE, batch, now)
