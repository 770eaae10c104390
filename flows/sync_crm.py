"""Reading CRMs, and leads that webhooks only name: what changed becomes signals, which the intake takes.

Belongs here: a round of reading as a flow that people watch. Does not belong here: reading one CRM
(``tasks.crm.sync``) or the leads of one source (``tasks.crm.lead_ads``), which ``leadgate crm sync`` does without
Prefect.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows import evidence
from flows.crm_rounds import wait_for_all
from flows.runtime import session
from tasks.crm.lead_ads import list_sources
from tasks.crm.sync import SyncReport
from tasks.crm.sync_task import read_answers_task, sync_crm_task
from tasks.quoting import quote


@flow(name="sync-crm", persist_result=False, validate_parameters=False)
async def sync_crm(now: datetime | None = None) -> State[Any] | None:
    """Read what changed in the CRMs that the playbook reads, and what leads answered that webhooks name, as signals.

    A CRM that cannot be read fails the run, once the others are read; the next run goes on where it was.

    Args:
        now: What time it is, in place of the clock; for trying things out.
    """
    async with session.open_session() as here:
        ledger, loaded = here.worker.ledger, here.worker.playbook
        read = [each for each in loaded.playbook.crm if each.reads is not None]
        sources = list_sources(loaded.playbook)
        if not read and not sources:
            return None
        runs = [
            sync_crm_task(each.name, quote(ledger), quote(loaded), quote(each), now, return_state=True) for each in read
        ]
        runs += [read_answers_task(name, quote(ledger), quote(loaded), now, return_state=True) for name in sources]
        reports, state = await wait_for_all(runs, SyncReport)
        if reports:
            await evidence.publish_syncs(reports)
        return state
