"""The session policy of connectors, against servers on loopback that are slow, broken, rude or lie."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from free_ports import find_free_port

from leadgate.connectors import service_session
from leadgate.connectors.service_session import (
    AnswerTooLargeError,
    Policy,
    PrivateAddressError,
    ServiceError,
    ServiceSession,
    ServiceUnreachableError,
)

#: No wait that a test of the right answer could miss on a busy machine …
QUICK = Policy(first_wait=0.01, longest_wait=0.05, max_bytes=100_000, allow_private=True)
#: … and little time for an answer that does not come.
HURRIED = replace(QUICK, read=0.5, whole=0.5)
SECRET = "t0ken-of-a-lead"  # noqa: S105 - made up

Behaviour = Callable[[socket.socket], None]


@dataclass
class RawServer:
    """Answers each connection with the next of ``behaviours``, the last one for ever; keeps what was sent."""

    behaviours: list[Behaviour] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/contacts/{SECRET}"

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                self.requests.append(_read_request(connection))
                behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
                behaviour(connection)


def _read_request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        if not (piece := connection.recv(65536)):
            return got
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    wanted = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
    )
    while len(body) < wanted:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Behaviour:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return lambda connection: connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def drip(start: bytes, piece: bytes) -> Behaviour:
    """A byte now and then, for ever: each of them in time."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            time.sleep(0.05)
            connection.sendall(piece)

    return behave


def reset(connection: socket.socket) -> None:
    connection.close()


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    served = RawServer()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served.port = listener.getsockname()[1]
        thread = threading.Thread(target=served.serve, args=(listener,), daemon=True)
        thread.start()
        yield served
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.fixture
def session() -> Iterator[ServiceSession]:
    with ServiceSession("the service", policy=QUICK) as opened:
        yield opened


@pytest.fixture
def hurried() -> Iterator[ServiceSession]:
    with ServiceSession("the service", policy=HURRIED) as opened:
        yield opened


@pytest.mark.parametrize("fault", [answer(503), answer(502), reset], ids=["503", "502", "reset"])
def test_what_may_be_repeated_is(raw_server: RawServer, session: ServiceSession, fault: Behaviour) -> None:
    raw_server.behaviours = [fault, fault, answer(body=b'{"a":1}')]
    assert session.send("POST", raw_server.url, json={"b": 2}, repeatable=True).parse_json() == {"a": 1}
    assert [request.rpartition(b"\r\n")[2] for request in raw_server.requests] == [b'{"b":2}'] * 3


def test_the_last_answer_is_returned_when_repeating_does_not_help(
    raw_server: RawServer, session: ServiceSession
) -> None:
    raw_server.behaviours = [answer(503, b"away")]
    assert session.send("GET", raw_server.url).body == b"away"
    assert len(raw_server.requests) == 1 + QUICK.repeats


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_may_not_be_repeated_is_sent_once(raw_server: RawServer, session: ServiceSession, status: int) -> None:
    raw_server.behaviours = [answer(status, Retry_After="0")]
    assert session.send("POST", raw_server.url, json={}).status == status
    assert len(raw_server.requests) == 1


def test_an_error_says_whether_the_service_may_have_acted(raw_server: RawServer, session: ServiceSession) -> None:
    raw_server.behaviours = [reset]
    with pytest.raises(ServiceUnreachableError) as broken:
        session.send("POST", raw_server.url, json={})
    assert broken.value.sent
    assert len(raw_server.requests) == 1
    with pytest.raises(ServiceUnreachableError) as refused:
        session.send("POST", f"http://127.0.0.1:{find_free_port()}/{SECRET}", json={})
    assert not refused.value.sent


def test_a_short_retry_after_is_waited_for_and_a_long_one_is_the_callers(
    raw_server: RawServer, session: ServiceSession
) -> None:
    raw_server.behaviours = [answer(429, Retry_After="0"), answer(429, Retry_After="86400"), answer()]
    told = session.send("GET", raw_server.url)
    assert (told.status, told.retry_after, len(raw_server.requests)) == (429, 86400, 2)


@pytest.mark.parametrize("text", ["soon", "", "9" * 400, "-5", "Thu, 99 Foo 2026"])
def test_a_retry_after_that_makes_no_sense_breaks_nothing(
    raw_server: RawServer, session: ServiceSession, text: str
) -> None:
    raw_server.behaviours = [answer(429, Retry_After=text)]
    assert session.send("POST", raw_server.url).retry_after in (None, 0, 86_400)


@pytest.mark.parametrize(
    "slow",
    [
        drip(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"a"),
        lambda _: time.sleep(1),
    ],
    ids=["head", "body", "silence"],
)
def test_a_slow_answer_ends_in_time(raw_server: RawServer, hurried: ServiceSession, slow: Behaviour) -> None:
    raw_server.behaviours = [slow]
    with pytest.raises(ServiceUnreachableError) as late:
        hurried.send("POST", raw_server.url, json={})
    assert late.value.sent


def test_a_head_that_was_cut_off_is_no_answer_whatever_the_clock_says(
    raw_server: RawServer, hurried: ServiceSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_session, "time", SimpleNamespace(monotonic=lambda: 0.0))
    raw_server.behaviours = [drip(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a")]
    with pytest.raises(ServiceUnreachableError) as late:
        hurried.send("POST", raw_server.url, json={})
    assert late.value.sent


def test_a_large_answer_is_not_read_whole(raw_server: RawServer, session: ServiceSession) -> None:
    raw_server.behaviours = [answer(body=b"a" * 200_000)]
    with pytest.raises(AnswerTooLargeError):
        session.send("GET", raw_server.url)


def test_a_small_answer_that_unpacks_large_is_not_read_whole(raw_server: RawServer, session: ServiceSession) -> None:
    raw_server.behaviours = [answer(body=gzip.compress(b"a" * 50_000_000), Content_Encoding="gzip")]
    with pytest.raises(AnswerTooLargeError):
        session.send("GET", raw_server.url)


def test_a_redirect_is_not_followed(raw_server: RawServer, session: ServiceSession) -> None:
    raw_server.behaviours = [answer(302, Location=raw_server.url + "/elsewhere")]
    assert session.send("GET", raw_server.url).status == 302
    assert len(raw_server.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_a_private_address_gets_no_byte(raw_server: RawServer, host: str) -> None:
    raw_server.behaviours = [answer()]
    with ServiceSession("the service", policy=Policy()) as public, pytest.raises(PrivateAddressError):
        public.send("GET", f"http://{host}:{raw_server.port}/")
    assert raw_server.requests in ([], [b""])


def test_credentials_come_from_auth_and_from_no_netrc(
    raw_server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password from-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    raw_server.behaviours = [answer()]
    with ServiceSession("the service", policy=QUICK) as opened:
        opened.send("GET", raw_server.url, headers={"Authorization": "Bearer own"})
    assert b"Authorization: Bearer own" in raw_server.requests[0]


@pytest.mark.parametrize("fault", [reset, answer(503), lambda _: time.sleep(1)], ids=["reset", "503", "silence"])
def test_no_url_reaches_a_log_or_an_error(
    raw_server: RawServer, hurried: ServiceSession, fault: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    raw_server.behaviours = [fault]
    told = ""
    try:
        hurried.send("GET", raw_server.url, params={"email": SECRET}, headers={"Authorization": SECRET})
    except ServiceError as error:
        told = repr(error) + str(error.__cause__)
    assert SECRET not in caplog.text + told


@pytest.mark.parametrize("url", ["no url", "http://", "http://[", "ftp://127.0.0.1/", "http://a b/"])
def test_an_address_that_is_none_is_an_error_of_ours(session: ServiceSession, url: str) -> None:
    with pytest.raises(ServiceError):
        session.send("GET", url)


def test_a_body_that_is_no_json_is_an_error_of_ours(raw_server: RawServer, session: ServiceSession) -> None:
    raw_server.behaviours = [answer(body=b"<html>" + SECRET.encode())]
    with pytest.raises(ServiceError) as error:
        session.send("GET", raw_server.url).parse_json()
    assert SECRET not in str(error.value)
