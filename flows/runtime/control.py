"""Orders from the Prefect UI to a run that goes on in this process: cancel, pause, resume; and its name.

Belongs here: reading a run's own state between its stages, and which errors mean that Prefect is away. Does not
belong here: what becomes of a cancelled batch (``tasks.failed_batches``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Final

import httpx
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import Pause, PrefectHTTPStatusError

from leadgate.ledger.faults import is_ours
from tasks.run_tags import READY

LOOK_EVERY: Final = 1.0  # seconds; a look costs a request
PAUSE_POLL: Final = 1.0


def is_prefect_away(error: BaseException) -> bool:
    """Whether an error says that the Prefect API cannot be reached or answers nothing useful."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (httpx.TransportError, PrefectHTTPStatusError, httpx.HTTPStatusError)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def is_failure(error: BaseException) -> bool:
    """Whether a run failed because of its batch, and not because a server was away."""
    return is_ours(error) and not is_prefect_away(error)


def compute_retry_delay(error: BaseException, failures: int) -> float:
    """Seconds until an always-on process tries a batch again whose run ended with ``error``.

    A run that was suspended in the UI keeps its batch until it is resumed, at most a day. A batch that fails is held
    after three tries, within half a minute.
    """
    if isinstance(error, Pause):
        return 24 * 3600.0
    return 2.0 * 3**failures if is_failure(error) else 1.0


async def name_run(name: str) -> None:
    """Name the run that runs now, so that a list of runs tells what each was about. It is kept ready no more.

    A name is worth no failure.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    with contextlib.suppress(httpx.HTTPError, PrefectHTTPStatusError):
        async with get_client() as client:
            tags = [tag for tag in context.flow_run.tags if tag != READY]
            await client.update_flow_run(context.flow_run.id, name=name, tags=tags)


async def find_end_order() -> str | None:
    """Whether somebody ended or paused this run in the Prefect UI, in words; ``None`` to go on."""
    state = await _read_own_state()
    if state is None or state.is_running() or state.is_pending():
        return None
    if state.is_paused():
        raise Pause(state=state)
    return f"Ended in the Prefect UI ({state.name})"


class Orders:
    """What people ordered of a run in the Prefect UI, looked at between stages.

    ``ahead``: the run had begun before it got its batch, so somebody may have ended it in between.
    """

    def __init__(self, *, ahead: bool = False) -> None:
        self._looked = time.monotonic()
        # beside the first stage, for which nobody waits
        self._ahead = asyncio.create_task(find_end_order()) if ahead else None

    async def find_early_end(self) -> str | None:
        """Asked before the second stage: whether the run had been ended when its batch came."""
        ahead, self._ahead = self._ahead, None
        return None if ahead is None else await ahead

    async def find_canceller(self) -> str | None:
        """Who or what cancelled the run, in words; ``None`` to go on. Waits here as long as the run is paused."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return None
        self._looked = time.monotonic()
        while True:
            state = await _read_own_state()
            if state is None or state.is_running() or state.is_pending():
                return None
            if state.is_cancelling() or state.is_cancelled():
                return f"in the Prefect UI, flow run {runtime.flow_run.id}"
            if not state.is_paused():
                return None
            if state.name == "Suspended":
                raise Pause(state=state)  # resuming starts it anew, in another process
            await asyncio.sleep(PAUSE_POLL)


async def _read_own_state() -> State[Any] | None:
    run_id = runtime.flow_run.id
    if run_id is None:
        return None
    try:
        async with get_client() as client:
            return (await client.read_flow_run(run_id)).state
    except (httpx.HTTPError, PrefectHTTPStatusError):
        return None  # nobody can order anything while Prefect is away
