"""Something that HTTP capture looks at again and again while it runs, such as the ledger's time.

Belongs here: when to look, and ending in order. Does not belong here: what is looked at (``brake``, ``clock``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


class RepeatedLook:
    """Calls ``look`` at once and then every ``seconds``, while it is entered."""

    def __init__(self, look: Callable[[], Awaitable[None]], *, every: float) -> None:
        self._look, self._every = look, every
        self._first = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> RepeatedLook:
        self._task = asyncio.create_task(self._look_again_and_again())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def wait_for_first(self) -> None:
        """Wait until the first look is over, whatever came of it."""
        await self._first.wait()

    async def _look_again_and_again(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # the writer meets the same trouble, and its answers say so
                await self._look()
            self._first.set()
            await asyncio.sleep(self._every)
