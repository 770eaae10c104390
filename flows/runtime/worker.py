"""The worker: it runs scheduled flow runs and those that people start or retry in the Prefect UI, each in a process.

A person who has the authentication string of the Prefect API can write deployments, job variables and work pools. A
worker of Prefect takes the command, the environment and the code of a run from there; this one takes them from the
installed package, and refuses flows that are not Leadgate's. Belongs here: what differs from Prefect's worker.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectAlreadyExists
from prefect.runner._flow_run_executor import FlowRunExecutionResult, FlowRunExecutorContext
from prefect.runner._process_manager import ProcessHandle
from prefect.runner._starter_engine import EngineCommandStarter
from prefect.utilities.processutils import command_to_string
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from flows.runtime.engine import find_own_flow
from flows.runtime.server import WORK_POOL, build_python_command

#: A deployment or a run can set no part of a job. ``command`` is for a plain Prefect worker; ours builds its own.
JOB_TEMPLATE: Final[dict[str, Any]] = {
    "job_configuration": {"command": "python -P -m flows.runtime.engine", "env": {}, "stream_output": True},
    "variables": {"type": "object", "properties": {}, "additionalProperties": False},
}


async def ensure_work_pool(client: PrefectClient) -> None:
    """Create the work pool, or reset the job template of the existing one to ours."""
    try:
        await client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process", base_job_template=JOB_TEMPLATE))
    except ObjectAlreadyExists:
        existing = await client.read_work_pool(WORK_POOL)
        if existing.base_job_template != JOB_TEMPLATE:
            await client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=JOB_TEMPLATE))


class OwnFlowsWorker(ProcessWorker):
    """A process worker that runs Leadgate's own flows, by a command and an environment of its own."""

    @classmethod
    def __dispatch_key__(cls) -> str:
        return "leadgate"  # beside Prefect's own, whose type its work pool has

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        return JOB_TEMPLATE

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run ``flow_run`` in a process. ``configuration`` comes from the API and is ignored."""
        await find_own_flow(flow_run)  # raises for a flow that is not ours; the reason is then in the run's state
        execution: FlowRunExecutionResult | None = None
        with tempfile.TemporaryDirectory(prefix="leadgate-run-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            async with FlowRunExecutorContext() as context:
                starter = EngineCommandStarter(
                    command=command_to_string(build_python_command("flows.runtime.engine")),
                    cwd=Path(folder),
                    control_channel=context.control_channel,
                )
                executor = context.create_executor(
                    flow_run, starter, resolve_flow=find_own_flow, propose_submitting=False
                )

                async def execute(*, task_status: anyio.abc.TaskStatus[ProcessHandle]) -> None:
                    nonlocal execution
                    execution = await executor.submit(task_status=task_status)

                async with anyio.create_task_group() as tasks:
                    handle = await tasks.start(execute)
                    if task_status is not None:
                        task_status.started(handle.pid or 0)
        if execution is None or execution.status_code is None:
            raise RuntimeError("the process of the flow run did not start")
        return ProcessWorkerResult(status_code=execution.status_code, identifier=str(execution.handle.pid))


async def run_worker(name: str, limit: int) -> None:
    """Run the flow runs of the work pool, ``limit`` at a time, until the process is asked to end."""
    async with get_client() as client:
        await ensure_work_pool(client)
    await OwnFlowsWorker(work_pool_name=WORK_POOL, name=name, limit=limit, create_pool_if_not_found=False).start()
