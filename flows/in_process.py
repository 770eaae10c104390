"""A deployment's run, run in this process.

Belongs here: everything that touches Prefect's engine where it is not a public interface (as of 3.8). A worker
would start a process for each run, which takes seconds; here it takes a twentieth of one, and the run is still one
of its deployment: found there, and retried from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect._flow_run_suspension import FlowRunSuspensionRequest, register_flow_run_suspension_request
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.states import Running


async def run_here(flow: Flow[Any, Any], flow_run: FlowRun, parameters: dict[str, Any]) -> State[Any]:
    """Run ``flow`` as ``flow_run``, fresh from the API, with ``parameters``; its final state, whatever it is.

    What the flow raises is in the state, but for Prefect's own signals, which are raised.
    """
    engine = _Engine(flow=flow, parameters=parameters, flow_run=flow_run)
    async with engine.start():
        while engine.is_running():
            async with engine.run_context():
                _: Any = await engine.call_flow_fn()
    return engine.state


class _Engine(AsyncFlowRunEngine[Any, Any]):
    """Starts at once: what only tells the server that a run begins goes on beside its first stage.

    And without the thread that watches for a suspension, which takes 0.4 s of every run to start and to end: the
    flow looks by itself between its stages (``control.Orders``).
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._beside: list[asyncio.Task[Any]] = []

    @property
    def client(self) -> PrefectClient:
        assert self.flow_run is not None  # noqa: S101 - it is only made with one
        return _Unhurried(super().client, self.flow_run, self._go_on_beside)

    @contextmanager
    def setup_flow_run_suspension_request(self) -> Iterator[FlowRunSuspensionRequest]:
        assert self.flow_run is not None  # noqa: S101 - it is only made with one
        request = self._get_flow_run_suspension_request()
        with register_flow_run_suspension_request(self.flow_run.id, request):
            yield request

    async def begin_run(self) -> State[Any]:
        assert self.flow_run is not None  # noqa: S101 - it is only made with one
        self._go_on_beside(super().begin_run())
        self.flow_run.state = Running()
        return self.flow_run.state

    async def set_state(self, state: State[Any], force: bool = False) -> State[Any]:
        if not state.is_running():  # how it ended is told after how it began
            await asyncio.gather(*self._beside)
        return await super().set_state(state, force)

    def _go_on_beside(self, telling: Coroutine[Any, Any, Any]) -> None:
        self._beside.append(asyncio.create_task(telling))


class _Unhurried(PrefectClient):
    """The engine's client, sharing its connections, for the two requests with which a run starts: the run it is
    about is known already, and that its flow's version is noted nobody has to wait for."""

    def __init__(self, client: PrefectClient, flow_run: FlowRun, go_on_beside: Any) -> None:
        vars(self).update(vars(client))
        self._flow_run = flow_run
        self._go_on_beside = go_on_beside

    async def read_flow_run(self, flow_run_id: UUID) -> FlowRun:
        return self._flow_run if flow_run_id == self._flow_run.id else await super().read_flow_run(flow_run_id)

    async def update_flow_run(self, *arguments: Any, **named: Any) -> Any:
        self._go_on_beside(super().update_flow_run(*arguments, **named))
