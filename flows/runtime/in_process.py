"""A deployment's run, run in this process.

Belongs here: everything that touches Prefect's engine where it is not a public interface (as of 3.8). A worker
would start a process for each run, which takes seconds; here it takes a tenth of one, and the run is still one of
its deployment: found there, and retried from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import Flow
from prefect._flow_run_suspension import FlowRunSuspensionRequest, register_flow_run_suspension_request
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import AsyncFlowRunEngine


class _Engine(AsyncFlowRunEngine[Any, Any]):
    """Without the thread that watches for a suspension: it takes 0.4 s of every run to start and end one, and
    the flow looks by itself between its stages (``control.Orders``)."""

    @contextmanager
    def setup_flow_run_suspension_request(self) -> Iterator[FlowRunSuspensionRequest]:
        assert self.flow_run is not None  # noqa: S101 - the engine is only entered with one
        request = self._get_flow_run_suspension_request()
        with register_flow_run_suspension_request(self.flow_run.id, request):
            yield request


async def run_here(flow: Flow[Any, Any], flow_run: FlowRun, parameters: dict[str, Any]) -> State[Any]:
    """Run ``flow`` as ``flow_run`` with ``parameters``; its final state, whatever it is.

    What the flow raises is in the state, but for Prefect's own signals, which are raised.
    """
    engine = _Engine(flow=flow, parameters=parameters, flow_run=flow_run)
    async with engine.start():
        while engine.is_running():
            async with engine.run_context():
                _: Any = await engine.call_flow_fn()
    return engine.state
