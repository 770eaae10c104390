"""Task runs of which Prefect hears once they are over, or take long enough to be watched.

Belongs here: one piece of work shown as a task run, and what Prefect is told of it. Does not belong here: which work is
shown (``stage_task``), or flow runs.

Prefect's own engine tells of each task run three times, as it is made, as it begins and as it ends, and its server
works on each of them for several milliseconds. A batch of a few leads has a dozen task runs of some ten milliseconds
each: telling took longer than the work. What the server stores of a run that is told of once is the same, but for the
states that it went through within half a second.

The events and the context are Prefect's (as of 3.8), and no public interface makes them without its engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Final, TypeVar

from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext, TaskRunContext
from prefect.states import Completed, Running, exception_to_crashed_state, exception_to_failed_state
from prefect.tasks import Task
from prefect.utilities.engine import emit_task_run_state_change_event

SHOWN_AFTER: Final = 0.5  # seconds

_Result = TypeVar("_Result")


async def record(task: Task[..., Any], name: str, work: Awaitable[_Result]) -> _Result:
    """Do ``work``, shown as a run of ``task`` with this name, within the flow run or the task run that it is part of.

    What ``work`` raises is raised, and told in the run's state. Without a flow run nothing is shown.
    """
    flow = FlowRunContext.get()
    if flow is None or flow.client is None:
        return await work
    run = await task.create_local_run()
    run.name = name
    run.flow_run_run_count = flow.flow_run.run_count if flow.flow_run is not None else 0
    within = TaskRunContext(
        task=task, task_run=run, parameters={}, client=flow.client, result_store=flow.result_store, persist_result=False
    )
    with within:
        told = _Told(run)
        watched = asyncio.get_running_loop().call_later(SHOWN_AFTER, told.runs)
        try:
            result = await work
        except Exception as error:
            told.ends(await exception_to_failed_state(error, message="Task run encountered an exception"))
            raise
        except BaseException as error:
            told.ends(await exception_to_crashed_state(error))
            raise
        else:
            told.ends(Completed())
            return result
        finally:
            watched.cancel()


class _Told:
    """What Prefect is told of ``run``, which begins now."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._running = self._takes(Running())
        self._event: Any = None
        self._began = _moment_of(self._running)
        run.start_time = self._began
        run.run_count = 1

    def runs(self) -> None:
        self._tell(None, self._running)

    def ends(self, state: State[Any]) -> None:
        run, state = self._run, self._takes(state)
        # two states of one run must not have the same moment
        ended = max(_moment_of(state), self._began + timedelta(microseconds=1))
        state.timestamp = run.end_time = ended
        run.total_run_time = ended - self._began
        self._tell(self._running, state)

    def _takes(self, state: State[Any]) -> State[Any]:
        """``state`` as one of this run."""
        state.state_details.task_run_id, state.state_details.flow_run_id = self._run.id, self._run.flow_run_id
        return state

    def _tell(self, before: State[Any] | None, state: State[Any]) -> None:
        run = self._run
        run.state, run.state_id, run.state_type, run.state_name = state, state.id, state.type, state.name
        self._event = emit_task_run_state_change_event(run, before, state, follows=self._event)


def _moment_of(state: State[Any]) -> Any:
    """Prefect has a type of its own for moments, which is ``datetime`` at run time."""
    return state.timestamp
