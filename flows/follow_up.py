"""Follow-up: owned leads are checked against their SLA; what is due is reminded, escalated, or taken back.

Belongs here: the check as a flow. Does not belong here: what is due (``tasks.follow_up``, ``tasks.overdue``).
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.intake import take_through
from flows.runtime import session
from leadgate.vocabulary import BatchKind
from tasks.batches import BatchReport
from tasks.overdue import escalate_overdue
from tasks.quiet_sources import check_quiet_sources


@flow(name="follow-up", persist_result=False, validate_parameters=False)
async def follow_up(batch: int | None = None, now: datetime | None = None) -> BatchReport | State[Any] | None:
    """Look after every owned lead whose clock asks for it: remind, escalate, take back.

    A lead that is taken back waits for assignment again. Work items that nobody took in time are escalated, too, and
    sources that went quiet are told of.

    Args:
        batch: A batch that was begun, to continue it; left empty: whatever is due.
        now: What time it is, in place of the clock; for trying things out.
    """
    async with session.open_session() as here:
        worker = here.worker
        await asyncio.to_thread(escalate_overdue, worker.ledger, worker.playbook.playbook, now)
        await asyncio.to_thread(check_quiet_sources, worker.ledger, worker.playbook, now)
        return await take_through(BatchKind.FOLLOW_UP, batch, now)
