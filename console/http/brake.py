"""A brake on what is posted: the more leads wait for a consumer, the later a request is answered.

Belongs here: how long an answer is held back, and looking at how many wait. Does not belong here: refusing
(the limits of a source, the writer's queue).

Nothing is refused and nothing is lost for it. Senders that wait for their answers, as nearly all do, send more
slowly; so what waits stays bounded, and a lead that is posted now is not behind an hour's worth of others.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from leadgate.ledger import Ledger, consumers

LOOK_EVERY: Final = 0.5  # seconds
LONGEST: Final = 2.0  # seconds; senders of web hooks give up after five or ten


def held_back(waiting: int, from_: int) -> float:
    """Seconds by which an answer is late while ``waiting`` leads wait: none up to ``from_``, most from twice that."""
    if from_ <= 0 or waiting <= from_:
        return 0.0
    return min(1.0, (waiting - from_) / from_) * LONGEST


class Brake:
    """Looks every so often while it is entered. ``from_`` leads that wait are no reason to brake; 0: never brake."""

    def __init__(self, ledger: Ledger, from_: int) -> None:
        self._ledger, self._from = ledger, from_
        self.seconds = 0.0  #: how long an answer is held back now
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Brake:
        if self._from > 0:
            self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def hold(self) -> None:
        """Wait as long as an answer is to be held back now."""
        if self.seconds:
            await asyncio.sleep(self.seconds)

    async def _look(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # the writer meets the same trouble, and its answers say so
                self.seconds = held_back(
                    await asyncio.to_thread(consumers.count_waiting, self._ledger, 2 * self._from), self._from
                )
            await asyncio.sleep(LOOK_EVERY)
