"""One HTTP session policy for every connector: time limits, repeats, sizes, and what stays out of logs.

Belongs here: how a request to somebody else's service is sent. Does not belong here: what a vendor's answers mean (a
file for each vendor), who waits when a service is away for longer (``tasks``), or messages to people (``notify``).

- A request that may be repeated (``repeatable``) is sent again after a broken connection, a time-out, and the
  statuses of ``Policy.repeat_on``, with growing waits and jitter. One that may not be is sent again only when no
  connection was made. ``Retry-After`` is obeyed up to ``Policy.longest_wait``; when the service asks for more, its
  answer is returned at once, for the caller can wait better.
- Connecting, each read, the head of an answer and a whole answer have limits of time; an answer has one of size.
- Redirects are not followed. An answer of 300 to 399 is returned as it is.
- Private addresses are refused unless ``Policy.allow_private``. What is looked at is the address that was connected
  to, so a name that resolves to another address a moment later gains nothing. A proxy decides that for itself.
- Credentials come from ``auth`` alone: a ``.netrc`` file is not read.
- Neither URL nor headers nor body reach a log or an error: addresses of leads are in URLs, and tokens in headers.

Long as one file: each limit is kept where requests and urllib3 leave it to a subclass, and all of them are one policy.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError, NewConnectionError, ResponseError

from leadgate import __version__
from leadgate.connectors.issued_secrets import IssuedSecrets
from leadgate.errors import NotAvailableError
from leadgate.values.json_types import JsonValue

#: Methods that change nothing when they are sent twice (RFC 9110, 9.2.2).
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
#: Answers that a later request may not get: the service, or a gateway before it, is away for a moment.
TEMPORARY: Final = frozenset({500, 502, 503, 504, 521, 522, 523, 524, 525, 526})
_CHUNK: Final = 65_536  # bytes
_DAY: Final = 86_400  # seconds


class ServiceError(NotAvailableError):
    """A service gave no answer that can be used. The message names the service and the fault, not the request."""


class ServiceUnreachableError(ServiceError):
    """No connection, or no answer in time. ``sent``: the service may have got the request, and acted on it."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class AnswerTooLargeError(ServiceError):
    """The answer is larger than the policy allows."""


class PrivateAddressError(ServiceError):
    """The service's name leads to an address that is not public."""


@dataclass(frozen=True)
class Policy:
    """The limits of a session. Times are in seconds, sizes in bytes."""

    connect: float = 5.0
    read: float = 30.0  # between two pieces of an answer
    whole: float = 60.0  # for the head of one answer, and for its body
    repeats: int = 3
    first_wait: float = 0.5  # before the second attempt; doubles from attempt to attempt
    longest_wait: float = 10.0
    repeat_on: frozenset[int] = TEMPORARY
    max_bytes: int = 32 * 1024**2
    connections: int = 8
    allow_private: bool = False


@dataclass(frozen=True)
class Answer:
    """What a service answered. Header names are looked up in any case."""

    service: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    secrets: IssuedSecrets = field(default_factory=IssuedSecrets, repr=False, compare=False)

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """The seconds that the service asks to wait, by ``Retry-After``; None when it does not say."""
        return _read_retry_after(self.headers.get("Retry-After"))

    def parse_json(self, *, hide_secrets: bool = True) -> JsonValue:
        """The body as JSON, without credentials that were sent. Raises ``ServiceError`` when it is none.

        ``hide_secrets`` is false for an answer that brings a credential, of which nothing else is read.
        """
        try:
            parsed: JsonValue = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise ServiceError(f"{self.service} answered {self.status} with a body that is no JSON") from None
        return self.secrets.hide(parsed, self.body) if hide_secrets else parsed


class ServiceSession:
    """Sends requests to one service. Safe to use from several threads; close it, or use it as a context manager.

    ``service`` is the name in errors. ``auth`` adds the credentials to each request, as ``requests`` defines it;
    ``secrets`` are those credentials, which are taken out of what is read of answers.
    """

    def __init__(
        self,
        service: str,
        *,
        auth: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None = None,
        policy: Policy | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self.service = service
        self.secrets = IssuedSecrets(secrets)
        self.policy = policy or Policy()
        self._repeating = self._build(auth, _build_repeating(self.policy))
        self._once = self._build(auth, _build_once(self.policy))

    def _build(
        self, auth: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None, retry: Retry
    ) -> requests.Session:
        session = requests.Session()
        session.headers["User-Agent"] = f"leadgate/{__version__}"
        session.auth = auth or _add_nothing  # without it, requests takes credentials from a .netrc file
        adapter = _Adapter(self.policy, retry)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._repeating.close()
        self._once.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: JsonValue = None,
        data: Mapping[str, str] | bytes | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        """Send a request and read the whole answer, whatever its status.

        ``repeatable``: whether sending it twice does what sending it once does; by default as its method says. ``data``
        is a form or a body as it is. Raises ``ServiceError``.
        """
        may_repeat = method.upper() in _IDEMPOTENT if repeatable is None else repeatable
        session = self._repeating if may_repeat else self._once
        sent = dict(headers or {})
        if json is not None:
            data = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        with _keeping_quiet():
            try:
                response = session.request(
                    method,
                    url,
                    params=params,
                    headers=sent,
                    data=data,
                    timeout=(self.policy.connect, self.policy.read),
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    body = self._read(response)
            except _PrivatePeer:
                raise PrivateAddressError(
                    f"{self.service} has an address that is not public; nothing was sent to it"
                ) from None
            except (requests.RequestException, HTTPError, OSError) as error:
                raise self._explain(error) from None
        return Answer(self.service, response.status_code, response.headers, body, self.secrets)

    def _read(self, response: requests.Response) -> bytes:
        deadline = time.monotonic() + self.policy.whole
        body = bytearray()
        while piece := response.raw.read1(_CHUNK, decode_content=True):
            body += piece
            if len(body) > self.policy.max_bytes:
                raise AnswerTooLargeError(f"{self.service} answered with more than {self.policy.max_bytes:,} bytes")
            if time.monotonic() > deadline:
                raise ServiceUnreachableError(
                    f"{self.service} did not end its answer within {self.policy.whole:g} s", sent=True
                )
        return bytes(body)

    def _explain(self, error: Exception) -> ServiceError:
        """The error in our own words: those of requests and urllib3 quote the URL."""
        if isinstance(error, requests.ConnectTimeout):
            return ServiceUnreachableError(f"{self.service} cannot be reached in time", sent=False)
        if isinstance(error, requests.Timeout):
            return ServiceUnreachableError(f"{self.service} did not answer in time", sent=True)
        if isinstance(error, requests.exceptions.SSLError):
            return ServiceUnreachableError(f"{self.service} shows no certificate that is trusted", sent=False)
        if isinstance(error, ValueError):  # what requests raises for an address that it cannot read
            return ServiceError(f"the address of {self.service} is no URL")
        if _is_unsent(error):
            return ServiceUnreachableError(f"{self.service} cannot be reached", sent=False)
        return ServiceUnreachableError(f"{self.service} broke the connection ({type(error).__name__})", sent=True)


def _is_unsent(error: BaseException | None) -> bool:
    """Whether no connection was made, by what requests and urllib3 wrapped in one another."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, NewConnectionError):
            return True
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
    return False


def _add_nothing(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _read_retry_after(text: str | None) -> float | None:
    if text is None:
        return None
    with contextlib.suppress(ValueError, OverflowError, InvalidHeader):
        # urllib3 cuts what it reads to its longest wait; a day's limit may ask for more than its default
        return max(0.0, float(Retry(retry_after_max=_DAY).parse_retry_after(text)))
    return None


class _Retry(Retry):
    """Obeys a short ``Retry-After``; returns the answer that asks for more, with which the caller waits better."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        if not self.total or not self._is_method_retryable(method):
            return False
        return status_code in (self.status_forcelist or ()) or (
            has_retry_after and status_code in self.RETRY_AFTER_STATUS_CODES
        )

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        return _read_retry_after(response.headers.get("Retry-After"))

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        asked = None if response is None else self.get_retry_after(response)
        if asked is not None and asked > self.retry_after_max and _pool is not None:
            raise MaxRetryError(_pool, "", ResponseError("the service asks for a longer wait"))
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _build_repeating(policy: Policy) -> Retry:
    return _Retry(
        total=policy.repeats,
        redirect=0,
        allowed_methods=None,  # whether a request may be repeated is what its caller says
        status_forcelist=policy.repeat_on,
        backoff_factor=policy.first_wait,
        backoff_max=policy.longest_wait,
        backoff_jitter=policy.first_wait,
        raise_on_status=False,
        raise_on_redirect=False,
        retry_after_max=int(policy.longest_wait),
    )


def _build_once(policy: Policy) -> Retry:
    return Retry(
        total=policy.repeats,
        connect=policy.repeats,
        read=0,
        status=0,
        redirect=0,
        other=0,
        backoff_factor=policy.first_wait,
        backoff_max=policy.longest_wait,
        backoff_jitter=policy.first_wait,
        raise_on_status=False,
        raise_on_redirect=False,
        respect_retry_after_header=False,
    )


class _PrivatePeer(Exception):  # noqa: N818 - what was found; ``PrivateAddressError`` says it of a service
    """The connection that was made leads to an address that is not public."""


def _require_public(sock: socket.socket) -> None:
    address = ipaddress.ip_address(sock.getpeername()[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_global or (mapped or address).is_multicast:
        sock.close()
        raise _PrivatePeer


class _LimitedHead:
    """A connection that waits ``whole_seconds`` for the head of an answer, however slowly its bytes come.

    The limit of each read begins anew with each byte, and the head of an answer is read inside ``http.client``.
    """

    whole_seconds = Policy.whole
    sock: socket.socket | None

    def getresponse(self) -> Any:
        deadline = _Deadline(self.sock)
        timer = threading.Timer(self.whole_seconds, deadline.cut)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()  # type: ignore[misc]
        finally:
            timer.cancel()
        if deadline.has_passed:  # what was read ends where the connection was cut
            raise TimeoutError
        return response


class _Deadline:
    """Cuts a connection, and remembers that it did: a clock read in another thread may be a moment behind."""

    def __init__(self, sock: socket.socket | None) -> None:
        self._sock = sock
        self.has_passed = False

    def cut(self) -> None:
        self.has_passed = True  # before the cut, which ends the read that looks at it
        with contextlib.suppress(OSError):
            if self._sock is not None:
                self._sock.shutdown(socket.SHUT_RDWR)


class _PublicOnly:
    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        _require_public(sock)
        return sock


class _Adapter(HTTPAdapter):
    """Connections with the limits of ``policy``."""

    def __init__(self, policy: Policy, retry: Retry) -> None:
        self._policy = policy
        super().__init__(pool_connections=4, pool_maxsize=policy.connections, max_retries=retry, pool_block=True)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _build_pools(
            self._policy.whole, public_only=not self._policy.allow_private
        )

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _build_pools(self._policy.whole, public_only=False)
        return manager


def _build_pools(whole: float, *, public_only: bool) -> dict[str, type[HTTPConnectionPool]]:
    """Pool classes by scheme whose connections keep the limits."""
    made: dict[str, type[HTTPConnectionPool]] = {}
    for scheme, pool, connection in (
        ("http", HTTPConnectionPool, HTTPConnection),
        ("https", HTTPSConnectionPool, HTTPSConnection),
    ):
        bases = (_PublicOnly, _LimitedHead, connection) if public_only else (_LimitedHead, connection)
        limited = type(f"Limited{connection.__name__}", bases, {"whole_seconds": whole})
        made[scheme] = type(f"Limited{pool.__name__}", (pool,), {"ConnectionCls": limited})
    return made


_sending: Final = threading.local()


class _Quiet(logging.Filter):
    """Drops what urllib3 logs in a thread that sends a request here: it quotes the URL."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_sending, "now", False)


for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "urllib3.response"):
    logging.getLogger(_name).addFilter(_Quiet())


@contextlib.contextmanager
def _keeping_quiet() -> Iterator[None]:
    _sending.now = True
    try:
        yield
    finally:
        _sending.now = False
