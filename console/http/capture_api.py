"""HTTP capture: ``POST /capture/{source}``, and what a monitoring system asks.

Belongs here: the routes, and the order in which a request is judged: cheap checks first. Does not belong here: who may
post (``authentication``), limits of connections and bodies (``connections``, ``incoming``), what a body becomes
(``signals``), storing (``writer``), the process (``listening``).

A request is answered with 202 once the transaction that holds its signals is committed; any other answer says that
nothing of it is known to be stored. Prefect is not needed, and never imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import Final, ParamSpec, TypeVar

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from console.http import metrics_text
from console.http.addresses import Network, find_client_address, find_sender
from console.http.authentication import RequestVerifier, has_bearer_token
from console.http.brake import Brake
from console.http.clock import LedgerClock
from console.http.connections import Connections, Limits, raise_descriptors
from console.http.incoming import Budget, Incoming, LastResponse
from console.http.rates import Throttle, TokenBucket
from console.http.responses import (
    RETRY_AFTER,
    RefusedError,
    answer,
    build_ledger_away_error,
    build_unauthorised_error,
    build_unexpected_error,
)
from console.http.signals import PostReader, build_json_data, require_http
from console.http.signatures import HEADERS, Given, Reason
from console.http.writer import Writer, is_database_away, report
from console.screen import say
from leadgate.ledger import Ledger, metrics
from leadgate.ledger.requests import Sender
from leadgate.ledger.standstill import read_standstill
from leadgate.playbook import Playbook
from tasks.ingestion import Outcome

_P = ParamSpec("_P")
_T = TypeVar("_T")
_STORED_WITHIN: Final = 30.0  # seconds, before a sender is told to come again
_UNPROVEN: Final = 64 * 1024**2  # bytes of bodies in hand whose senders are not known yet
_OF_A_SOURCE: Final = 32 * 1024**2  # bytes of bodies of one source in hand; more where one body may have more
_READ_AT_ONCE: Final = 128 * 1024  # bytes of a body that is read between two other requests
_KEY: Final = re.compile(r"[ -~]{1,255}")  # an Idempotency-Key
_SIGNED_BY: Final = frozenset(HEADERS)
_STATUS: Final = {"facebook": 200, "google_leads": 200}  # what these vendors take for success; others take 202, too
_CHALLENGE: Final = re.compile(r"[0-9A-Za-z_-]{1,200}")
_REQUEST_ID: Final = re.compile(r"[!-~]{1,255}")


def build_app(
    ledger: Ledger,
    playbook: Playbook,
    environ: Mapping[str, str],
    *,
    metrics_token: str | None = None,
    brake_from: int = 0,
    proxies: Collection[Network] = (),
    stalled_after: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The application. It has a thread of its own from start-up to shutdown (ASGI's lifespan).

    Answers are held back while more than ``brake_from`` leads wait; 0: never. ``proxies`` are believed about whom they
    forward for. After ``stalled_after`` seconds without any move of the lead that waits longest, ``/readyz`` says so.
    ``clock`` counts seconds for the rates of sources and of failures. ``state.connections`` of the application are its
    server's.
    """
    connections = Connections(Limits.of(raise_descriptors()), proxies)
    verifier, brake = RequestVerifier(playbook, environ), Brake(ledger, brake_from)
    service = _CaptureService(ledger, playbook, verifier, brake, connections, proxies, LedgerClock(ledger), clock)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.writer = Writer(ledger)
        try:
            async with service.clock, service.brake:
                yield
        finally:
            await asyncio.to_thread(service.writer.stop)

    app = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan,
        exception_handlers={HTTPException: _refuse_unknown_page},
    )  # fmt: skip
    app.state.connections = connections

    @app.post("/capture/{source}")
    async def capture(request: Request, source: str) -> Response:
        return await service.capture(request, source)

    @app.get("/capture/{source}")
    async def verify(request: Request, source: str) -> Response:
        if "hub.mode" not in request.query_params:
            raise HTTPException(405, headers={"Allow": "POST"})
        return await service.answer(service.verify_address(request, source))

    @app.get("/healthz")
    async def healthz() -> Response:
        return answer(200, {"status": "alive"})

    @app.get("/readyz")
    async def readyz() -> Response:
        return await service.answer(service.answer_ready(stalled_after))

    @app.get("/metrics")
    async def metrics_page(request: Request) -> Response:
        if metrics_token is None:
            raise HTTPException(404)
        given = request.headers.get("authorization")
        return await service.answer(service.answer_metrics(metrics_token, given))

    return app


async def _refuse_unknown_page(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        refused = RefusedError(405, "method", "this address takes another method; see its Allow header")
        response = refused.build_response()
        response.headers.update(error.headers or {})
        return response
    return RefusedError(
        404, "not_found", "there is nothing at this address; signals go to /capture/SOURCE"
    ).build_response()


class _CaptureService:
    """What one process keeps between requests. All of it belongs to the event loop; only the writer is a thread."""

    writer: Writer

    def __init__(
        self,
        ledger: Ledger,
        playbook: Playbook,
        verifier: RequestVerifier,
        brake: Brake,
        connections: Connections,
        proxies: Collection[Network],
        clock: LedgerClock,
        seconds: Callable[[], float],
    ) -> None:
        self.brake, self.clock = brake, clock
        self._ledger, self._doors = ledger, verifier
        self._connections, self._proxies = connections, proxies
        self._reader = PostReader(playbook, clock.now())
        self._throttle = Throttle(seconds)
        self._unproven = Budget(_UNPROVEN)
        self._budgets: dict[str, Budget] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._most_bytes = 0
        for name, source in self._reader.sources.items():
            http = require_http(source)
            self._budgets[name] = Budget(max(_OF_A_SOURCE, 4 * http.max_bytes))
            self._buckets[name] = TokenBucket(http.per_second, http.burst, seconds)
            self._most_bytes = max(self._most_bytes, http.max_bytes)
        self._refused: Counter[tuple[int, str]] = Counter()
        self._unauthorised: Counter[str] = Counter()
        self._signed_the_old_way: set[str] = set()
        # one question of a kind at a time, so that the writer finds a connection, too
        self._asking = {"ready": asyncio.Lock(), "metrics": asyncio.Lock()}

    async def answer(self, work: Awaitable[Response]) -> Response:
        """The response that ``work`` leads to; whatever goes wrong in it tells the sender nothing of the inside."""
        try:
            return await work
        except RefusedError as refused:
            self._refused[refused.http_status, refused.error] += 1
            return refused.build_response()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception as error:
            report(error)
            self._refused[500, "unexpected"] += 1
            return build_unexpected_error().build_response()

    async def capture(self, request: Request, name: str) -> Response:
        incoming = Incoming(request)
        response = await self.answer(self._capture(request, name, incoming))
        return response if incoming.ended else LastResponse(response, incoming)

    async def _capture(self, request: Request, name: str, incoming: Incoming) -> Response:
        address = self._find_address(request)
        given, now = _collect_given(request), self.clock.now().timestamp()
        verdict = self._doors.judge_head(name, given, now)
        if not verdict.admits and not verdict.reads:
            raise self._refuse_unknown(address, verdict.reason)
        try:
            if verdict.admits:
                body = await incoming.read(require_http(self._reader.sources[name]).max_bytes, self._budgets[name])
                key = _read_idempotency_key(request)
            else:
                most = self._doors.most_bytes_with_secret if self._doors.has_secret_in_body(given) else None
                body = await incoming.read(most or self._most_bytes, self._unproven)
                verdict = self._doors.judge_body(name, given, body, now)
                if not verdict.admits:
                    raise self._refuse_unknown(address, verdict.reason)
                incoming.move(self._budgets[name])
                # the id is signed by Standard Webhooks alone: beside another signature anybody may have added it
                key = (given.id or b"").decode("ascii") if verdict.scheme == "standard_webhooks" else None
                if verdict.scheme == "old":
                    self._say_old(name)
            request_id = key or _read_request_id(request)
            try:
                response = await self._take(request, name, body, key, Sender(name, address, request_id))
            except RefusedError as refused:
                refused.headers["X-Request-Id"] = request_id
                raise
            response.headers["X-Request-Id"] = request_id
            return response
        finally:
            incoming.release()

    async def verify_address(self, request: Request, name: str) -> Response:
        """Facebook asks whether the address is ours: a token that both know, and a challenge to send back."""
        asked = request.query_params
        right = self._doors.has_verify_token(name, asked.get("hub.verify_token", ""))
        challenge = asked.get("hub.challenge", "")
        if not right or asked["hub.mode"] != "subscribe" or not _CHALLENGE.fullmatch(challenge):
            raise self._refuse_unknown(self._find_address(request), "wrong")
        return Response(challenge, media_type="text/plain")

    async def _take(self, request: Request, name: str, body: bytes, key: str | None, sender: Sender) -> Response:
        """Read and store what a known sender posted."""
        # reading a large one takes long enough for others to notice
        elsewhere = asyncio.to_thread if len(body) > _READ_AT_ONCE else _call_here
        headers = request.headers
        content = headers.get("content-type"), headers.get("content-encoding", "identity")
        posted = await elsewhere(self._reader.read, name, body, *content, key, self.clock.now())
        bucket = self._buckets[name]
        if wait := bucket.take(posted.payloads):
            raise RefusedError(
                429, "too_fast", "the source has sent more than it may; send again later", retry_after=_round_up(wait)
            )
        await self.brake.hold()
        stored = self.writer.submit(posted, len(body), sender._replace(hash=posted.hash))
        if stored is None:
            bucket.give_back(posted.payloads)
            raise RefusedError(503, "busy", "too much waits to be stored; send the same again", retry_after=1)
        outcome = await _await_in_time(stored)
        source = self._reader.sources[name]
        return answer(_STATUS.get(require_http(source).auth, 202), build_json_data(source, outcome, posted))

    def _find_address(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        return (
            find_client_address(peer, _list_values(request, b"x-forwarded-for"), self._proxies)
            if self._proxies
            else peer
        )

    def _refuse_unknown(self, address: str, reason: Reason | None) -> RefusedError:
        """The refusal of an unknown sender, or, after too many failures, the one that says to wait."""
        self._unauthorised[reason or "wrong"] += 1
        if wait := self._throttle.fail(find_sender(address)):
            return RefusedError(
                429, "too_many_failures", "this address failed to sign in too often; wait, and check how it signs in",
                retry_after=_round_up(wait), close=True,
            )  # fmt: skip
        return build_unauthorised_error()

    def _say_old(self, name: str) -> None:
        if name not in self._signed_the_old_way:
            self._signed_the_old_way.add(name)
            say(
                f"Warning: the source {name} signs by X-Leadgate-Signature, which the next version will not read; "
                "give its sender a secret of `leadgate secret new` and have it sign by Standard Webhooks."
            )

    async def answer_ready(self, stalled_after: float) -> Response:
        stands = await self._ask("ready", lambda: read_standstill(self._ledger, stalled_after), within=RETRY_AFTER)
        if not self.writer.alive:
            raise build_ledger_away_error()
        if stands.stalled:
            words = (
                f"intake stands still: the lead that waits longest has not moved for {stands.seconds:.0f} s; "
                "posts are still accepted"
            )
            raise RefusedError(503, "stalled", words, retry_after=RETRY_AFTER)
        return answer(200, {"status": "ready"})

    async def answer_metrics(self, token: str, given: str | None) -> Response:
        if not has_bearer_token(token, None if given is None else given.encode("latin-1")):
            raise build_unauthorised_error()
        figures = await self._ask(
            "metrics", lambda: metrics.read_metrics(self._ledger, self.clock.now()), within=_STORED_WITHIN
        )
        process = metrics_text.Process(
            self._refused,
            self._unauthorised,
            self._connections.closed,
            self._connections.count,
            self.brake.seconds,
            self.clock.skew,
        )
        page = metrics_text.format_exposition(figures, process)
        return Response(page, media_type=metrics_text.CONTENT_TYPE)

    async def _ask(self, kind: str, question: Callable[[], _T], *, within: float) -> _T:
        """Ask the ledger, beside the writer."""
        try:
            async with asyncio.timeout(within), self._asking[kind]:
                return await asyncio.to_thread(question)
        except TimeoutError:
            raise build_ledger_away_error() from None
        except Exception as error:
            if is_database_away(error):
                raise build_ledger_away_error() from None
            raise


def _collect_given(request: Request) -> Given:
    """The headers as they came. One that is sent twice is none: which of them holds is not said."""
    found: dict[bytes, bytes | None] = {}
    for name, value in request.scope["headers"]:
        if name in _SIGNED_BY:
            found[name] = None if name in found else value
    return Given(*map(found.get, HEADERS))


def _list_values(request: Request, name: bytes) -> list[bytes]:
    return [value for header, value in request.scope["headers"] if header == name]


def _read_idempotency_key(request: Request) -> str | None:
    """What a bearer calls its request by. Who signs calls it by the id that is signed; there this header means
    nothing, for somebody who captured a request could add another one."""
    given = request.headers.get("idempotency-key")
    if given is not None and not _KEY.fullmatch(given):
        raise RefusedError(400, "idempotency_key", "an Idempotency-Key has 1 to 255 printable characters of ASCII")
    return given


def _read_request_id(request: Request) -> str:
    """What a request without a key is called by: what its sender or a proxy calls it, else a name of ours."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


async def _call_here(function: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    return function(*arguments, **named)


async def _await_in_time(stored: asyncio.Future[Outcome]) -> Outcome:
    await asyncio.wait((stored,), timeout=_STORED_WITHIN)
    if not stored.done():
        raise RefusedError(503, "slow", "the ledger takes too long; send the same again", retry_after=RETRY_AFTER)
    return stored.result()


def _round_up(seconds: float) -> int:
    return max(1, int(-(-seconds // 1)))
