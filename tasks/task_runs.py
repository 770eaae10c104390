"""Task runs of which Prefect hears once they are over, or take long enough to be watched.

Belongs here: one piece of work shown as a task run, and what Prefect is told of it, and when. Does not belong here:
which work is shown (``stage_task``), or flow runs.

Prefect's own engine tells of each task run three times, as it is made, as it begins and as it ends, and its server
works on each of them for several milliseconds. A batch of a few leads has a dozen task runs of some ten milliseconds
each: telling took longer than the work. What the server stores of a run that is told of once is the same, but for the
states that it went through within half a second.

Even so it takes the process and the server a good part of the time that the leads of such a batch need to get an
owner. So Prefect hears of a task run half a second after it began, by when most leads have theirs, or when it ends, if
that is later; and of all of them before their flow run ends (``telling``). A process that is killed has told of
everything but its last half second.

The events are Prefect's (as of 3.8), and no public interface makes them without its engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from prefect.client.schemas.objects import State, TaskRun, TaskRunResult
from prefect.context import FlowRunContext, TagsContext
from prefect.states import Completed, Running, exception_to_crashed_state, exception_to_failed_state
from prefect.tasks import Task
from prefect.types._datetime import now
from prefect.utilities.engine import emit_task_run_state_change_event

SHOWN_AFTER: Final = 0.5  # seconds

_Result = TypeVar("_Result")


@asynccontextmanager
async def telling() -> AsyncIterator[None]:
    """Around the work of a flow run: when it ends, Prefect has heard of every task run within."""
    untold: dict[UUID, _Recorded] = {}
    token = _untold.set(untold)
    try:
        yield
    finally:
        _untold.reset(token)
        for recorded in list(untold.values()):
            recorded.tell()


async def record(task: Task[..., Any], name: str, work: Awaitable[_Result]) -> _Result:
    """Do ``work``, shown as a run of ``task`` with this name, within the flow run or the task run that it is part of.

    What ``work`` raises is raised, and told in the run's state. Without a flow run nothing is shown.
    """
    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None:
        return await work
    recorded = _Recorded(task, name, flow.flow_run.id, flow.flow_run.run_count, _within.get())
    token = _within.set(recorded)
    try:
        result = await work
    except Exception as error:
        recorded.end(await exception_to_failed_state(error, message="Task run encountered an exception"))
        raise
    except BaseException as error:
        recorded.end(await exception_to_crashed_state(error))
        raise
    else:
        recorded.end()
        return result
    finally:
        _within.reset(token)


class _Recorded:
    """A task run that begins now, and what Prefect has not been told of it."""

    def __init__(
        self, task: Task[..., Any], name: str, flow_run: UUID, flow_run_count: int, within: _Recorded | None
    ) -> None:
        self.id = uuid4()
        self._task, self._name, self._flow_run, self._flow_run_count = task, name, flow_run, flow_run_count
        self._within = within if within is not None and within._flow_run == flow_run else None
        self._began: Any = now("UTC")
        self._ended: Any = None
        self._outcome: State[Any] | None = None  # none: it completed
        self._shown: tuple[TaskRun, State[Any], Any] | None = None  # as running, by which event
        self._untold = _untold.get()
        if self._untold is not None:
            self._untold[self.id] = self
        self._due = asyncio.get_running_loop().call_later(SHOWN_AFTER, self.tell)

    def end(self, outcome: State[Any] | None = None) -> None:
        """It ends now; ``outcome`` is the state that tells of what it raised."""
        # two states of one run must not have the same moment
        self._ended = max(now("UTC"), self._began + timedelta(microseconds=1))
        self._outcome = outcome
        if self._shown is not None or self._untold is None:
            self.tell()

    def tell(self) -> None:
        """Tell Prefect: of its end once it has ended, else that it is running."""
        self._due.cancel()
        if self._ended is None:
            run, running = self._make_run(), self._build_state(Running(), self._began)
            self._shown = run, running, _tell(run, None, running, None)
            return
        if self._untold is not None:
            self._untold.pop(self.id, None)
        if self._shown is not None:
            run, running, event = self._shown
        else:
            run, running, event = self._make_run(), self._build_state(Running(), self._began), None
        state = self._build_state(self._outcome or Completed(), self._ended)
        run.end_time, run.total_run_time = self._ended, self._ended - self._began
        _tell(run, running, state, event)

    def _make_run(self) -> TaskRun:
        return TaskRun(
            id=self.id,
            name=self._name,
            flow_run_id=self._flow_run,
            flow_run_run_count=self._flow_run_count,
            task_key=self._task.task_key,
            dynamic_key=str(uuid4()),
            task_version=self._task.version,
            tags=sorted({*self._task.tags, *TagsContext.get().current_tags}),
            task_inputs={} if self._within is None else {"__parents__": [TaskRunResult(id=self._within.id)]},
            expected_start_time=self._began,
            start_time=self._began,
            run_count=1,
            created=self._began,
            updated=self._began,
        )

    def _build_state(self, state: State[Any], at: Any) -> State[Any]:
        """``state`` as one of this run, since ``at``."""
        state.state_details.task_run_id, state.state_details.flow_run_id = self.id, self._flow_run
        state.timestamp = at
        return state


def _tell(run: TaskRun, before: State[Any] | None, state: State[Any], follows: Any) -> Any:
    run.state, run.state_id, run.state_type, run.state_name = state, state.id, state.type, state.name
    return emit_task_run_state_change_event(run, before, state, follows=follows)


#: What Prefect has not been told yet of the flow run at hand; none where nobody tells it in the end.
_untold: ContextVar[dict[UUID, _Recorded] | None] = ContextVar("leadgate_untold", default=None)
#: The task run that goes on.
_within: ContextVar[_Recorded | None] = ContextVar("leadgate_task_run", default=None)
