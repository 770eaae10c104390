"""One request as it comes in: its body, read within limits of time and of bytes.

Belongs here: deadlines of bodies, the bytes that bodies may take together, and an end of the connection that lets the
answer arrive. Does not belong here: connections and heads (``connections``), judging a request (``capture_api``).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from console.http.responses import RefusedError

BODY_WITHIN: Final = 30.0  # seconds for a whole body
GRACE: Final = 5.0  # seconds from which on a body must have come at `LEAST_RATE`
LEAST_RATE: Final = 1_000  # bytes a second
_LINGER: Final = 5.0  # seconds for which a body that nobody wants is taken off the line
_LINGER_BYTES: Final = 16 * 1024**2
_CLOSE: Final = (b"connection", b"close")


class Budget:
    """Bytes of bodies in hand. When they are too many, the bodies that have been coming for the longest are given up
    for those that come: an honest one is there within milliseconds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.used = 0
        self._coming: dict[Incoming, None] = {}  # the oldest first

    def take(self, incoming: Incoming, size: int) -> None:
        """Count ``size`` more bytes for ``incoming``. Raises ``RefusedError`` when nothing can be given up for them."""
        self.used += size
        incoming.held += size
        if not incoming.ended:
            self._coming[incoming] = None
        else:
            self._coming.pop(incoming, None)
        while self.used > self._most:
            oldest = next(iter(self._coming), incoming)
            if oldest is incoming:
                raise build_busy_error()
            self.give_back(oldest)
            oldest.give_up()

    def give_back(self, incoming: Incoming) -> None:
        self.used -= incoming.held
        incoming.held = 0
        self._coming.pop(incoming, None)


class Incoming:
    """A request whose body is read once, as far as it is wanted."""

    def __init__(self, request: Request) -> None:
        self.held = 0  #: bytes that its budget counts
        self.ended = False  #: whether the whole body was taken off the line
        self._request = request
        self._receive = request.receive
        self._budget: Budget | None = None
        self._deadline: asyncio.Timeout | None = None
        self._given_up = False

    async def read(self, most: int, budget: Budget) -> bytes:
        """The whole body. Raises ``RefusedError`` for one that is too large, too slow, or too much with the others."""
        self._budget = budget
        if self._read_announced() > most:
            raise _build_too_large_error()
        chunks: list[bytes] = []
        size = 0
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(started + GRACE) as self._deadline:
                while not self.ended:
                    chunk = await self._receive_next()
                    size += len(chunk)
                    if size > most:
                        raise _build_too_large_error()
                    budget.take(self, len(chunk))
                    chunks.append(chunk)
                    if not self.ended and not self._given_up:
                        by_rate = started + GRACE + size / LEAST_RATE
                        self._deadline.reschedule(min(started + BODY_WITHIN, by_rate))
        except TimeoutError:
            if self._given_up:
                raise build_busy_error() from None
            words = f"the body did not arrive within {BODY_WITHIN:g} s, or at less than {LEAST_RATE:,} bytes a second"
            raise RefusedError(408, "slow", words) from None
        finally:
            self._deadline = None
        return b"".join(chunks)

    def move(self, budget: Budget) -> None:
        """Count the body in another budget from now on: that of the source which sent it."""
        size = self.held
        self.release()
        self._budget = budget
        budget.take(self, size)

    def release(self) -> None:
        """The body is not in hand any longer."""
        if self._budget is not None:
            self._budget.give_back(self)

    def give_up(self) -> None:
        """End the reading of this body now: its bytes are needed for others."""
        self._given_up = True
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())

    async def drain(self) -> None:
        """Take what is left of the body off the line, within limits: a connection that is closed with bytes unread is
        reset, and the answer may be lost with it."""
        size = 0
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(_LINGER):
                while not self.ended and size < _LINGER_BYTES:
                    size += len(await self._receive_next())

    async def _receive_next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self.ended = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    def _read_announced(self) -> int:
        length = self._request.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


class LastResponse(Response):
    """An answer to a request whose body was not wanted: sent at once, then the rest of the body is let in, then the
    connection is closed."""

    def __init__(self, response: Response, incoming: Incoming) -> None:
        super().__init__(status_code=response.status_code)
        self.body = response.body
        self.raw_headers = [*response.raw_headers]
        if _CLOSE not in self.raw_headers:
            self.raw_headers.append(_CLOSE)
        self._incoming = incoming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await self._incoming.drain()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def build_busy_error() -> RefusedError:
    return RefusedError(503, "busy", "too many bodies at once; send the same again", retry_after=1)


def _build_too_large_error() -> RefusedError:
    return RefusedError(413, "too_large", "the body is larger than the source may send")
