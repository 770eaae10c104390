"""Live pages: a stream of server-sent events that says that something changed, so that a page fetches itself again.

Belongs here: the stream of one open page. Does not belong here: listening for changes (``announced_changes``), what is
announced (``ledger.announcements``), or what a page shows.

An event names the kind of thing that changed and no lead: the page then asks for what its visitor may see. A page about
one lead hears of no other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from console.web.announced_changes import END
from console.web.site import TheSite
from console.web.visitors import Visitor, require_visitor
from leadgate.ledger import announcements

router = APIRouter()
_ALIVE_EVERY: Final = 20.0  # seconds; proxies close a connection on which nothing happens
_TOGETHER: Final = 0.2  # seconds in which announcements become one event
_LASTS: Final = 600.0  # seconds of one stream: then the browser comes again, and its session is read again


@router.get("/live")
async def stream(
    site: TheSite,
    visitor: Annotated[Visitor, Depends(require_visitor)],
    lead: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """Server-sent events: ``event: changed`` with the names of what changed; an empty one at the start. ``lead``: of
    changes that may be about this lead."""
    stack = contextlib.ExitStack()
    queue = stack.enter_context(site.changes.subscribe(visitor.account.id))
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
            if END not in changes:
                await asyncio.sleep(_TOGETHER)
            while not queue.empty():
                changes.add(queue.get_nowait())
            if END in changes:
                return
            kinds = {announcements.find_kind(change, lead) for change in changes} - {None}
            if kinds:
                yield f"event: changed\ndata: {' '.join(sorted(map(str, kinds)))}\n\n"
