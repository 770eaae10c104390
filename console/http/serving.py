"""A server process of HTTP on loopback: its socket, uvicorn's settings, and an orderly end.

Belongs here: what HTTP capture and the console share as processes. Does not belong here: any answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp

from console.http.connections import MOST_HEAD, Connections
from console.screen import CommandError, say
from leadgate.errors import ExitCode

HOST: Final = "127.0.0.1"
_SAY_EVERY: Final = 60.0  # seconds
_END_WITHIN: Final = 20  # seconds for the requests that are being answered


def build_config(app: ASGIApp, connections: Connections) -> uvicorn.Config:
    """How an application is served: the server says nothing of itself, and logs no request."""
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", connections.build_protocol),
        backlog=connections.limits.backlog,
        h11_max_incomplete_event_size=MOST_HEAD,
        host=HOST,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",  # what it would say holds tracebacks, and those hold values
        proxy_headers=False,
        ws="none",
        lifespan="on",  # without its threads there is nothing to serve
        timeout_keep_alive=75,  # longer than the proxies in front of it, so that they close first
        timeout_graceful_shutdown=_END_WITHIN,
    )


class Server(uvicorn.Server):
    """Ends in order on ctrl-C and SIGTERM, and does not raise them again: to be ended is how its command ends.

    ``end_streams`` ends the answers that last as long as their page is open; all others are waited for.
    """

    def __init__(self, config: uvicorn.Config, part: str, end_streams: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._part = part
        self._end_streams = end_streams

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(_Troubles(self._part).say)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._end_streams is not None:
            self._end_streams()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # signals go to the main thread
            yield
            return
        before = {which: signal.signal(which, self.handle_exit) for which in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for which, handler in before.items():
                signal.signal(which, handler)


class _Troubles:
    """Errors that nobody awaits, such as a connection that could not be accepted: each once in a while, without the
    values that its traceback would show. The event loop would write a page for each of them."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._said: dict[str, float] = {}

    def say(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        kind = type(context.get("exception")).__name__
        if loop.time() - self._said.get(kind, -_SAY_EVERY) >= _SAY_EVERY:
            self._said[kind] = loop.time()
            say(f"{self._part}: {kind} in the event loop; told once in {_SAY_EVERY:.0f} s")


def open_socket(port: int, variable: str) -> socket.socket:
    """A socket that listens on ``port``. Raises ``CommandError``, which names the ``variable`` that chooses it."""
    # the protocol is named because asyncio turns Nagle's delay off for such sockets only: 40 ms an answer
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen()
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"port {port} of {HOST} is taken; end what listens there, or choose another with --port or {variable}",
                ExitCode.UNREACHABLE,
            ) from None
        raise CommandError(f"cannot listen on port {port} of {HOST}: {error.strerror}", ExitCode.UNREACHABLE) from error
    return opened
