"""Flow runs that have begun before their leads come: beginning one takes longer than a stage.

An optimisation: until the flow's first line runs, Prefect's engine takes 80 ms of CPU time in this process and two
requests to the server, which no lead waits for; all gates of a small batch together take 22 ms.

Belongs here: the run that waits, what it is given, and orders from the Prefect UI meanwhile. Does not belong
here: claiming (``consumer``), or what a run does with a batch (``intake``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Final
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Pending

from flows.runtime import control
from tasks.run_tags import READY
from tasks.stage import Work

PATIENCE: Final = 5.0  # seconds for Prefect to hear that a run is not needed
LOOK_EVERY: Final = 5.0  # seconds between looks of a waiting run at orders; each costs the server a request
NAME: Final = "ready for the next leads"


class Offer:
    """Hands a batch to a flow run that waits for one; ``None`` in place of a batch ends the run."""

    def __init__(self) -> None:
        self._given: asyncio.Future[Work | None] = asyncio.get_running_loop().create_future()
        self.waits = asyncio.Event()  # the run has begun, and is here

    @property
    def over(self) -> bool:
        """Whether something was given, or the run has gone."""
        return self._given.done()

    def give(self, work: Work | None) -> None:
        if not self._given.done():
            self._given.set_result(work)

    async def take(self) -> Work | State[Any] | None:
        """What is given; a state when somebody ended the run meanwhile. Called by the run itself.

        A run that somebody paused gets no more batches: a person who resumes it starts it anew.
        """
        self.waits.set()
        try:
            while not (await asyncio.wait({self._given}, timeout=LOOK_EVERY))[0]:
                if (why := await control.find_end_order()) is not None:
                    return Cancelled(message=f"{why}, before any lead came; the next leads go with another run.")
            return self._given.result()
        finally:
            self._given.cancel()  # too late for anybody who was about to give


class StartedRun:
    """A run that waits, what it can be given, and its going on."""

    def __init__(self, flow_run: FlowRun, offer: Offer, going: asyncio.Task[State[Any]]) -> None:
        self.flow_run = flow_run
        self.offer = offer
        self.going = going

    @property
    def waits(self) -> bool:
        return not self.offer.over and not self.going.done()


class StartedRuns:
    """One run that waits, and the next one being made while a batch is at work.

    ``begin`` runs a flow run of the deployment in this process; ``offers`` is where the flow finds its offer.
    """

    def __init__(
        self,
        client: PrefectClient,
        deployment: UUID,
        tags: list[str],
        begin: Callable[[FlowRun], Awaitable[State[Any]]],
        offers: MutableMapping[str, Offer],
    ) -> None:
        self._client = client
        self._deployment = deployment
        self._tags = [READY, *tags]
        self._begin = begin
        self._offers = offers
        self._current: StartedRun | None = None
        self._next: asyncio.Task[StartedRun] | None = None

    async def wait_for_run(self, wake: asyncio.Event) -> StartedRun | None:
        """A run that waits, or ``None`` when ``wake`` is set before there is one: while Prefect is away, the client
        tries for a minute to make one. Raises what kept it from beginning, when Prefect refuses."""
        while self._current is None or not self._current.waits:
            if self._current is not None and self._current.going.done():
                self._current.going.result()  # it failed where it waited: that is news
            self._next = self._next or self._make_soon()
            await _wait_for_first(self._next, wake.wait())
            if not self._next.done():
                return None
            made, self._next = self._next, None
            self._current = made.result()
        if self._next is None:
            self._next = self._make_soon()
        return self._current

    async def close(self) -> None:
        """Nobody is there any more for the runs that wait: they leave no trace."""
        ready = [self._current] if self._current is not None and self._current.waits else []
        if self._next is not None:
            # not cancelled at once: the server may have made it already. What is left, housekeeping deletes
            await asyncio.wait({self._next}, timeout=PATIENCE)
            if not self._next.done():
                self._next.cancel()
            elif not self._next.cancelled() and self._next.exception() is None:
                ready.append(self._next.result())
        for each in ready:
            each.offer.give(None)
        if ready:
            await asyncio.wait({each.going for each in ready}, timeout=PATIENCE)
        for each in ready:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(PATIENCE):
                    await self._client.delete_flow_run(each.flow_run.id)

    def _make_soon(self) -> asyncio.Task[StartedRun]:
        return asyncio.create_task(self._make())

    async def _make(self) -> StartedRun:
        flow_run = await self._client.create_flow_run_from_deployment(
            self._deployment, state=Pending(message="Kept ready for the next leads"), name=NAME, tags=self._tags
        )
        offer = self._offers[str(flow_run.id)] = Offer()
        going = asyncio.create_task(self._run(flow_run))
        going.add_done_callback(_note_result)
        await _wait_for_first(going, offer.waits.wait())
        return StartedRun(flow_run, offer, going)

    async def _run(self, flow_run: FlowRun) -> State[Any]:
        try:
            return await self._begin(flow_run)
        finally:
            self._offers.pop(str(flow_run.id), None)


async def _wait_for_first(task: asyncio.Task[Any], other: Coroutine[Any, Any, Any]) -> None:
    """Return when ``task`` is done, or ``other``; ``task`` goes on."""
    beside = asyncio.create_task(other)
    try:
        await asyncio.wait({task, beside}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        beside.cancel()


def _note_result(task: asyncio.Task[Any]) -> None:
    """A caller that waits for a run gets its error; when none waits, the run's state shows it."""
    if not task.cancelled():
        task.exception()
