"""Comparing one CRM with what was written to it as a Prefect task run, whose state says in words what was found.

Belongs here: running ``reconcile`` so that it is visible and retried. Does not belong here: comparing itself.
"""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from leadgate.connectors.crm_opening import open_crm
from leadgate.ledger import Ledger, faults
from leadgate.playbook import CrmConnection, Playbook
from tasks.crm.reconcile import describe_comparison, open_and_reconcile
from tasks.stage_task import can_retry_help


@task(
    task_run_name="reconcile | {crm}",
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=can_retry_help,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def reconcile_crm_task(
    crm: str, ledger: Ledger, playbook: Playbook, connection: CrmConnection, since: datetime, now: datetime | None
) -> State[Any]:
    """Compare a CRM with what was written to it since then. ``crm`` is for the run's name.

    A drift is for the queue of work items, and fails no run; a CRM that does not answer does.
    """

    def compare() -> Any:
        return open_and_reconcile(ledger, playbook, connection, lambda: open_crm(connection, os.environ), since, now)

    with faults.removing_values():
        report = await asyncio.to_thread(compare)
    state = Completed if report.problem is None else Failed
    return state(message=describe_comparison(report), data=report)
