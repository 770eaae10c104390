"""Run one flow run of a worker: ``python -P -m flows.runtime.engine`` with its id in ``PREFECT__FLOW_RUN_ID``.

Prefect's own entry point loads any code that a deployment names, and everybody who reaches the API can write one.
This entry point runs only the flows of ``flows.deployments``, as they are installed here. Belongs here: what replaces
``prefect.engine``, also by private functions of Prefect 3.8, which has no public ones for this.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from flows.runtime.server import PrefectError

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun

FLOW_RUN_ID_VARIABLE: Final = "PREFECT__FLOW_RUN_ID"


async def find_own_flow(flow_run: FlowRun) -> Flow[Any, Any]:
    """The installed flow that ``flow_run`` is a run of. Raises ``PrefectError`` for any other flow."""
    from prefect.client.orchestration import get_client

    from flows.deployments import DEPLOYMENTS

    async with get_client() as client:
        name = (await client.read_flow(flow_run.flow_id)).name
    for deployment in DEPLOYMENTS:
        if deployment.flow == name:
            return deployment.load()
    known = ", ".join(deployment.flow for deployment in DEPLOYMENTS)
    raise PrefectError(f"{name!r} is no flow of Leadgate; this worker runs {known}, and nothing else")


def run_flow_run(flow_run_id: UUID) -> None:
    """Run the flow run with this id, and report its state to the Prefect server."""
    from prefect._internal.control_listener import configure_from_env
    from prefect.engine import _drive_run_flow_result, handle_engine_signals
    from prefect.flow_engine import load_flow_run, run_flow
    from prefect.logging.loggers import flow_run_logger
    from prefect.utilities.asyncutils import run_coro_as_sync

    configure_from_env()  # how the worker tells this process to end
    with handle_engine_signals(flow_run_id):
        flow_run = load_flow_run(flow_run_id)
        flow = run_coro_as_sync(find_own_flow(flow_run))
        assert flow is not None  # noqa: S101 - ``find_own_flow`` raises when there is none
        _drive_run_flow_result(flow, run_flow(flow, flow_run=flow_run, error_logger=flow_run_logger(flow_run)))


if __name__ == "__main__":
    run_flow_run(UUID(os.environ[FLOW_RUN_ID_VARIABLE]))
