"""A pass of the shadow, on a schedule.

Belongs here: the pass as a flow that people watch. Does not belong here: what it does (``tasks.shadow``), which
``leadgate shadow run`` does without Prefect.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.runtime import session
from leadgate.settings import Settings
from tasks.quoting import quote
from tasks.shadow_task import run_shadow_task


@flow(name="run-shadow", persist_result=False, validate_parameters=False)
async def run_shadow() -> State[Any]:
    """Decide again what was decided since the last pass, under the draft of the shadow, if there is one."""
    async with session.open_session() as here:
        file = Settings.from_environment().shadow
        said = await run_shadow_task(quote(here.worker.ledger), quote(here.worker.playbook), file)
    return Completed(message=said)
