"""A stage as a Prefect task, with its gate as a task of its own nested in it.

Belongs here: what people see of a stage in the Prefect UI, and when it is tried again. Does not belong here: the
protocol (``handoff``), or what Prefect is told of a task run (``task_runs``). Tasks are asynchronous shells around
plain functions, because synchronous ones cost several times more in an asynchronous flow.
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
from leadgate.deadlines import DeadlinePassed, compute_seconds
from leadgate.ledger import Ledger, faults
from leadgate.playbook import Playbook
from tasks.bisecting import go_on, run_steps
from tasks.gate_thread import GateThread
from tasks.handoff import Judging
from tasks.stage import AnyStage, StageReport, Work
from tasks.task_runs import record

RETRY_AFTER: Final = (1.0, 5.0)  # seconds

#: Gates run on one thread: a Great Expectations context belongs to a thread, and warming one takes seconds.
GATE_THREAD: Final = GateThread()


@task(cache_policy=NO_CACHE, persist_result=False)
async def gate_task(name: str, judged: pd.DataFrame, rules: Playbook) -> GateResult:
    """Check the promises of a handoff; what failed is in the result, so the task itself completes."""
    seconds = compute_seconds(len(judged))
    check = partial(gate.run, name, judged, playbook=rules, seconds=seconds)  # type: ignore[arg-type]
    try:
        # half as much again: a gate that gives up by itself says which promise it was at, and leaves no thread
        with faults.removing_values(DeadlinePassed, gate.RefusedExpectationError):
            return await asyncio.wrap_future(GATE_THREAD.submit(check, seconds=1.5 * seconds))
    except DeadlinePassed:
        return gate.build_timed_out_result(name, judged, playbook=rules, seconds=1.5 * seconds)  # type: ignore[arg-type]


def is_worth_a_retry(outcome: object) -> bool:
    """Whether PostgreSQL was away for a moment; a lost lease or a fault of ours stays what it is."""
    return isinstance(outcome, DBAPIError) and not faults.is_ours(outcome)


async def can_retry_help(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """The same of a task run that has failed."""
    return is_worth_a_retry(await state.aresult(raise_on_failure=False))


@task(cache_policy=NO_CACHE, persist_result=False)
async def stage_task(stage: AnyStage, ledger: Ledger, work: Work) -> StageReport:
    """Gather, decide, gate, apply."""
    with faults.removing_values():
        steps = run_steps(stage, ledger, work)
        step = await asyncio.to_thread(go_on, steps)
        while isinstance(step, Judging):
            name = f"gate {step.gate} | batch {step.work.batch.id} | {len(step.rows)} rows"
            try:
                result = await record(gate_task, name, gate_task.fn(step.gate, step.rows, work.rules))
            except Exception as error:
                step = await asyncio.to_thread(go_on, steps, error=error)
            else:
                step = await asyncio.to_thread(go_on, steps, result)
        return step


async def run_stage_task(stage: AnyStage, ledger: Ledger, work: Work, entering: int) -> StageReport:
    """The stage as a task run of the flow run at hand, ``entering`` leads in; each retry is a task run of its own."""
    name = f"{stage.name} | batch {work.batch.id} | {entering} in"
    for delay in RETRY_AFTER:
        try:
            return await record(stage_task, name, stage_task.fn(stage, ledger, work))
        except DBAPIError as error:
            if not is_worth_a_retry(error):
                raise
        await asyncio.sleep(delay)
    return await record(stage_task, name, stage_task.fn(stage, ledger, work))
