"""Attacks on HTTP capture: slow senders, replays, foreign keys, weak secrets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.attacks import Verdict, attack
from benchmarks.http_load import signed
from leadgate import source_secrets
from leadgate.ledger import Ledger, open_ledger
from leadgate.settings import Settings

_PLAYBOOK = """
version: 1
name: Attacked
sources:
  website: {http: {auth: hmac, secret_env: LEADGATE_SECRET_WEBSITE, per_second: 1000, burst: 10000}}
  other: {http: {auth: hmac, secret_env: LEADGATE_SECRET_OTHER}}
  partner: {http: {auth: bearer, secret_env: LEADGATE_SECRET_PARTNER}}
reps: [{name: ana}]
pools: [{name: everybody, members: [{rep: ana}], sla: day}]
routing: [{name: all, to: pool everybody}]
slas: [{name: day, first_touch: 24h}]
exceptions: [{to: operations, within: 24h}]
"""
_HONEST_EVERY = 0.2  # seconds between two honest posts
_LOG_LIMIT = 100_000  # bytes that the server may say about all this
_JSON = {"Content-Type": "application/json"}


@dataclass
class _Served:
    """``leadgate listen``, with the descriptors of a usual login, and its ledger."""

    port: int
    secrets: dict[str, str]
    ledger: Ledger
    log: Path

    def post(self, source: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        """The status and the answer; 0 without one."""
        try:
            with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
                connection.request("POST", f"/capture/{source}", body, _JSON | headers)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
        except OSError:
            return 0, None

    def signed(self, source: str, body: bytes, request: str) -> dict[str, str]:
        return signed(self.secrets[source], body, request)

    def one(self, query: str) -> Any:
        with self.ledger.transaction() as connection:
            return connection.execute(text(query)).scalar_one()


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[_Served]:
    playbook, log = folder / "playbook.yaml", folder / "listen.log"
    playbook.write_text(_PLAYBOOK, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    secrets = {name: source_secrets.make() for name in ("website", "other", "partner")}
    environment = os.environ | {"LEADGATE_HOME": str(folder), "LEADGATE_PLAYBOOK": str(playbook)}
    environment |= {f"LEADGATE_SECRET_{name.upper()}": secret for name, secret in secrets.items()}
    environment.pop("LEADGATE_DATABASE_URL", None)
    with open_ledger(Settings(home=folder)) as ledger, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "console.http.listening", "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: _allow_descriptors(1_024),
        )
        try:
            _wait_for(port, process)
            yield _Served(port, secrets, ledger, log)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _allow_descriptors(soft: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise SystemExit("leadgate listen did not start")


# --- slow senders -----------------------------------------------------------------------------------------


@dataclass
class _Honest:
    """Posts every so often while ``running``, each over a connection of its own."""

    served: _Served
    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def post_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            body = json.dumps({"email": f"lead{begun:.6f}@company.example", "company": "One"}).encode()
            status, _ = self.served.post(
                "website", body, self.served.signed("website", body, f"msg_{begun:.0f}x{len(self.statuses)}x{id(self)}")
            )
            self.seconds.append(time.monotonic() - begun)
            self.statuses.append(status)
            time.sleep(max(0.0, _HONEST_EVERY - (time.monotonic() - begun)))

    @property
    def p95(self) -> float:
        return sorted(self.seconds)[int(0.95 * len(self.seconds))]


def _beside(folder: Path, seconds: float, slow: Callable[[_Served], list[Callable[[], Awaitable[None]]]]) -> Verdict:
    """An honest sender alone, and then beside slow ones: each of ``slow`` is begun again whenever it ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    _allow_descriptors(8_192 if hard == resource.RLIM_INFINITY else hard)  # ours: the other ends
    with _served(folder) as served:
        alone, beside = _Honest(served), _Honest(served)
        alone.post_for(seconds)
        stop = threading.Event()
        attackers = threading.Thread(target=lambda: asyncio.run(_attack(slow(served), stop)))
        attackers.start()
        time.sleep(1)  # until all of them are there
        beside.post_for(seconds)
        stop.set()
        attackers.join()
        said = served.log.stat().st_size
    accepted = sum(status == 202 for status in beside.statuses)
    details = (
        f"{accepted} of {len(beside.statuses)} honest posts answered 202; p95 {beside.p95 / alone.p95:.1f} times the "
        f"undisturbed {1000 * alone.p95:.0f} ms; {said:,} bytes of log"
    )
    return Verdict(accepted == len(beside.statuses) and said < _LOG_LIMIT, details)


async def _attack(slow: list[Callable[[], Awaitable[None]]], stop: threading.Event) -> None:
    async def again(sender: Callable[[], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await sender()
            await asyncio.sleep(0.05)

    senders = [asyncio.create_task(again(each)) for each in slow]
    while not stop.is_set():
        await asyncio.sleep(0.1)
    for each in senders:
        each.cancel()
    await asyncio.gather(*senders, return_exceptions=True)


def _sender(port: int, first: bytes, then: bytes = b"", every: float = 1.0) -> Callable[[], Awaitable[None]]:
    """Sends ``first``, then ``then`` every so often, until the server ends it."""

    async def send() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(first)
            while not reader.at_eof():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(65_536), every)
                if then:
                    writer.write(then)
                    await writer.drain()
        finally:
            writer.close()

    return send


def _head(source: str, length: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (_JSON | headers).items())
    return f"POST /capture/{source} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {length}\r\n\r\n".encode()


def _forged() -> dict[str, str]:
    """A signature of the right form: only the body can tell that it is wrong."""
    return signed(source_secrets.make(), b"", "msg_forged")


@attack("half-heads", "1,100 senders of half a head keep nobody out")
def half_heads(folder: Path, seconds: float) -> Verdict:
    half = b"POST /capture/website HTTP/1.1\r\nHost: x\r\n"
    return _beside(folder, seconds, lambda served: [_sender(served.port, half)] * 1_100)


@attack("half-bodies", "300 strangers with half a body keep nobody out")
def half_bodies(folder: Path, seconds: float) -> Verdict:
    def slow(served: _Served) -> list[Callable[[], Awaitable[None]]]:
        return [_sender(served.port, _head("website", 262_144, _forged()) + b" " * 250_000)] * 300

    return _beside(folder, seconds, slow)


@attack("half-bodies-of-a-bearer", "300 half bodies under a token that is known keep no other source out")
def half_bodies_of_a_bearer(folder: Path, seconds: float) -> Verdict:
    def slow(served: _Served) -> list[Callable[[], Awaitable[None]]]:
        token = {"Authorization": f"Bearer {served.secrets['partner']}"}
        return [_sender(served.port, _head("partner", 262_144, token) + b" " * 250_000)] * 300

    return _beside(folder, seconds, slow)


@attack("slow-bodies", "500 senders of a byte a second keep nobody out")
def slow_bodies(folder: Path, seconds: float) -> Verdict:
    def slow(served: _Served) -> list[Callable[[], Awaitable[None]]]:
        return [_sender(served.port, _head("website", 10_000, _forged()), b" ")] * 500

    return _beside(folder, seconds, slow)


# --- replays and keys -------------------------------------------------------------------------------------


@attack("replay", "a captured request makes no second signal, whatever is added to it or changed in it")
def replay(folder: Path, seconds: float) -> Verdict:
    with _served(folder) as served:
        body = b'{"email": "jane@acme.example", "company": "Acme"}'
        captured = served.signed("website", body, "replayed_1")
        before = served.one("SELECT count(*) FROM signal")
        first, _ = served.post("website", body, captured)
        attempts = [
            ("website", {}),
            ("website", {"Idempotency-Key": "another"}),
            ("website", {"webhook-id": "replayed_2"}),
            ("website", {"webhook-timestamp": str(int(time.time()) + 1)}),
            ("other", {}),
            ("partner", {}),
        ]
        statuses = [served.post(source, body, captured | more)[0] for source, more in attempts]
        count = served.one("SELECT count(*) FROM signal") - before
    held = first == 202 and statuses == [202, 202, 401, 401, 401, 401] and count == 1
    return Verdict(held, f"answers {statuses}, {count} signal more in the ledger")


@attack("foreign-key", "a stranger's key, or an id used again, makes no real signal vanish")
def foreign_key(folder: Path, seconds: float) -> Verdict:
    with _served(folder) as served:
        real, other = b'{"email": "jane@acme.example"}', b'{"email": "joe@acme.example"}'
        forged, _ = served.post("website", other, signed(source_secrets.make(), other, "real_1"))
        captured = served.signed("website", other, "real_0") | {"Idempotency-Key": "real_1"}
        beside, _ = served.post("website", other, captured)
        status, answer = served.post("website", real, served.signed("website", real, "real_1"))
        new = bool(answer) and answer.get("signals", [{}])[0].get("new")
        again, _ = served.post("website", other, served.signed("website", other, "real_1"))
        recorded = served.one("SELECT count(*) FROM reused_request WHERE request_id = 'real_1'")
    held = (forged, beside, status, new, again, recorded) == (401, 202, 202, True, 409, 1)
    return Verdict(
        held,
        f"forged {forged}; the real one {status}, new: {new}; its id with another body {again}, {recorded} on record",
    )


@attack("weak-secret", "a secret that can be guessed, or that two sources share, is refused at the start")
def weak_secret(folder: Path, seconds: float) -> Verdict:
    playbook = folder / "playbook.yaml"
    playbook.write_text(_PLAYBOOK, encoding="utf-8")
    same = source_secrets.make()
    codes = {}
    for name, secrets in {
        "x": {"WEBSITE": "x"},
        "changeme": {"WEBSITE": "changeme" * 5},
        "shared": {"WEBSITE": same, "OTHER": same},
    }.items():
        environment = os.environ | {"LEADGATE_HOME": str(folder), "LEADGATE_PLAYBOOK": str(playbook)}
        environment |= {f"LEADGATE_SECRET_{source}": secret for source, secret in secrets.items()}
        command = [sys.executable, "-m", "console.http.listening", "--port", "1"]
        codes[name] = subprocess.run(command, env=environment, capture_output=True, timeout=60).returncode
    return Verdict(set(codes.values()) == {2}, ", ".join(f"{name}: exit {code}" for name, code in codes.items()))
