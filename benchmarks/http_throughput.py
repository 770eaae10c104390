"""Leads accepted over HTTP and processed to the end, sustained: with 32 connections for a minute.

Starts ``leadgate up`` on its defaults (``--consumers`` adds always-on consumers beside its own), posts as fast as the
server answers, and waits until nothing waits any more. ``processed_per_second`` is over the whole time,
the rest that was still waiting when the posting ended included. Writes ``build/bench-http.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import http_load, sample
from benchmarks.consumers import beside, wait_for
from benchmarks.served import Served, by_status, served, wait_until_processed
from leadgate.ledger import Ledger, open_ledger
from leadgate.ledger.verify import verify
from leadgate.settings import Settings


def measure(running: Served, ledger: Ledger, *, connections: int, seconds: float, rate: float | None) -> dict[str, Any]:
    """One load, and what the ledger says of it afterwards."""
    backlog: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.5):
            with ledger.transaction() as connection:
                waits = connection.execute(text("SELECT count(*) FROM journey WHERE status = 'ready'")).scalar_one()
            backlog.append(waits)

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    started = time.perf_counter()
    people = sample.people(10_000_000, seed=3)
    report = asyncio.run(
        http_load.load(running.capture_url, running.secret, people, connections=connections, seconds=seconds, rate=rate)
    )
    rest = wait_until_processed(ledger, 600)
    taken = time.perf_counter() - started
    stop.set()
    watch.join()
    statuses = by_status(ledger)
    return report.to_dict() | {
        "connections": connections,
        "rate": rate,
        "accepted_per_second": round(report.per_second, 1),
        "processed_per_second": round(report.accepted / taken, 1),
        "seconds_until_processed": round(taken, 1),
        "seconds_after_the_last_post": round(rest, 1),
        "largest_backlog": max(backlog, default=0),
        "journeys": statuses,
        "broken_invariants": [finding.name for finding in verify(ledger) if finding.broken],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, help="requests a second; else as fast as possible")
    parser.add_argument("--consumers", type=int, default=1)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as running,
        open_ledger(Settings(home=running.home)) as ledger,
        beside(running, arguments.consumers - 1),
    ):
        wait_for(ledger, arguments.consumers)
        result = measure(
            running, ledger, connections=arguments.connections, seconds=arguments.seconds, rate=arguments.rate
        )
    result["consumers"] = arguments.consumers
    print(json.dumps(result, indent=2))
    path = Path("build/bench-http.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")
    if result["errors"] or result["broken_invariants"]:
        sys.exit("there were errors")


if __name__ == "__main__":
    main()
