"""Connections of HTTP capture: how many there may be, and how long a sender may take to send a request.

Belongs here: the limits of connections, and the protocol of uvicorn that keeps them. Does not belong here: reading a
body (``incoming``), or judging a request (``capture_api``).

uvicorn has a time limit for idle connections only: neither one for the head of a request nor a cap on connections
(``limit_concurrency`` answers 503 once a head is there, and counts the connections that send none).
Of the other servers, granian has a time limit for heads and hypercorn one for each read; none of them caps
connections in favour of the newest, nor asks for a rate, so this file would be needed for each of them.

A sender who sends nothing, or slowly, costs only what such senders can have together. At a limit the connection that
has kept the server waiting for the longest is closed, never the one that comes: an honest request is whole within
milliseconds, so it is hardly ever the oldest.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from console.http.addresses import Network, is_one_of

HEAD_WITHIN: Final = 10.0  # seconds from its first byte, or from the connection, for the head of a request
REQUEST_WITHIN: Final = 45.0  # seconds for a whole request; ``incoming`` is stricter, and answers
TAKEN_WITHIN: Final = 30.0  # seconds for the sender to take some of an answer from the line
MOST_HEAD: Final = 16 * 1024  # bytes of a head
_MOST: Final = 4096  # connections; each may hold a head and some of a body
_ENOUGH: Final = 16_384  # descriptors; more are of no use
_OURS: Final = 128  # descriptors for PostgreSQL, logs and the event loop
_BACKLOG: Final = 1024
_SWEEP_EVERY: Final = 1.0  # seconds


@dataclass(frozen=True)
class Limits:
    """How many connections there may be, and how many may wait to be accepted."""

    connections: int
    backlog: int

    @classmethod
    def of(cls, descriptors: int) -> Limits:
        """Limits for a process that may have so many open files.

        All that wait are accepted at once, before any connection that is over the limit has been closed; and those
        that are being closed still count. So four times the backlog stays free.
        """
        backlog = max(16, min(_BACKLOG, descriptors // 16))
        return cls(max(16, min(_MOST, descriptors - 4 * backlog - _OURS)), backlog)


def raise_descriptors() -> int:
    """Raise the soft limit of open files as far as is of use and allowed. Returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(_ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


class _Wait(NamedTuple):
    since: float
    idle: bool  # nothing is begun: uvicorn's own limit holds


class Connections:
    """The connections of one server, by what they wait for. All of it belongs to the event loop.

    Those whose sender has begun a connection or a request and not ended it, and those that are idle between two
    requests, are kept with the moment since when, the oldest first. The others wait for us.
    """

    def __init__(self, limits: Limits, proxies: Collection[Network] = ()) -> None:
        self.limits = limits
        self._proxies = tuple(proxies)
        self._waiting: dict[GuardedProtocol, _Wait] = {}
        self._stalled: dict[GuardedProtocol, float] = {}
        self._addresses: Counter[str] = Counter()
        self.count = 0  #: those that are open
        self._sweeping = False
        self.closed: Counter[str] = Counter()  #: for metrics: connections that were closed, by reason

    def build_protocol(self, **given: Any) -> GuardedProtocol:
        """What uvicorn calls for each connection."""
        return GuardedProtocol(self, **given)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def open(self, connection: GuardedProtocol) -> None:
        self.count += 1
        self._addresses[connection.address] += 1
        self._waiting[connection] = _Wait(self.now(), idle=False)
        if self.count > self.limits.connections:
            self._close(self._find_oldest(None) or connection, "too_many")
        elif self._addresses[connection.address] > self.limits.connections // 2 and not self._is_proxy(connection):
            self._close(self._find_oldest(connection.address) or connection, "too_many_of_one")
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(_SWEEP_EVERY, self._sweep)

    def note_lost(self, connection: GuardedProtocol) -> None:
        self.count -= 1
        self._addresses[connection.address] -= 1
        if not self._addresses[connection.address]:
            del self._addresses[connection.address]
        self._forget(connection)

    def note_wait(self, connection: GuardedProtocol, where: str) -> None:
        """``where``: the connection waits for its sender's ``head`` or ``body``, is ``idle``, or waits for ``us``."""
        before = self._waiting.get(connection)
        if where == "us":
            self._waiting.pop(connection, None)
        elif before is None or before.idle != (where == "idle"):
            self._waiting.pop(connection, None)  # so that the connection comes last
            self._waiting[connection] = _Wait(self.now(), idle=where == "idle")

    def note_stall(self, connection: GuardedProtocol, stalled: bool) -> None:
        """Whether the sender leaves so much of an answer on the line that no more can be written."""
        if stalled:
            self._stalled.setdefault(connection, self.now())
        else:
            self._stalled.pop(connection, None)

    def _find_oldest(self, address: str | None) -> GuardedProtocol | None:
        return next((each for each in self._waiting if address is None or each.address == address), None)

    def _close(self, connection: GuardedProtocol, reason: str) -> None:
        self.closed[reason] += 1
        self._forget(connection)
        connection.transport.abort()

    def _forget(self, connection: GuardedProtocol) -> None:
        self._waiting.pop(connection, None)
        self._stalled.pop(connection, None)

    def _is_proxy(self, connection: GuardedProtocol) -> bool:
        return is_one_of(connection.address, self._proxies)

    def _sweep(self) -> None:
        now = self.now()
        late = [
            connection
            for connection, wait in self._waiting.items()
            if not wait.idle
            and now - wait.since > (HEAD_WITHIN if connection.describe_wait() == "head" else REQUEST_WITHIN)
        ]
        for connection in late:
            self._close(connection, "slow")
        for connection in [each for each, since in self._stalled.items() if now - since > TAKEN_WITHIN]:
            self._close(connection, "answer_not_taken")
        self._sweeping = self.count > 0
        if self._sweeping:
            asyncio.get_running_loop().call_later(_SWEEP_EVERY, self._sweep)


class GuardedProtocol(H11Protocol):
    """uvicorn's protocol for HTTP/1.1, which tells ``Connections`` what it waits for."""

    def __init__(self, connections_of_server: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._kept_by = connections_of_server
        self.address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._kept_by.open(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._kept_by.note_lost(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._tell()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._tell()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._kept_by.note_stall(self, True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._kept_by.note_stall(self, False)

    def _tell(self) -> None:
        self._kept_by.note_wait(self, self.describe_wait())

    def describe_wait(self) -> str:
        """What the connection waits for: its sender's ``head`` or ``body``, ``us``, or ``idle``: nothing."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            return "body" if cycle.more_body else "us"
        if cycle is None or self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            return "head"
        return "head" if self.conn.trailing_data[0] else "idle"
