"""Reading CRMs: what changed in them becomes signals, which the intake takes.

Belongs here: a round of reading as a flow that people watch. Does not belong here: reading one CRM
(``tasks.crm.sync``), which ``leadgate crm sync`` does without Prefect.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import evidence
from flows.runtime import session
from leadgate.ledger import Ledger
from leadgate.playbook import CrmConnection, LoadedPlaybook
from tasks.crm.sync import SyncReport
from tasks.crm.sync_task import sync_crm_task
from tasks.quoting import quote


@flow(name="sync-crm", persist_result=False, validate_parameters=False)
async def sync_crm(now: datetime | None = None) -> State[Any] | None:
    """Read what changed in the CRMs that the playbook reads, as signals.

    A CRM that cannot be read fails the run, once the others are read; the next run goes on where it was.

    Args:
        now: What time it is, in place of the clock; for trying things out.
    """
    async with session.open_session() as here:
        ledger, loaded = here.worker.ledger, here.worker.playbook
        read = [each for each in loaded.playbook.crm if each.reads is not None]
        if not read:
            return None
        states = await asyncio.gather(*(_sync(ledger, loaded, each, now) for each in read))
        results = [await state.aresult(raise_on_failure=False) for state in states]
        reports = [each for each in results if isinstance(each, SyncReport)]
        if reports:
            await evidence.publish_syncs(reports)
        told = "; ".join(str(state.message) for state in states)
        whole = all(state.is_completed() for state in states)
        return Completed(message=told) if whole else Failed(message=told)


async def _sync(ledger: Ledger, loaded: LoadedPlaybook, connection: CrmConnection, now: datetime | None) -> State[Any]:
    """The state of the task run that reads this CRM."""
    # which Prefect declares as a state, and gives as a coroutine
    pending: Any = sync_crm_task(
        connection.name, quote(ledger), quote(loaded), quote(connection), now, return_state=True
    )
    state: State[Any] = await pending
    return state
