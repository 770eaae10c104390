"""A round over the playbook's CRMs: a task run for each, at the same time, and the state of all together.

Belongs here: waiting for these runs. Does not belong here: what a run does (``tasks.crm``), or what people see of a
round (``evidence``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

_Report = TypeVar("_Report")


async def wait_for_all(runs: Iterable[Any], report_type: type[_Report]) -> tuple[list[_Report], State[Any]]:
    """The reports of task runs that were called with ``return_state``, and the state that the flow ends with.

    One that fails stops no other, and fails the flow. Prefect declares such a call as a state, and gives a coroutine.
    """
    states: list[State[Any]] = await asyncio.gather(*runs)
    results = [await state.aresult(raise_on_failure=False) for state in states]
    told = "; ".join(str(state.message) for state in states)
    end = Completed if all(state.is_completed() for state in states) else Failed
    return [each for each in results if isinstance(each, report_type)], end(message=told)
