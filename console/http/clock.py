"""The ledger's time for HTTP capture, without a query for each request.

Belongs here: asking every so often, and adding the seconds since. Does not belong here: what a time is needed for.

This host's time of day is used only to tell people how far it is off (``ledger.clock``): signatures are judged, and
signals dated, by one clock on every host.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from console.http.repeated_look import RepeatedLook
from leadgate.ledger import Ledger, hosts

LOOK_EVERY: Final = 5.0  # seconds; what two clocks drift apart meanwhile is microseconds


class LedgerClock:
    """Asks the ledger what time it is while it is entered; ``now()`` answers from the last reading."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # until the ledger has answered once, this host's
        self._reading = hosts.Reading(datetime.now(UTC), time.monotonic(), hosts.Skew(0.0))
        self._looking = RepeatedLook(self._look, every=LOOK_EVERY)

    def now(self) -> datetime:
        """The ledger's time. Costs nothing, and goes on while PostgreSQL is away."""
        reading = self._reading
        return reading.moment + timedelta(seconds=time.monotonic() - reading.counted)

    @property
    def skew(self) -> float:
        """How many seconds this host's clock is ahead of the ledger's."""
        return self._reading.skew.seconds

    async def __aenter__(self) -> LedgerClock:
        await self._looking.__aenter__()
        await self._looking.wait_for_first()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._looking.__aexit__()

    async def _look(self) -> None:
        self._reading = await asyncio.to_thread(hosts.note, self._ledger)
