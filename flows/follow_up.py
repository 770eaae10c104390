"""Follow-up: owned leads are checked against their SLA; what is due is reminded, escalated, or taken back.

Belongs here: the check as a flow. Does not belong here: what is due (``tasks.follow_up``).
"""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.intake import _name, take_through
from tasks.batches import BatchReport


@flow(name="follow-up", flow_run_name=_name, persist_result=False, validate_parameters=False)
async def follow_up(batch: int | None = None, now: datetime | None = None) -> BatchReport | None:
    """Every owned lead whose clock asks for a look. A lead that is taken back waits for assignment again."""
    return await take_through("follow_up", batch, now)
