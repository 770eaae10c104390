"""Signals posted over HTTP while every part is killed in turn and at random, all of them at once included.

Starts ``leadgate up`` and a second consumer, posts signed leads, and kills -9 the intake service, the second one, HTTP
capture, the Prefect server, PostgreSQL, the worker, and everything together; what ``up`` looks after it starts again
itself, ``up`` is started again here. In the end:

- every signal that was answered with 202 is in the ledger;
- every journey is finished, owned or held: nothing waits any more;
- ``leadgate verify`` finds nothing broken;
- no message's key reached its receiver twice without a kill in between.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from benchmarks import http_load, sample
from benchmarks.served import Served, by_status, served
from leadgate.ledger import Ledger, open_ledger
from leadgate.ledger.verify import verify
from leadgate.settings import Settings

PARTS = ("intake", "second intake", "capture", "Prefect", "PostgreSQL", "worker", "everything")


@dataclass
class Receiver:
    """Takes messages over HTTP and notes when each key came."""

    came: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextlib.contextmanager
    def listening(self) -> Any:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                for key in {word.strip('",.') for word in body.replace("\\n", " ").split() if word.count(":") >= 2}:
                    receiver.came[key].append(time.monotonic())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the storm's own output is what matters."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@dataclass
class Storm:
    """The kills so far; keeps a second consumer running beside ``up``."""

    running: Served
    kills: list[tuple[float, str]] = field(default_factory=list)
    second: subprocess.Popen[bytes] | None = None

    def start_second(self) -> None:
        with (self.running.home / "second.log").open("ab") as output:
            self.second = subprocess.Popen(
                [sys.executable, "-m", "console.cli", "work"],
                env=self.running.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def look_after_second(self) -> None:
        """Start it again when it is gone: it ends by itself while there is no Prefect server to be found."""
        if self.second is not None and self.second.poll() is not None:
            self.start_second()

    def kill(self, part: str) -> None:
        pids = self.running.pids()
        if part == "second intake":
            targets = [self.second.pid] if self.second is not None else []
        elif part == "everything":
            targets = [*pids.values(), *([self.second.pid] if self.second is not None else [])]
        else:
            targets = [pids[part]] if part in pids else []
        self.kills.append((time.monotonic(), part))
        for pid in targets:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        print(f"  killed {part} ({', '.join(map(str, targets)) or 'which was gone already'})", flush=True)
        if part == "everything":
            self.running.process.wait()
            time.sleep(1.0)
            self.running.start()


def post(running: Served, wanted: int, rate: float) -> set[int]:
    """Post until ``wanted`` signals were accepted; the ids of those. What had no answer is posted anew by its source,
    here as the next lead."""
    accepted: set[int] = set()
    people = sample.people(10_000_000, seed=11)
    while len(accepted) < wanted:
        report = asyncio.run(
            http_load.load(
                running.capture_url,
                running.secret,
                people,
                connections=8,
                seconds=20,
                rate=rate,
                most=wanted - len(accepted),
            )
        )
        accepted |= set(report.ids)
        print(
            f"  {len(accepted)} accepted so far; answers {dict(report.statuses)}, {report.errors} without one",
            flush=True,
        )
    return accepted


def keep_killing(storm: Storm, stop: threading.Event, every: float, seed: int) -> None:
    """Each part in turn, then any at random."""
    draw = random.Random(seed)
    order = itertools.chain(PARTS, iter(lambda: draw.choice(PARTS), None))
    while not stop.wait(every * draw.uniform(0.6, 1.4)):
        storm.look_after_second()
        storm.kill(next(order))


def settle(storm: Storm, ledger: Ledger, timeout: float) -> None:
    """Wait until nothing waits and every message is delivered."""
    deadline = time.monotonic() + timeout
    ready = messages = -1
    while time.monotonic() < deadline:
        storm.look_after_second()
        with contextlib.suppress(DBAPIError), ledger.transaction() as connection:
            ready = connection.execute(text("SELECT count(*) FROM journey WHERE status = 'ready'")).scalar_one()
            messages = connection.execute(text("SELECT count(*) FROM outbox WHERE delivered_at IS NULL")).scalar_one()
            if ready == 0 and messages == 0:
                return
        time.sleep(0.5)
    print(f"  NOT settled after {timeout:.0f} s: {ready} journeys wait, {messages} messages", flush=True)


def findings(storm: Storm, ledger: Ledger, receiver: Receiver, accepted: set[int]) -> list[str]:
    """What is broken, in words; empty when all promises were kept."""
    broken = [f"{finding.name}: {finding.broken} ({finding.words})" for finding in verify(ledger) if finding.broken]
    with ledger.transaction() as connection:
        kept = set(connection.execute(text("SELECT id FROM signal")).scalars())
        keys = set(connection.execute(text("SELECT key FROM outbox")).scalars())
    if missing := accepted - kept:
        broken.append(f"{len(missing)} signals were answered with 202 and are not in the ledger")
    if waiting := by_status(ledger).get("ready", 0):
        broken.append(f"{waiting} journeys still wait")
    if undelivered := keys - set(receiver.came):
        broken.append(f"{len(undelivered)} messages were never received")
    for key, times in receiver.came.items():
        for first, second in itertools.pairwise(times):
            # a message is claimed a moment before it is sent, and noted a moment after
            if key in keys and not any(first - 5 <= at <= second for at, _ in storm.kills):
                broken.append(f"{key} was received twice without a kill in between")
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=15.0, help="signals a second")
    parser.add_argument("--every", type=float, default=8.0, help="seconds between kills, on average")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    receiver = Receiver()
    with (
        tempfile.TemporaryDirectory() as folder,
        receiver.listening() as port,
        served(
            Path(folder),
            BENCH_RECEIVER=f"json://127.0.0.1:{port}/",
            LEADGATE_LEASE_SECONDS="5",  # so that what a killed process held is not waited for longer than needed
        ) as running,
    ):
        storm = Storm(running)
        storm.start_second()
        stop = threading.Event()
        killer = threading.Thread(target=keep_killing, args=(storm, stop, arguments.every, arguments.seed), daemon=True)
        killer.start()
        accepted = post(running, arguments.signals, arguments.rate)
        stop.set()
        killer.join()
        with open_ledger(Settings(home=running.home)) as ledger:
            settle(storm, ledger, 300)
            broken = findings(storm, ledger, receiver, accepted)
            statuses = by_status(ledger)
        if storm.second is not None:
            storm.second.send_signal(signal.SIGINT)
            storm.second.wait(60)
    counts = {part: sum(killed == part for _, killed in storm.kills) for part in PARTS}
    twice = sum(len(times) > 1 for times in receiver.came.values())
    print(json.dumps({"accepted": len(accepted), "kills": counts, "journeys": statuses, "messages_twice": twice}))
    print("\n".join(broken) or "Nothing was lost, and nothing was done twice.")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
