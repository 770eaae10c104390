"""Serves a fake of somebody else's service over real HTTP on loopback, with faults by plan or by chance.

Belongs here: the server, faults, and the log of requests. Does not belong here: what a vendor's service does, which is
a subclass of ``FakeService`` in a file of its own.

A fake is started with ``with serve(fake) as base_url``. It answers each request in a thread of the server, under one
lock, so that a fake needs no locks of its own. Faults happen outside of the lock.

    fake.faults.plan(RESET_AFTER)                                   # the next request
    fake.faults.plan(answer_with(503), answer_with(502), matching="batch/upsert")
    fake.faults.by_chance({RESET_BEFORE: 0.05, SILENCE_AFTER: 0.02}, seed=7)
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

_SILENCE_ENDS: Final = 60.0  # seconds, for a client without a time-out


@dataclass(frozen=True)
class Request:
    """A request as it came. Header names are in lower case; ``segments`` are the decoded parts of the path."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(unquote(part) for part in self.path.split("/") if part)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON. Raises ``ValueError`` when it is none."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Response:
    """An answer. ``body`` is sent as it is when it is bytes, and as JSON otherwise; None is an empty body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else orjson.dumps(self.body)


class Ending(Enum):
    """How a request ends that gets no answer."""

    RESET = "the connection is reset"
    SILENCE = "the client waits until its time is over"


@dataclass(frozen=True, eq=False)
class Fault:
    """What goes wrong with a request. ``acts``: the service does what it was asked to, and fails afterwards.

    ``then``: the answer, or how the request ends without one. A function makes the answer from the right one.
    """

    name: str
    acts: bool
    then: Response | Ending | Callable[[Response], Response]


RESET_BEFORE: Final = Fault("reset before", acts=False, then=Ending.RESET)
RESET_AFTER: Final = Fault("reset after", acts=True, then=Ending.RESET)
SILENCE_BEFORE: Final = Fault("silence before", acts=False, then=Ending.SILENCE)
SILENCE_AFTER: Final = Fault("silence after", acts=True, then=Ending.SILENCE)


def answer_with(status: int, body: Any = None, *, acts: bool = False, **headers: str) -> Fault:
    """An answer that replaces the right one. ``_`` in the names of ``headers`` stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(f"{status}{' after' if acts else ''}", acts=acts, then=Response(status, body, named))


def change_answer(change: Callable[[Response], Response], name: str = "changed") -> Fault:
    """The service acts, and its answer is changed on the way."""
    return Fault(name, acts=True, then=change)


@dataclass
class _Plan:
    faults: list[Fault]
    matching: str


class Faults:
    """Which requests fail, and how: first what was planned, in its order, then by chance."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []
        self._chances: Mapping[Fault, float] = {}
        self._random = random.Random(0)
        self._lock = threading.Lock()

    def plan(self, *faults: Fault, matching: str = "", times: int = 1) -> None:
        """The next requests whose method and target contain ``matching`` get these faults, one each."""
        with self._lock:
            self._plans.append(_Plan(list(faults) * times, matching))

    def by_chance(self, chances: Mapping[Fault, float], *, seed: int) -> None:
        """From now on a request gets a fault with its chance, from 0 to 1. The chances add up to at most 1."""
        with self._lock:
            self._chances, self._random = dict(chances), random.Random(seed)

    def stop(self) -> None:
        with self._lock:
            self._plans, self._chances = [], {}

    @property
    def are_used_up(self) -> bool:
        """Whether every planned fault has happened."""
        return not any(plan.faults for plan in self._plans)

    def draw(self, request: Request) -> Fault | None:
        with self._lock:
            for plan in self._plans:
                if plan.faults and plan.matching in f"{request.method} {request.target}":
                    return plan.faults.pop(0)
            drawn = self._random.random() if self._chances else 1.0
            for fault, chance in self._chances.items():
                if drawn < chance:
                    return fault
                drawn -= chance
        return None


@dataclass(frozen=True)
class Exchange:
    """One request, the fault that it met, and its answer; None without one."""

    request: Request
    fault: Fault | None
    response: Response | None
    at: float  # by time.monotonic()


class FakeService:
    """The base of a fake. A subclass answers requests and keeps its state, for tests to look at."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.log: list[Exchange] = []
        self.errors: list[str] = []  # of the fake itself, which a test should look at
        self.lock = threading.RLock()
        self.latency = 0.0  # seconds that each answer takes

    def answer(self, request: Request) -> Response:
        """Do what ``request`` asks. Called under ``lock``."""
        raise NotImplementedError

    def requests(self, matching: str = "") -> list[Request]:
        """What was sent, in order, where method and target contain ``matching``."""
        return [e.request for e in list(self.log) if matching in f"{e.request.method} {e.request.target}"]

    def handle(self, request: Request) -> Response | Ending:
        fault = self.faults.draw(request)
        with self.lock:
            real = self.answer(request) if fault is None or fault.acts else None
        then = real if fault is None else fault.then
        if then is None:
            raise AssertionError("a request without a fault has its answer")
        outcome = then if isinstance(then, Response | Ending) else then(real or Response())
        self.log.append(Exchange(request, fault, outcome if isinstance(outcome, Response) else None, time.monotonic()))
        return outcome


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.sockets.add(self.connection)

    def finish(self) -> None:
        self.server.sockets.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client went away, or the test is over
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """A test's output is not a server's log."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        outcome = self.server.fake.handle(request)
        if self.server.fake.latency:
            time.sleep(self.server.fake.latency)
        if outcome is Ending.SILENCE:
            self._wait_for_the_client_to_leave()
        elif outcome is Ending.RESET:
            self._reset()
        elif isinstance(outcome, Response):
            self._send(outcome)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - as http.server calls them

    def _send(self, response: Response) -> None:
        content = response.content
        phrase = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else "Other"
        sent = {"Content-Type": "application/json;charset=utf-8", **response.headers, "Content-Length": len(content)}
        head = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {value}" for name, value in sent.items())]
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + content)

    def _wait_for_the_client_to_leave(self) -> None:
        select.select([self.connection], [], [], _SILENCE_ENDS)
        self.close_connection = True

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.sockets.discard(self.connection)
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, fake: FakeService) -> None:
        self.fake = fake
        self.sockets: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A fault of the fake itself is the log's, and the client sees a broken connection."""
        self.fake.errors.append(traceback.format_exc())


@contextlib.contextmanager
def serve(fake: FakeService) -> Iterator[str]:
    """Serve ``fake`` on a free port of loopback; gives its base URL."""
    server = _Server(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        for open_socket in list(server.sockets):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        thread.join(5)
