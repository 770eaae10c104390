"""Reconciling CRMs: whether they still have what Leadgate wrote, once a day.

Belongs here: a round of comparing as a flow that people watch. Does not belong here: comparing one CRM
(``tasks.crm.reconcile``), which ``leadgate crm reconcile`` does without Prefect.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows import evidence
from flows.crm_rounds import wait_for_all
from flows.runtime import session
from leadgate.ledger.clock import ask_time
from tasks.crm.reconcile import ReconcileReport
from tasks.crm.reconcile_task import reconcile_crm_task
from tasks.quoting import quote


@flow(name="reconcile-crm", persist_result=False, validate_parameters=False)
async def reconcile_crm(days: float = 7, now: datetime | None = None) -> State[Any] | None:
    """Compare what was written to the playbook's CRMs in the last days with what they have now.

    A drift becomes a work item. A CRM that cannot be asked fails the run, once the others are compared.

    Args:
        days: What was written in this time is compared.
        now: What time it is, in place of the clock; for trying things out.
    """
    async with session.open_session() as here:
        ledger, playbook = here.worker.ledger, here.worker.playbook.playbook
        written = [each for each in playbook.crm if each.writes]
        if not written:
            return None
        since = await asyncio.to_thread(ask_time, ledger, now) - timedelta(days=days)
        runs = [
            reconcile_crm_task(each.name, quote(ledger), quote(playbook), quote(each), since, now, return_state=True)
            for each in written
        ]
        reports, state = await wait_for_all(runs, ReconcileReport)
        if reports:
            await evidence.publish_comparisons(reports)
        return state
