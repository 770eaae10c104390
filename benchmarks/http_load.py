"""Signed signals posted over HTTP, as fast as possible or at a given rate: what was accepted, and how soon.

``load`` is a small client: keep-alive connections on plain asyncio streams, because a full HTTP client takes more of a
core for a request than the server does. Run as a program it starts PostgreSQL and ``leadgate listen`` in a folder
of its own, posts made-up leads, and checks that the ledger holds exactly what was accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hmac
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import sample
from leadgate import source_secrets
from leadgate.ledger import open_ledger
from leadgate.settings import Settings

PLAYBOOK = """
version: 1
name: Load
sources:
  website:
    http: {auth: hmac, secret_env: LEADGATE_SECRET_LOAD, per_second: 100000, burst: 1000000}
reps: [{name: ana}]
pools: [{name: everybody, members: [{rep: ana}], sla: day}]
routing: [{name: all, to: pool everybody}]
slas: [{name: day, first_touch: 24h}]
exceptions: [{to: operations, within: 24h}]
"""


@dataclass
class LoadReport:
    """What a load came to. Latencies are in seconds, from the moment a request was due, so that a server that
    falls behind shows; without a rate a request is due when the one before it on its connection is answered."""

    seconds: float = 0.0
    accepted: int = 0  # requests answered with 202
    known: int = 0  # of their payloads, those that were there before
    statuses: Counter[int] = field(default_factory=Counter)
    errors: int = 0  # requests without an answer
    latencies: list[float] = field(default_factory=list, repr=False)
    ids: list[int] = field(default_factory=list, repr=False)  # of the accepted signals
    due: dict[int, float] = field(default_factory=dict, repr=False)  # new signal -> `perf_counter` when it was due

    @property
    def per_second(self) -> float:
        return self.accepted / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """The latency within which ``share`` of the answers came; 0 without any."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds, 2),
            "accepted": self.accepted,
            "known": self.known,
            "statuses": dict(self.statuses),
            "errors": self.errors,
            "per_second": round(self.per_second, 1),
            "p50_ms": round(1000 * statistics.median(self.latencies or [0.0]), 1),
            "p95_ms": round(1000 * self.percentile(0.95), 1),
            "max_ms": round(1000 * max(self.latencies, default=0.0), 1),
        }


async def load(
    url: str,
    secret: str,
    payloads: Iterator[dict[str, Any]],
    *,
    connections: int = 32,
    seconds: float = 10.0,
    rate: float | None = None,
    most: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> LoadReport:
    """Post ``payloads`` to ``url`` (``http://127.0.0.1:8420/capture/website``), signed, one a request.

    Ends after ``seconds``, after ``most`` requests, when ``payloads`` end, or when ``stop()`` says so. With ``rate``
    (requests a second over all connections) requests are due at even distances, whatever the server does.
    """
    report = LoadReport()
    host, _, rest = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    started = time.perf_counter()
    due = _due(started, rate, most)

    async def connection() -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for at in due:
            if at is not None and at > time.perf_counter():
                if at > started + seconds:
                    break
                await asyncio.sleep(at - time.perf_counter())
            begun = time.perf_counter()
            payload = next(payloads, None)
            if begun > started + seconds or payload is None or stop():
                break
            try:
                if streams is None:
                    streams = await asyncio.open_connection(name, int(port))
                status, body = await _post(*streams, host, f"/{rest}", secret, json.dumps(payload).encode())
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                report.errors += 1
                if streams is not None:
                    streams[1].close()
                streams = None
                await asyncio.sleep(0.05)
                continue
            report.latencies.append(time.perf_counter() - (begun if at is None else at))
            report.statuses[status] += 1
            if status == 202:
                report.accepted += 1
                for each in json.loads(body)["signals"]:
                    report.ids.append(each["id"])
                    report.known += not each["new"]
                    if each["new"]:
                        report.due[each["id"]] = begun if at is None else at
        if streams is not None:
            streams[1].close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    report.seconds = time.perf_counter() - started
    return report


def _due(started: float, rate: float | None, most: int | None) -> Iterator[float | None]:
    """When each request is due, shared by all connections; None means at once."""
    number = 0
    while most is None or number < most:
        yield None if rate is None else started + number / rate
        number += 1


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str, secret: str, body: bytes
) -> tuple[int, bytes]:
    headers = "".join(f"{name}: {value}\r\n" for name, value in signed(secret, body).items())
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"{headers}\r\n".encode()
        + body
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    return int(head.split(" ", 2)[1]), await reader.readexactly(length)


def signed(secret: str, body: bytes, request: str | None = None) -> dict[str, str]:
    """The headers of Standard Webhooks; ``request`` is the id, else a new one."""
    id_, at = request or f"msg_{uuid.uuid4().hex}", int(time.time())
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id_}.{at}.".encode() + body, "sha256")
    signature = base64.b64encode(digest).decode()
    return {"webhook-id": id_, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, help="requests a second; else as fast as possible")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report, stored = _against_a_server(Path(folder), arguments)
    data = report.to_dict() | {"connections": arguments.connections, "rate": arguments.rate, "stored": stored}
    print(json.dumps(data, indent=2))
    output = Path("build/bench-http-capture.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    missing = len(set(report.ids)) - stored
    if missing > 0 or report.errors:
        sys.exit(f"{missing} accepted signals are not in the ledger, {report.errors} requests had no answer")


def _against_a_server(folder: Path, arguments: argparse.Namespace) -> tuple[LoadReport, int]:
    """A report, and how many signals the ledger has in the end."""
    playbook = folder / "playbook.yaml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    secret = source_secrets.make()
    environment = os.environ | {
        "LEADGATE_HOME": str(folder), "LEADGATE_PLAYBOOK": str(playbook), "LEADGATE_SECRET_LOAD": secret
    }  # fmt: skip
    environment.pop("LEADGATE_DATABASE_URL", None)
    with open_ledger(Settings(home=folder)) as ledger:
        command = [sys.executable, "-m", "console.http.listening", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            people = sample.people(10_000_000, duplicates=0.0)
            report = asyncio.run(
                load(
                    f"http://127.0.0.1:{port}/capture/website", secret, people,
                    connections=arguments.connections, seconds=arguments.seconds, rate=arguments.rate,
                )
            )  # fmt: skip
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        with ledger.transaction() as connection:
            return report, connection.execute(text("SELECT count(*) FROM signal")).scalar_one()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None:
                sys.exit("leadgate listen did not start")
            time.sleep(0.05)
        else:
            return
    sys.exit("leadgate listen did not listen within 15 s")


if __name__ == "__main__":
    main()
