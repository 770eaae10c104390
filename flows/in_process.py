"""A deployment's run, run in this process.

Belongs here: the one call of Prefect's engine that is not part of its public interface (as of 3.8). A worker
would start a process for each run, which takes seconds; here it takes a tenth of one, and the run is still one of
its deployment: found there, and retried from there.
"""

from __future__ import annotations

from typing import Any, cast

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import run_flow_async


async def run_here(flow: Flow[Any, Any], flow_run: FlowRun, parameters: dict[str, Any]) -> State[Any]:
    """Run ``flow`` as ``flow_run`` with ``parameters``; its final state, whatever it is.

    What the flow raises is in the state, but for Prefect's own signals, which are raised.
    """
    return cast("State[Any]", await run_flow_async(flow, flow_run=flow_run, parameters=parameters, return_type="state"))
