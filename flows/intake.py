"""Intake: a batch of captured leads goes through the six stages, each behind its gate.

Belongs here: the order of the stages, as a flow that people watch. Does not belong here: what a stage does.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from prefect import flow, runtime

from flows import evidence, session
from leadgate.ledger.batches import Kind, close, lease
from tasks.batches import STAGES, BatchReport, next_work
from tasks.stage_task import Sealed, stage_task


def _name() -> str:
    batch = runtime.flow_run.parameters.get("batch")
    return f"{runtime.flow_run.flow_name} | batch {batch}" if batch is not None else str(runtime.flow_run.flow_name)


async def take_through(kind: Kind, batch: int | None, now: datetime | None) -> BatchReport | None:
    """A batch through the stages of its kind; ``None`` when nothing waits.

    The batch is the one this process claimed as ``batch``, or the next that waits or was left behind.
    """
    async with session.opened() as here:
        work = here.claimed.pop(batch, None) if batch is not None else None
        if work is None:
            work = await asyncio.to_thread(next_work, here.worker, now or session.utc_now(), kind)
        if work is None:
            return None
        report = BatchReport(work.batch.id, work.batch.size, kind)
        with lease(here.worker.ledger, work.batch, work.lease_seconds):
            entering = work.batch.size
            for stage in STAGES[kind]:
                sealed = Sealed(stage, here.worker.ledger, work)
                result = await stage_task(stage.name, work.batch.id, entering, sealed)
                report.stages.append(result)
                here.progress(result)
                entering = result.outcomes.get("continue", 0) + result.outcomes.get("owned", 0)
            await asyncio.to_thread(close, here.worker.ledger, work.batch, work.now)
        await evidence.publish(report)  # nobody waits for it: the owners are committed
        return report


@flow(name="intake", flow_run_name=_name, persist_result=False, validate_parameters=False)
async def intake(batch: int | None = None, now: datetime | None = None) -> BatchReport | None:
    """Captured leads that wait become owned, held, nurtured, disqualified or joined.

    ``batch`` is set when this process claimed the batch already; ``now`` replaces the clock.
    """
    return await take_through("intake", batch, now)
