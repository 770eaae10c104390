"""Reading one CRM, or the answers of a source's leads, as a Prefect task run, whose state says what was read.

Belongs here: running ``sync.open_and_sync_crm`` and ``lead_ads.read_answers`` so that it is visible and retried. Does
not belong here: reading itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from leadgate.connectors.crm_opening import open_crm
from leadgate.ledger import Ledger, faults
from leadgate.playbook import CrmConnection, LoadedPlaybook
from tasks.crm.lead_ads import read_answers
from tasks.crm.sync import SyncReport, describe_sync, open_and_sync_crm
from tasks.stage_task import can_retry_help


@task(
    task_run_name="sync | {crm}",
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=can_retry_help,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def sync_crm_task(
    crm: str, ledger: Ledger, loaded: LoadedPlaybook, connection: CrmConnection, now: datetime | None
) -> State[Any]:
    """Read what changed in a CRM. ``crm`` is for the run's name.

    A CRM that cannot be read fails the run and is no reason to retry: the next run goes on where it was.
    """

    def read() -> SyncReport:
        return open_and_sync_crm(ledger, loaded, connection, lambda: open_crm(connection, os.environ), now)

    return await _read(read)


@task(
    task_run_name="answers | {source}",
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=can_retry_help,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def read_answers_task(source: str, ledger: Ledger, loaded: LoadedPlaybook, now: datetime | None) -> State[Any]:
    """Read what the leads answered that a source's webhooks name. A service that cannot be read fails the run."""
    return await _read(lambda: read_answers(ledger, loaded, source, os.environ, now))


async def _read(read: Callable[[], SyncReport]) -> State[Any]:
    with faults.removing_values():
        report = await asyncio.to_thread(read)
    state = Completed if report.problem is None else Failed
    return state(message=describe_sync(report), data=report)
