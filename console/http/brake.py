"""A brake on what is posted: the more leads wait for a consumer, the later a request is answered.

Belongs here: how long an answer is held back. Does not belong here: refusing
(the limits of a source, the writer's queue).

Nothing is refused and nothing is lost for it. Senders that wait for their answers, as nearly all do, send more
slowly; so what waits stays bounded, and a lead that is posted now is not behind an hour's worth of others.
"""

from __future__ import annotations

import asyncio
from typing import Final

from console.http.repeated_look import RepeatedLook
from leadgate.ledger import Ledger, consumers

LOOK_EVERY: Final = 0.5  # seconds
MAX_DELAY: Final = 2.0  # seconds; senders of web hooks give up after five or ten


def compute_delay(waiting: int, from_: int) -> float:
    """Seconds by which an answer is late while ``waiting`` leads wait: none up to ``from_``, most from twice that."""
    if from_ <= 0 or waiting <= from_:
        return 0.0
    return min(1.0, (waiting - from_) / from_) * MAX_DELAY


class Brake:
    """Looks every so often while it is entered. ``from_`` leads that wait are no reason to brake; 0: never brake."""

    def __init__(self, ledger: Ledger, from_: int) -> None:
        self._ledger, self._from = ledger, from_
        self.seconds = 0.0  #: how long an answer is held back now
        self._looking = RepeatedLook(self._look, every=LOOK_EVERY)

    async def __aenter__(self) -> Brake:
        if self._from > 0:
            await self._looking.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._looking.__aexit__()

    async def hold(self) -> None:
        """Wait as long as an answer is to be held back now."""
        if self.seconds:
            await asyncio.sleep(self.seconds)

    async def _look(self) -> None:
        waiting = await asyncio.to_thread(consumers.count_waiting, self._ledger, 2 * self._from)
        self.seconds = compute_delay(waiting, self._from)
