"""Live pages: a stream of server-sent events that says that something changed, so that a page fetches itself again.

Belongs here: listening to PostgreSQL's announcements, and passing them on to each open page. Does not belong here: what
is announced (``ledger.announcements``), or what a page shows.

An event names the kind of thing that changed and no lead: the page then asks for what its visitor may see. A page about
one lead hears of no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from console.web.visitors import Visitor, require_visitor
from leadgate.ledger import Ledger, announcements

router = APIRouter()
_ALIVE_EVERY: Final = 20.0  # seconds; proxies close a connection on which nothing happens
_TOGETHER: Final = 0.2  # seconds in which announcements become one event
_LASTS: Final = 600.0  # seconds of one stream: then the browser comes again, and its session is read again
_MOST_STREAMS: Final = 500
_MOST_OF_ONE: Final = 10  # streams of one account: pages that are open at once
_END: Final = "end"


class Announcements:
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
        """End all streams: a server that stops waits for its answers."""
        self._ends.set()
        self._pass_on(_END)

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


@router.get("/live")
async def stream(
    request: Request,
    visitor: Annotated[Visitor, Depends(require_visitor)],
    lead: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """Server-sent events: ``event: changed`` with the names of what changed; an empty one at the start. ``lead``: of
    changes that may be about this lead."""
    live: Announcements = request.app.state.announcements
    stack = contextlib.ExitStack()
    queue = stack.enter_context(live.subscribe(visitor.account.id))
    if queue is None:
        return PlainTextResponse("too many pages are open; this one does not update itself\n", 429)
    return StreamingResponse(_write_events(queue, stack, lead), media_type="text/event-stream")


async def _write_events(queue: asyncio.Queue[str], stack: contextlib.ExitStack, lead: int | None) -> AsyncIterator[str]:
    with stack:
        yield "retry: 2000\nevent: changed\ndata:\n\n"
        until = asyncio.get_running_loop().time() + _LASTS
        while asyncio.get_running_loop().time() < until:
            try:
                changes = {await asyncio.wait_for(queue.get(), _ALIVE_EVERY)}
            except TimeoutError:
                yield ": nothing changed\n\n"
                continue
            if _END not in changes:
                await asyncio.sleep(_TOGETHER)
            while not queue.empty():
                changes.add(queue.get_nowait())
            if _END in changes:
                return
            kinds = {announcements.find_kind(change, lead) for change in changes} - {None}
            if kinds:
                yield f"event: changed\ndata: {' '.join(sorted(map(str, kinds)))}\n\n"
