"""What dead processes left behind: flow runs that never end, runs kept ready for nobody, names of consumers.

Belongs here: gathering the signs of life, and acting on the verdicts of ``leadgate.liveness``. Does not belong
here: the verdicts themselves, nor what is deleted because it is old (``tasks.retention``). No lead waits for any
of this: a batch is taken over by its lease alone. It is for the people who look at the Prefect UI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Crashed

from leadgate.ledger import Ledger, consumers, lookups, shadows, sign_in_links, upkeep, web_sessions
from leadgate.liveness import Signs, judge_signs
from tasks.run_tags import READY, find_consumer

CONSUMER_GONE: Final = 60.0  # seconds without a sign
CONSUMER_FORGOTTEN: Final = 86_400.0
AT_MOST: Final = 1_000  # unfinished runs looked at in one pass; the next one goes on
PAGE: Final = 200
BULK: Final = 50  # what the server deletes in one request

_STATES: Final[dict[StateType, Literal["running", "pending", "cancelling"]]] = {
    StateType.RUNNING: "running",
    StateType.PENDING: "pending",
    StateType.CANCELLING: "cancelling",
}


@dataclass(frozen=True)
class Line:
    """What one step did, as a row of the table that people see."""

    what: str
    done: int
    left: int
    words: str


@dataclass
class LeftBehind:
    """The unfinished flow runs that are older than the limit, by what became of them."""

    dead: list[FlowRun] = field(default_factory=list)
    ready: list[FlowRun] = field(default_factory=list)
    unknown: list[FlowRun] = field(default_factory=list)
    alive: int = 0


def build_flow_filter(flows: Sequence[str]) -> FlowFilter:
    """The flow runs of these flows: no other flow run of the server is ever looked at, let alone changed."""
    return FlowFilter(name=FlowFilterName(any_=list(flows)))


async def find(ledger: Ledger, ours: FlowFilter, now: datetime, limit: timedelta, myself: UUID | None) -> LeftBehind:
    """Every unfinished flow run of ``ours`` that is in its state for ``limit``, with a verdict. Changes nothing.

    ``limit`` is never shorter than three heartbeats.
    """
    limit = max(limit, timedelta(seconds=3 * (get_current_settings().flows.heartbeat_frequency or 0)))
    open_batches, seen = await asyncio.gather(
        asyncio.to_thread(upkeep.open_batches, ledger),
        asyncio.to_thread(consumers.list_seen_consumers, ledger, CONSUMER_GONE),
    )
    # a process may outlive its lease, while PostgreSQL is away: until another run has its batch, it may go on
    held = [batch for batch in open_batches if batch.lapsed < limit.total_seconds()]
    holders, batches = {batch.holder for batch in held}, {batch.id for batch in held}
    left = LeftBehind()
    async with get_client() as client:
        names = {flow.id: flow.name for flow in await client.read_flows(flow_filter=ours)}
        for run in await _read_unfinished(client, ours, now - limit, myself):
            leased = str(run.id) in holders or _find_batch(run) in batches
            signs = await _read_signs(client, run, names.get(run.flow_id, ""), leased, seen, now)
            match judge_signs(signs, now, limit):
                case "dead":
                    left.dead.append(run)
                case "never_started":
                    left.ready.append(run)
                case "unknown":
                    left.unknown.append(run)
                case "alive":
                    left.alive += 1
    return left


async def _read_unfinished(
    client: PrefectClient, ours: FlowFilter, before: datetime, myself: UUID | None
) -> list[FlowRun]:
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(_STATES)))
    runs: list[FlowRun] = []
    while len(runs) < AT_MOST:
        page = await client.read_flow_runs(
            flow_filter=ours,
            flow_run_filter=FlowRunFilter(state=states),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=PAGE,
            offset=len(runs),
        )
        runs += page
        if len(page) < PAGE:
            break
    return [run for run in runs if run.state and run.state.timestamp <= before and run.id != myself]


async def _read_signs(
    client: PrefectClient, run: FlowRun, flow: str, leased: bool, seen: set[str], now: datetime
) -> Signs:
    assert run.state is not None  # noqa: S101 - ``_read_unfinished`` asked for runs in a state
    consumer = find_consumer(run.tags)
    return Signs(
        flow=flow,
        state=_STATES[run.state.type],
        since=run.state.timestamp,
        beat=None if leased else await _read_last_beat(client, run.id, run.state.timestamp, now),
        leased=leased,
        ready=READY in run.tags,
        consumer=consumer,
        consumer_seen=consumer in seen,
    )


async def _read_last_beat(client: PrefectClient, run: UUID, since: datetime, now: datetime) -> datetime | None:
    """When the run's process last said that it lives. Prefect's engine does so from a thread of its own.

    Beats are dated by the machine that sends them, so those before ``since`` and in the future count as well.
    """
    day = timedelta(days=1)
    occurred = {"since": (since - day).isoformat(), "until": (now + day).isoformat()}
    response = await client.request(
        "POST",
        "/events/filter",
        json={
            "filter": {
                "event": {"name": ["prefect.flow-run.heartbeat"]},
                "resource": {"id": [f"prefect.flow-run.{run}"]},
                "occurred": occurred,
                "order": "DESC",
            },
            "limit": 1,
        },
    )
    events = response.json()["events"]
    return datetime.fromisoformat(events[0]["occurred"]) if events else None


@task(task_run_name="dead flow runs | {count}", cache_policy=NO_CACHE, persist_result=False)
async def end_dead(count: int, left: LeftBehind, ledger: Ledger) -> Line:
    """Say of each dead run that it crashed, and what becomes of its leads."""
    holding = await asyncio.to_thread(
        upkeep.find_held_batches, ledger, [(str(run.id), _find_batch(run)) for run in left.dead]
    )
    ended = 0
    async with get_client() as client:
        for run in left.dead:
            message = f"Its process ended without a word. {_describe_batch(holding.get(str(run.id)))}"
            cancelling = run.state is not None and run.state.is_cancelling()
            state: Any = Cancelled(message=message) if cancelling else Crashed(message=message)
            try:
                now_is = await client.read_flow_run(run.id)
                if now_is.state is None or run.state is None or now_is.state.id != run.state.id:
                    continue  # it moved on meanwhile: somebody else ended it, or it lives
                result = await client.set_flow_run_state(run.id, state)  # the server refuses one that has just ended
            except ObjectNotFound:
                continue  # deleted meanwhile
            ended += result.status.value == "ACCEPT"
    words = "ended as Crashed, or Cancelled if that was asked; their batches go on with the next run"
    if left.unknown:
        words += f". {len(left.unknown)} give no sign by which to tell and are left as they are"
    return Line("flow runs of dead processes", ended, count - ended + len(left.unknown), words)


def _find_batch(run: FlowRun) -> int | None:
    batch = run.parameters.get("batch")
    return batch if isinstance(batch, int) else None


def _describe_batch(held: upkeep.HeldBatch | None) -> str:
    if held is None:
        return "It held no batch, so no lead waits for it."
    if held.open:
        return f"Its batch {held.id} ({held.size} journeys) is taken over by the next run, which continues it."
    return f"Its batch {held.id} is closed, so no lead waits for it."


@task(task_run_name="runs kept ready for nobody | {count}", cache_policy=NO_CACHE, persist_result=False)
async def delete_ready(count: int, left: LeftBehind) -> Line:
    """Delete what a consumer that is gone kept ready. Nothing ever ran in it, so nothing is lost."""
    deleted = 0
    async with get_client() as client:
        for ids in _split_pages([run.id for run in left.ready]):
            waiting = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
            deleted += await delete_bulk(client, FlowRunFilter(id=FlowRunFilterId(any_=ids), state=waiting))
    return Line("runs kept ready for nobody", deleted, count - deleted, "deleted; their consumer is gone")


async def delete_bulk(client: PrefectClient, which: FlowRunFilter) -> int:
    """Delete at most ``BULK`` flow runs, with task runs, states and logs, and return how many. Not their artifacts."""
    response = await client.request(
        "POST",
        "/flow_runs/bulk_delete",  # type: ignore[arg-type] # the client's list of routes lacks it
        json={"flow_runs": which.model_dump(mode="json", exclude_unset=True), "limit": BULK},
    )
    return len(response.json()["deleted"])


def _split_pages(ids: Sequence[UUID]) -> Iterable[list[UUID]]:
    return (list(ids[start : start + BULK]) for start in range(0, len(ids), BULK))


@task(task_run_name="consumers not seen for a day | {count}", cache_policy=NO_CACHE, persist_result=False)
async def forget_consumers(count: int, gone: Sequence[str], ledger: Ledger) -> Line:
    """Take the names of consumers that are long gone off the list."""
    forgotten = await asyncio.to_thread(consumers.forget_consumers, ledger, gone, CONSUMER_FORGOTTEN)
    return Line("consumers not seen for a day", forgotten, count - forgotten, "taken off the list")


@task(task_run_name="answers of services that are too old", cache_policy=NO_CACHE, persist_result=False)
async def forget_answers(ledger: Ledger, now: datetime, at_most: int) -> Line:
    """Delete what services answered about companies so long ago that it is not used any more."""
    deleted = await asyncio.to_thread(lookups.forget_old_answers, ledger, now, at_most)
    words = "deleted" if deleted < at_most else "deleted as many as one pass may; the next goes on"
    return Line("answers of services that are too old", deleted, 0, words)


@task(task_run_name="sessions and links that are over", cache_policy=NO_CACHE, persist_result=False)
async def forget_sessions(ledger: Ledger, now: datetime, at_most: int) -> Line:
    """Delete sessions of the console, and links to sign in by, that cannot be used any more."""
    deleted = await asyncio.to_thread(web_sessions.forget_old_sessions, ledger, now, at_most)
    deleted += await asyncio.to_thread(sign_in_links.forget_old_links, ledger, now, at_most)
    words = "deleted" if deleted < at_most else "deleted as many as one pass may; the next goes on"
    return Line("sessions and links that are over", deleted, 0, words)


@task(task_run_name="what shadows found longer ago than {age}", cache_policy=NO_CACHE, persist_result=False)
async def forget_shadow_journeys(age: str, ledger: Ledger, before: datetime, at_most: int) -> Line:
    """Delete what shadows found of each lead that was decided before then. What their passes came to stays."""
    deleted = await asyncio.to_thread(shadows.forget_journeys, ledger, before, at_most)
    words = "deleted" if deleted < at_most else "deleted as many as one pass may; the next goes on"
    return Line("what shadows found of old leads", deleted, 0, words)


@task(task_run_name="leases that ran out | {count}", cache_policy=NO_CACHE, persist_result=False)
async def report_lapsed(count: int, batches: Sequence[upkeep.OpenBatch]) -> Line:
    """Nothing to do here but to tell: the next claim takes such a batch over, if somebody claims."""
    if not count:
        return Line("batches whose lease ran out", 0, 0, "none")
    oldest = timedelta(seconds=round(max(batch.lapsed for batch in batches)))
    journeys = sum(batch.size for batch in batches)
    words = (
        f"with {journeys} journeys, the oldest for {oldest}. The next run takes them over; "
        "when they stay, nobody runs: start a consumer or `leadgate run`"
    )
    return Line("batches whose lease ran out", 0, count, words)
