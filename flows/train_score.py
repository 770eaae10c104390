"""Learning a score, on a schedule.

Belongs here: whether it is time, and learning as a flow that people watch. Does not belong here: what it does
(``tasks.score_training``), which ``leadgate score train`` does without Prefect.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.runtime import session
from tasks.quoting import quote
from tasks.score_training import is_training_due
from tasks.score_training_task import train_score_task


@flow(name="train-score", persist_result=False, validate_parameters=False)
async def train_score(now: datetime | None = None) -> State[Any]:
    """Learn a score from the leads whose time is up, when the playbook asks for one and the newest is old enough.

    Args:
        now: What time it is, in place of the clock; for trying things out.
    """
    async with session.open_session() as here:
        ledger, loaded = here.worker.ledger, here.worker.playbook
        moment = await session.read_ledger_time(ledger, now)
        if not await asyncio.to_thread(is_training_due, ledger, loaded.playbook, moment):
            return Completed(message="Nothing to do: the playbook asks for no learned score, or the newest is young")
        return Completed(message=await train_score_task(quote(ledger), quote(loaded), moment))
