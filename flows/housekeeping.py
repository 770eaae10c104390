"""Housekeeping: what dead processes left behind is ended, what Prefect need not keep is deleted, the day is kept.

Belongs here: the order of the steps, as a flow that people watch. Does not belong here: what a step does
(``tasks.housekeeping``, ``tasks.retention``, ``tasks.forecast_snapshots``). Two at once do no harm, and a second one
finds nothing to do.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from prefect import flow, runtime
from prefect.artifacts import acreate_table_artifact

from flows.deployments import DEPLOYMENTS
from flows.runtime import session
from leadgate.ledger import consumers, hosts, upkeep
from leadgate.sla.zones import find_pools_zone
from tasks import housekeeping as left_behind
from tasks import retention
from tasks.forecast_snapshots import keep_snapshots
from tasks.housekeeping import Line
from tasks.quoting import quote


@flow(name="housekeeping", persist_result=False, validate_parameters=False)
async def housekeeping(
    now: datetime | None = None,
    dead_after_minutes: float = 10,
    at_most_rows: int = 10_000,
    at_most_seconds: float = 300,
) -> list[Line]:
    """End the flow runs of dead processes; delete flow runs and artifacts older than the playbook keeps them.

    Args:
        now: What time it is, in place of the clock; for trying things out.
        dead_after_minutes: For how long a flow run gave no sign of life when it counts as dead.
        at_most_rows: Flow runs and artifacts that one pass deletes; the next goes on.
        at_most_seconds: For how long one pass deletes.
    """
    async with session.open_session() as here:
        ledger, playbook = here.worker.ledger, here.worker.playbook.playbook
        keep = playbook.retention
        moment = await session.read_ledger_time(ledger, now)
        ours = left_behind.build_flow_filter([deployment.flow for deployment in DEPLOYMENTS])
        found = await left_behind.find(
            ledger, ours, moment, timedelta(minutes=dead_after_minutes), UUID(str(runtime.flow_run.id))
        )
        lines = [
            await left_behind.end_dead(len(found.dead), quote(found), quote(ledger)),
            await left_behind.delete_ready(len(found.ready), quote(found)),
        ]
        gone = await asyncio.to_thread(consumers.list_gone_consumers, ledger, left_behind.CONSUMER_FORGOTTEN)
        lines.append(await left_behind.forget_consumers(len(gone), gone, quote(ledger)))
        lines.append(await left_behind.forget_answers(quote(ledger), moment, at_most_rows))
        lines.append(await left_behind.forget_sessions(quote(ledger), moment, at_most_rows))
        lines.append(
            await left_behind.forget_shadow_journeys(
                _format_span(keep.shadows), quote(ledger), moment - keep.shadows, at_most_rows
            )
        )
        await asyncio.to_thread(hosts.forget, ledger, left_behind.CONSUMER_FORGOTTEN)
        lines.append(await keep_snapshots(quote(ledger), find_pools_zone(playbook) or "UTC", moment))
        lapsed = [batch for batch in await asyncio.to_thread(upkeep.open_batches, ledger) if batch.lapsed > 0]
        lines.append(await left_behind.report_lapsed(len(lapsed), quote(lapsed)))

        before = await retention.compute_cutoffs(keep, moment)
        budget = retention.Budget(at_most_rows, at_most_seconds)
        runs, artifacts = await retention.count(ours, before)
        lines.append(
            await retention.delete_artifacts(artifacts, _format_span(keep.artifacts), ours, before.artifacts, budget)
        )
        lines.append(await retention.delete_flow_runs(runs, _format_span(keep.flow_runs), ours, before, budget))
    await acreate_table_artifact(
        key="housekeeping",
        table=[{"what": line.what, "done": line.done, "left": line.left, "in words": line.words} for line in lines],
        description=f"Housekeeping as of {moment:%Y-%m-%d %H:%M} UTC; {found.alive} flow runs are at work.",
    )
    return lines


def _format_span(span: timedelta) -> str:
    """``7 days``, or ``36 h`` for what is no whole number of days."""
    days = span / timedelta(days=1)
    if days >= 1 and days == int(days):
        return f"{int(days)} day{'s' if days > 1 else ''}"
    return f"{span / timedelta(hours=1):g} h"
