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
from prefect.states import Completed, Failed

from flows import evidence
from flows.runtime import session
from leadgate.ledger import Ledger
from leadgate.ledger.clock import ask_time
from leadgate.playbook import CrmConnection, Playbook
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
        states = await asyncio.gather(*(_compare(ledger, playbook, each, since, now) for each in written))
        results = [await state.aresult(raise_on_failure=False) for state in states]
        reports = [each for each in results if isinstance(each, ReconcileReport)]
        if reports:
            await evidence.publish_comparisons(reports)
        told = "; ".join(str(state.message) for state in states)
        whole = all(state.is_completed() for state in states)
        return Completed(message=told) if whole else Failed(message=told)


async def _compare(
    ledger: Ledger, playbook: Playbook, connection: CrmConnection, since: datetime, now: datetime | None
) -> State[Any]:
    """The state of the task run that compares this CRM."""
    # which Prefect declares as a state, and gives as a coroutine
    pending: Any = reconcile_crm_task(
        connection.name, quote(ledger), quote(playbook), quote(connection), since, now, return_state=True
    )
    state: State[Any] = await pending
    return state
