"""HTTP capture: ``POST /capture/{source}``, and what a monitoring system asks.

Belongs here: the routes, and the order in which a request is judged. Does not belong here: who may post
(``http_auth``), reading a body (``http_body``), storing (``http_writer``), the process (``listening``).

A request is answered with 202 once the transaction that holds its signals is committed; any other answer says that
nothing of it is known to be stored. Prefect is not needed, and never imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from console import http_body, http_metrics
from console.http_answers import RefusedError, answer, unauthorised
from console.http_auth import Doors, Given, bearer
from console.http_body import Body
from console.http_brake import Brake
from console.http_clock import LedgerClock
from console.http_rate import TokenBucket
from console.http_writer import BrokenError, Outcome, UnavailableError, Writer, gone, report
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, metrics
from leadgate.playbook import HttpCapture, Playbook, Source
from tasks import activities
from tasks.capture import key_of

_READ_WITHIN: Final = 30.0  # seconds, for a body to arrive
_STORED_WITHIN: Final = 30.0  # seconds, before a sender is told to come again
_UNREAD: Final = 16 * 1024**2  # bytes of a body that is too large, taken off the line so that the answer is read
_IN_HAND: Final = 64 * 1024**2  # bytes of bodies that are being read or stored at one time
_READ_AT_ONCE: Final = 128 * 1024  # bytes of a body that is read between two other requests
_KEY_LENGTH: Final = 255  # characters of an Idempotency-Key
_AWAY: Final = 5  # seconds to wait for a PostgreSQL that is away


def app_of(
    ledger: Ledger,
    playbook: Playbook,
    environ: Mapping[str, str],
    *,
    metrics_token: str | None = None,
    brake_from: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The application. It has a thread of its own from start-up to shutdown (ASGI's lifespan).

    Answers are held back while more than ``brake_from`` leads wait; 0: never.
    ``clock`` counts seconds for the rates of sources.
    """
    desk = _Desk(ledger, playbook, Doors(playbook, environ), Brake(ledger, brake_from), LedgerClock(ledger), clock)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        desk.writer = Writer(ledger)
        try:
            async with desk.clock, desk.brake:
                yield
        finally:
            await asyncio.to_thread(desk.writer.stop)

    app = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan,
        exception_handlers={HTTPException: _no_such_page},
    )  # fmt: skip

    @app.post("/capture/{source}")
    async def capture(request: Request, source: str) -> Response:
        return await desk.answer(desk.capture(request, source))

    @app.get("/healthz")
    async def healthz() -> Response:
        return answer(200, {"status": "alive"})

    @app.get("/readyz")
    async def readyz() -> Response:
        return await desk.answer(desk.ready())

    @app.get("/metrics")
    async def metrics_page(request: Request) -> Response:
        if metrics_token is None:
            raise HTTPException(404)
        given = request.headers.get("authorization")
        return await desk.answer(desk.metrics(metrics_token, given))

    return app


async def _no_such_page(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        refused = RefusedError(405, "method", "this address takes another method; see its Allow header")
        response = refused.response()
        response.headers.update(error.headers or {})
        return response
    return RefusedError(404, "not_found", "there is nothing at this address; signals go to /capture/SOURCE").response()


class _Desk:
    """What one process keeps between requests. All of it belongs to the event loop; only the writer is a thread."""

    writer: Writer

    def __init__(
        self,
        ledger: Ledger,
        playbook: Playbook,
        doors: Doors,
        brake: Brake,
        clock: LedgerClock,
        seconds: Callable[[], float],
    ) -> None:
        self.brake, self.clock = brake, clock
        self._ledger, self._doors = ledger, doors
        self._sources = {name: source for name, source in playbook.sources.items() if source.http is not None}
        self._buckets: dict[str, TokenBucket] = {}
        self._most_bytes = 0
        for name, source in self._sources.items():
            http = _http_of(source)
            self._buckets[name] = TokenBucket(http.per_second, http.burst, seconds)
            self._most_bytes = max(self._most_bytes, http.max_bytes)
        self._readers = {
            name: activities.Reader(name, "HTTP", playbook, clock.now(), unit="payload")
            for name, source in self._sources.items()
            if source.kind == "activities"
        }
        self._in_hand = 0
        self._refused: Counter[tuple[int, str]] = Counter()
        # one question of a kind at a time, so that the writer finds a connection, too
        self._asking = {"ready": asyncio.Lock(), "metrics": asyncio.Lock()}

    async def answer(self, work: Any) -> Response:
        """The response that ``work`` leads to; whatever goes wrong in it tells the sender nothing of the inside."""
        try:
            response: Response = await work
            return response
        except RefusedError as refused:
            self._refused[refused.status, refused.error] += 1
            return refused.response()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception as error:
            report(error)
            self._refused[500, "unexpected"] += 1
            return RefusedError(500, "unexpected", _UNEXPECTED).response()

    async def capture(self, request: Request, name: str) -> Response:
        with contextlib.ExitStack() as in_hand:
            body = await self._body_of(request, in_hand)
            given = Given(*(_raw(request, header) for header in _SIGNED_BY))
            if not self._doors.admits(name, given, body, self.clock.now().timestamp()):
                raise unauthorised()
            source = self._sources[name]
            # reading a large one takes long enough for others to notice
            elsewhere = asyncio.to_thread if len(body) > _READ_AT_ONCE else _here
            count, rows, happened, held = await elsewhere(self._understand, request, name, body)
            bucket = self._buckets[name]
            if wait := bucket.take(count):
                raise RefusedError(
                    429, "too_fast", "the source has sent more than it may; send again later", retry_after=_up(wait)
                )
            await self.brake.hold()
            stored = self.writer.submit(rows, happened, len(body))
            if stored is None:
                bucket.give_back(count)
                raise RefusedError(503, "busy", "too much waits to be stored; send the same again", retry_after=1)
            outcome = await _in_time(stored)
            return answer(202, _as_data(source, outcome, count, held))

    async def ready(self) -> Response:
        await self._ask("ready", lambda: _reach(self._ledger), within=_AWAY)
        if not self.writer.alive:
            raise _away()
        return answer(200, {"status": "ready"})

    async def metrics(self, token: str, given: str | None) -> Response:
        if not bearer(token, None if given is None else given.encode("latin-1")):
            raise unauthorised()
        figures = await self._ask(
            "metrics", lambda: metrics.figures(self._ledger, self.clock.now()), within=_STORED_WITHIN
        )
        page = http_metrics.exposition(figures, self._refused, self.brake.seconds)
        return Response(page, media_type=http_metrics.CONTENT_TYPE)

    async def _ask(self, kind: str, question: Callable[[], Any], *, within: float) -> Any:
        """Ask the ledger, beside the writer."""
        try:
            async with asyncio.timeout(within), self._asking[kind]:
                return await asyncio.to_thread(question)
        except TimeoutError:
            raise _away() from None
        except Exception as error:
            if gone(error):
                raise _away() from None
            raise

    async def _body_of(self, request: Request, in_hand: contextlib.ExitStack) -> bytes:
        """The whole body, up to what the most generous source takes: whose it is is known only afterwards."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_READ_WITHIN):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > self._most_bytes:
                        chunks.clear()
                        if size > self._most_bytes + _UNREAD:
                            break
                        continue
                    self._in_hand += len(chunk)
                    in_hand.callback(self._release, len(chunk))
                    if self._in_hand > _IN_HAND:
                        raise RefusedError(
                            503, "busy", "too many bodies at once; send again", retry_after=1, close=True
                        )
                    chunks.append(chunk)
        except TimeoutError:
            raise RefusedError(408, "slow", f"the body did not arrive within {_READ_WITHIN:g} s", close=True) from None
        if size > self._most_bytes:
            raise RefusedError(413, "too_large", "the body is larger than any source may send", close=True)
        return b"".join(chunks)

    def _release(self, size: int) -> None:
        self._in_hand -= size

    def _understand(self, request: Request, name: str, body: bytes) -> tuple[int, list[Any], list[Any], set[int]]:
        """How many payloads there are, and what ``_rows_of`` makes of them."""
        source = self._sources[name]
        payloads = self._payloads_of(request, source, body)
        keys = _keys_of(payloads, request.headers.get("idempotency-key"), source)
        return len(payloads.payloads), *self._rows_of(name, payloads, keys)

    def _payloads_of(self, request: Request, source: Source, body: bytes) -> Body:
        http = _http_of(source)
        if len(body) > http.max_bytes:
            words = f"the body has {len(body):,} bytes; the source may send {http.max_bytes:,}"
            raise RefusedError(413, "too_large", words)
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RefusedError(415, "content_encoding", "send the body as it is, not compressed")
        read = http_body.read(body, request.headers.get("content-type"))
        if len(read.payloads) > http.burst:
            words = f"the source may send {http.burst:,} payloads at once; send fewer in a request"
            raise RefusedError(413, "too_many", words)
        return read

    def _rows_of(self, name: str, body: Body, keys: Sequence[str]) -> tuple[list[Any], list[Any], set[int]]:
        """Rows for ``ledger.signals``: signals, activities, and the positions of those that are held signals."""
        reader = self._readers.get(name)
        if reader is None:
            rows = [
                (at, name, key, payload.text, None, f"HTTP:{at + 1}" if body.listed else "HTTP")
                for at, (payload, key) in enumerate(zip(body.payloads, keys, strict=True))
            ]
            return rows, [], set()
        parted = reader.sort([Row(at, p.values) for at, p in enumerate(body.payloads, start=1)], keys, self.clock.now())
        return parted.held, parted.activities, {line - 1 for line in parted.held_lines}


_SIGNED_BY: Final = (b"authorization", b"x-leadgate-timestamp", b"x-leadgate-signature")
_UNEXPECTED: Final = "something went wrong here; nothing of this request is known to be stored, so send it again"


def _http_of(source: Source) -> HttpCapture:
    if source.http is None:
        raise LookupError("a source that may not post")
    return source.http


def _raw(request: Request, name: bytes) -> bytes | None:
    """A header as it came. Sent twice it is none: which of them holds is not said."""
    values = [value for header, value in request.scope["headers"] if header == name]
    return values[0] if len(values) == 1 else None


def _keys_of(body: Body, given: str | None, source: Source) -> list[str]:
    """Keys of all payloads: from the header, by position in a list; else each its own."""
    if given is None:
        return [key_of(payload.values, source) for payload in body.payloads]
    if not 0 < len(given) <= _KEY_LENGTH or not (given.isascii() and given.isprintable()):
        raise RefusedError(
            400, "idempotency_key", f"an Idempotency-Key has 1 to {_KEY_LENGTH} printable characters of ASCII"
        )
    if not body.listed:
        return [f"once:{given}"]
    return [f"once[{at}]:{given}" for at in range(len(body.payloads))]


async def _here(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _reach(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        connection.execute(text("SELECT 1"))


async def _in_time(stored: asyncio.Future[Outcome]) -> Outcome:
    await asyncio.wait((stored,), timeout=_STORED_WITHIN)
    if not stored.done():
        raise RefusedError(503, "slow", "the ledger takes too long; send the same again", retry_after=_AWAY)
    try:
        return stored.result()
    except UnavailableError:
        raise _away() from None
    except BrokenError:
        raise RefusedError(500, "unexpected", _UNEXPECTED) from None


def _as_data(source: Source, outcome: Outcome, count: int, held: set[int]) -> dict[str, Any]:
    """An entry for each payload, in their order."""
    if source.kind == "leads":
        return {"signals": [{"id": id_, "new": new} for id_, new in outcome.signals]}
    signals, happened = iter(outcome.signals), iter(outcome.activities)
    entries = []
    for at in range(count):
        each = next(signals if at in held else happened)
        entries.append({"held_as_signal" if at in held else "id": each.id, "new": each.new})
    return {"activities": entries}


def _away() -> RefusedError:
    return RefusedError(503, "ledger_away", "the ledger cannot be reached; send the same again", retry_after=_AWAY)


def _up(seconds: float) -> int:
    return max(1, int(-(-seconds // 1)))
