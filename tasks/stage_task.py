"""A stage as a Prefect task, with its gate as a task of its own nested in it.

Belongs here: what people see of a stage in the Prefect UI, and the retry boundary. Does not belong here: the
protocol (``handoff``). Tasks are asynchronous shells around plain functions, because synchronous ones cost
several times more in an asynchronous flow.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task
from sqlalchemy.exc import DBAPIError

from expectations import gate
from expectations.findings import GateResult
from leadgate.deadlines import DeadlinePassed, seconds_for
from leadgate.ledger import Ledger, faults
from tasks.bisecting import go_on, stage_steps
from tasks.gate_thread import GateThread
from tasks.handoff import Judging
from tasks.stage import Stage, StageReport, Work

#: Gates run on one thread: a Great Expectations context belongs to a thread, and warming one takes seconds.
GATE_THREAD: Final = GateThread()


class Sealed:
    """What a task needs and Prefect must not look into.

    Prefect walks through every parameter that is a dataclass or a model, in search of futures: for a
    playbook that is seconds. It does not walk through this.
    """

    def __init__(self, stage: Stage, ledger: Ledger, work: Work) -> None:
        self.stage = stage
        self.ledger = ledger
        self.work = work


@task(
    task_run_name="gate {name} | batch {batch} | {rows} rows",
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def gate_task(name: str, batch: int, rows: int, judged: pd.DataFrame, sealed: Sealed) -> GateResult:
    """Check the promises of a handoff; what failed is in the result, so the task itself completes."""
    seconds, rules = seconds_for(len(judged)), sealed.work.rules
    check = partial(gate.run, name, judged, playbook=rules, seconds=seconds)  # type: ignore[arg-type]
    try:
        # half as much again: a gate that gives up by itself says which promise it was at, and leaves no thread
        with faults.without_values(DeadlinePassed, gate.RefusedExpectation):
            return await asyncio.wrap_future(GATE_THREAD.submit(check, seconds=1.5 * seconds))
    except DeadlinePassed:
        return gate.give_up(name, judged, playbook=rules, seconds=1.5 * seconds)  # type: ignore[arg-type]


async def can_help(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """A retry helps when PostgreSQL was away for a moment; a lost lease or a fault of ours stays what it is."""
    outcome = await state.aresult(raise_on_failure=False)
    return isinstance(outcome, DBAPIError) and not faults.is_ours(outcome)


@task(
    task_run_name="{name} | batch {batch} | {entering} in",
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=can_help,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def stage_task(name: str, batch: int, entering: int, sealed: Sealed) -> StageReport:
    """Gather, decide, gate, apply. ``name``, ``batch`` and ``entering`` are for the run's name."""
    with faults.without_values():
        steps = stage_steps(sealed.stage, sealed.ledger, sealed.work)
        step = await asyncio.to_thread(go_on, steps)
        while isinstance(step, Judging):
            about = step.work.batch.id
            try:
                result = await gate_task(step.gate, about, len(step.rows), step.rows, sealed)
            except Exception as error:
                step = await asyncio.to_thread(go_on, steps, error=error)
            else:
                step = await asyncio.to_thread(go_on, steps, result)
        return step
