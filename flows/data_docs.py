"""Building Data Docs, on a schedule.

Belongs here: the build as a flow that people watch. Does not belong here: what it does (``tasks.data_docs``), which
``leadgate quality docs`` does without Prefect.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.runtime import session
from tasks.data_docs import LATEST, build_data_docs_task, describe_build
from tasks.quoting import quote


@flow(name="data-docs", persist_result=False, validate_parameters=False)
async def data_docs(latest: int = LATEST, now: datetime | None = None) -> State[Any]:
    """Build Great Expectations' Data Docs in the data folder of the machine that runs this.

    Args:
        latest: How many validations of each gate they have, at most 200.
        now: What time it is, in place of the clock; for trying things out.
    """
    async with session.open_session() as here:
        moment = await session.read_ledger_time(here.worker.ledger, now)
        report = await build_data_docs_task(quote(here.worker.ledger), quote(here.worker.playbook), moment, latest)
    return Completed(message=describe_build(report))
