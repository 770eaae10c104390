"""The ledger's time for HTTP capture, without a query for each request.

Belongs here: asking every so often, and adding the seconds since. Does not belong here: what a time is needed for.

This host's time of day is used only to tell people how far it is off (``ledger.clock``): signatures are judged, and
signals dated, by one clock on every host.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from leadgate.ledger import Ledger
from leadgate.ledger.clock import time_of

LOOK_EVERY: Final = 5.0  # seconds; what two clocks drift apart meanwhile is microseconds


class LedgerClock:
    """Asks the ledger what time it is while it is entered; ``now()`` answers from the last reading."""

    def __init__(self, ledger: Ledger, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._monotonic = ledger, monotonic
        # the ledger's time, and the seconds that were counted then; this host's until the ledger has answered once
        self._reading = (datetime.now(UTC), monotonic())
        self._looking: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        """The ledger's time. Costs nothing, and goes on while PostgreSQL is away."""
        moment, counted = self._reading
        return moment + timedelta(seconds=self._monotonic() - counted)

    def read(self) -> None:
        """Ask the ledger."""
        before = self._monotonic()
        moment = time_of(self._ledger)
        self._reading = moment, (before + self._monotonic()) / 2

    async def __aenter__(self) -> LedgerClock:
        with contextlib.suppress(Exception):  # the next look finds PostgreSQL back
            await asyncio.to_thread(self.read)
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with contextlib.suppress(Exception):  # the writer meets the same trouble, and its answers say so
                await asyncio.to_thread(self.read)
