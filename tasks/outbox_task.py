"""A round of delivery as a Prefect task run, named by how much there is to do.

Belongs here: running ``outbox.deliver_waiting`` so that it is visible and retried. Does not belong here: the
delivery itself.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE

from leadgate.ledger import Ledger
from leadgate.playbook import Playbook
from tasks.outbox import DeliveryReport, deliver_waiting
from tasks.stage_task import can_retry_help


@task(
    task_run_name="deliver | {due} due, {waiting} waiting",
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=can_retry_help,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def deliver_task(
    due: int, waiting: int, ledger: Ledger, playbook: Playbook, now: datetime | None
) -> DeliveryReport:
    """Deliver what is due. ``due`` and ``waiting`` are for the run's name.

    A receiver that fails is no reason to retry: each message has its own time for that. A retry continues with
    what is due then, so the report is about the last attempt alone; the ledger knows the rest.
    """
    deliver = partial(deliver_waiting, ledger, playbook, now)
    return await asyncio.to_thread(deliver)
