"""What Prefect need not keep any longer: flow runs that ended long ago, and their artifacts.

Belongs here: deleting them through the API, in pages and within a budget, so that a server is never held up by it.
A server that vacuums itself does it better, in its own database; then this only sees to what that leaves.
Deleting a flow run takes its task runs, states and logs along, but not its artifacts: those go first.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from pydantic import TypeAdapter

from leadgate.playbook import Retention
from tasks.housekeeping import BULK, PAGE, Line, delete_bulk

_ENDED: Final = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]
_DURATION: Final = TypeAdapter(timedelta)


@dataclass(frozen=True)
class Cutoffs:
    """What ended before these is deleted. ``by_server`` is how long a server that vacuums itself keeps flow runs."""

    flow_runs: datetime
    artifacts: datetime | None  # none: they go with their flow runs
    by_server: timedelta | None


class Budget:
    """How much one pass may do: ``rows`` and ``seconds``. What is left over is for the next."""

    def __init__(self, rows: int, seconds: float) -> None:
        self.rows = rows
        self.until = time.monotonic() + seconds

    def spend(self, rows: int) -> None:
        self.rows -= rows

    @property
    def left(self) -> int:
        return max(0, self.rows) if time.monotonic() < self.until else 0


async def compute_cutoffs(retention: Retention, now: datetime) -> Cutoffs:
    """By the playbook. A server that deletes by itself in time is left two of its rounds to do so."""
    by_server, every = await _read_server_vacuum()
    grace = 2 * every if by_server is not None and by_server <= retention.flow_runs + every else timedelta(0)
    shorter = retention.artifacts < retention.flow_runs
    return Cutoffs(
        flow_runs=now - retention.flow_runs - grace,
        artifacts=now - retention.artifacts if shorter else None,
        by_server=by_server,
    )


async def _read_server_vacuum() -> tuple[timedelta | None, timedelta]:
    """How long the server keeps flow runs, none for ever or if it does not tell, and how often it looks."""
    try:
        async with get_client() as client:
            settings: dict[str, Any] = (await client.request("GET", "/admin/settings")).json()
        vacuum = settings["server"]["services"]["db_vacuum"]
        enabled = vacuum["enabled"]
        if enabled is not True and not (isinstance(enabled, list) and "flow_runs" in enabled):
            return None, timedelta(0)
        return _DURATION.validate_python(vacuum["retention_period"]), timedelta(seconds=vacuum["loop_seconds"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None, timedelta(0)  # an older server, or one that keeps its settings to itself


async def count(ours: FlowFilter, before: Cutoffs) -> tuple[int, int]:
    """How many flow runs of ``ours``, and how many artifacts on their own, are older than they need to be."""
    async with get_client() as client:
        runs = await client.count_flow_runs(flow_filter=ours, flow_run_filter=_build_ended_filter(before.flow_runs))
        if before.artifacts is None:
            return runs, 0
        which = _build_artifact_filter(ours, _build_ended_filter(before.artifacts))
        response = await client.request("POST", "/artifacts/count", json=which)
        return runs, int(response.json())


@task(task_run_name="artifacts older than {age} | {count}", cache_policy=NO_CACHE, persist_result=False)
async def delete_artifacts(count: int, age: str, ours: FlowFilter, before: datetime | None, budget: Budget) -> Line:
    """Artifacts of flow runs of ``ours`` that ended before ``before``, where they are kept less long."""
    what = f"artifacts older than {age}"
    if before is None:
        return Line(what, 0, 0, "they go with their flow runs")
    async with get_client() as client:
        done = await _delete_artifacts_of(client, ours, _build_ended_filter(before), budget)
    return Line(what, done, max(0, count - done), _describe_left(count - done))


@task(task_run_name="flow runs older than {age} | {count}", cache_policy=NO_CACHE, persist_result=False)
async def delete_flow_runs(count: int, age: str, ours: FlowFilter, before: Cutoffs, budget: Budget) -> Line:
    """Ended flow runs of ``ours``, each after its artifacts. One that was started again meanwhile stays."""
    done = 0
    ended = _build_ended_filter(before.flow_runs)
    async with get_client() as client:
        while wanted := min(BULK, budget.left):
            page = await client.read_flow_runs(
                flow_filter=ours,
                flow_run_filter=ended,
                sort=FlowRunSort.START_TIME_ASC,
                limit=wanted,
            )
            if not page:
                break
            which = ended.model_copy(update={"id": FlowRunFilterId(any_=[run.id for run in page])})
            await _delete_artifacts_of(client, ours, which, budget)
            if not budget.left:
                break  # artifacts may be left, and without their flow run nobody would find them
            deleted = await delete_bulk(client, which)
            budget.spend(len(page))  # also when another pass was faster, so that this ends
            done += deleted
    by_server = (
        f"the server itself deletes after {before.by_server}"
        if before.by_server is not None
        else "the server deletes none by itself: see PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"
    )
    return Line(
        f"flow runs older than {age}", done, max(0, count - done), f"{_describe_left(count - done)}; {by_server}"
    )


async def _delete_artifacts_of(client: PrefectClient, ours: FlowFilter, which: FlowRunFilter, budget: Budget) -> int:
    """Until none is left or the budget is spent. Returns how many are deleted."""
    done = 0
    while wanted := min(PAGE, budget.left):
        page = _build_artifact_filter(ours, which) | {"limit": wanted}
        response = await client.request("POST", "/artifacts/filter", json=page)
        ids = [artifact["id"] for artifact in response.json()]
        for artifact in ids:
            try:
                await client.delete_artifact(artifact)
            except ObjectNotFound:
                continue  # another pass, or the server's own, was faster
            done += 1
        budget.spend(len(ids))
        if len(ids) < wanted:
            break
    return done


def _build_ended_filter(moment: datetime) -> FlowRunFilter:
    return FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_ENDED)),
        end_time=FlowRunFilterEndTime(before_=moment),
    )


def _build_artifact_filter(ours: FlowFilter, which: FlowRunFilter) -> dict[str, Any]:
    return {
        "flows": ours.model_dump(mode="json", exclude_unset=True),
        "flow_runs": which.model_dump(mode="json", exclude_unset=True),
    }


def _describe_left(left: int) -> str:
    return "deleted" if left <= 0 else "deleted as many as one pass may; the next goes on"
