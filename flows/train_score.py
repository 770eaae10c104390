"""Learning a score and checking the one in force, on a schedule.

Belongs here: whether it is time, and both as a flow that people watch. Does not belong here: what it does
(``tasks.score_training``, ``tasks.score_drift``), which ``leadgate score`` does without Prefect.
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
from tasks.score_training_task import check_score_task, train_score_task


@flow(name="train-score", persist_result=False, validate_parameters=False)
async def train_score(now: datetime | None = None) -> State[Any]:
    """Check the learned score in force, and learn another when the newest is old enough; for a playbook that asks.

    Args:
        now: What time it is, in place of the clock; for trying things out.
    """
    async with session.open_session() as here:
        ledger, loaded = here.worker.ledger, here.worker.playbook
        if loaded.playbook.learned is None:
            return Completed(message="Nothing to do: the playbook asks for no learned score")
        moment = await session.read_ledger_time(ledger, now)
        said = [await check_score_task(quote(ledger), quote(loaded.playbook), moment)]
        if await asyncio.to_thread(is_training_due, ledger, loaded.playbook, moment):
            said.append(await train_score_task(quote(ledger), quote(loaded), moment))
    return Completed(message="; ".join(said))
