"""Changes that PostgreSQL announces, passed on to each open page of this process.

Belongs here: the thread that listens, and the queue of each page. Does not belong here: what is announced
(``ledger.announcements``), or the answer that a page reads (``live``).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Final

from leadgate.ledger import Ledger, announcements

_MOST_STREAMS: Final = 500
_MOST_OF_ONE: Final = 10  # streams of one account: pages that are open at once
END: Final = "end"  # in a queue, after which nothing comes


class AnnouncedChanges:
    """One thread that listens for all pages of this process. All else belongs to the event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._streams: dict[asyncio.Queue[str], int] = {}
        self._ends = threading.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def tell(change: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._pass_on, change)

        listening = (self._ledger, announcements.CHANGED, tell, self._ends)
        threading.Thread(target=announcements.listen, args=listening, name="announcements", daemon=True).start()
        try:
            yield
        finally:
            self.end()  # the thread ends within a second

    def end(self) -> None:
        """End all streams. A server that stops calls this first: it waits for its answers, and a stream is one."""
        self._ends.set()
        self._pass_on(END)

    @contextlib.contextmanager
    def subscribe(self, account_id: int) -> Iterator[asyncio.Queue[str] | None]:
        """A queue of what changes from now on; None when there are too many."""
        of_account = sum(each == account_id for each in self._streams.values())
        if self._ends.is_set() or len(self._streams) >= _MOST_STREAMS or of_account >= _MOST_OF_ONE:
            yield None
            return
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._streams[queue] = account_id
        try:
            yield queue
        finally:
            del self._streams[queue]

    def _pass_on(self, change: str) -> None:
        for queue in self._streams:
            queue.put_nowait(change)
