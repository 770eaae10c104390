"""One, two and four always-on consumers on the same work: leads a second, and whether ``verify`` holds.

Each round starts ``leadgate up`` in a folder of its own, and ``leadgate work`` beside it for each further one; then
signals are captured at once, a fifth of them about people who came before, and the clock runs until nothing waits.
Prints a table and writes ``build/bench-consumers.json``. On a machine with two cores, PostgreSQL, the Prefect server
and the consumers share these: more consumers help where there are more cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import sample
from benchmarks.served import Served, by_status, served, wait_until_processed
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, open_ledger, signals
from leadgate.ledger.verify import verify
from leadgate.settings import Settings
from tasks import capture


def measure(consumers: int, leads: int) -> dict[str, Any]:
    """One round."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as running,
        open_ledger(Settings(home=running.home)) as ledger,
        beside(running, consumers - 1),
    ):
        wait_for(ledger, consumers)
        captured(ledger, 500, seed=99)  # warm
        wait_until_processed(ledger, 120)
        captured(ledger, leads, seed=1)
        seconds = wait_until_processed(ledger, 900)
        with ledger.transaction() as connection:
            batches = connection.execute(text("SELECT count(*), count(DISTINCT holder) FROM batch")).one()
        return {
            "consumers": consumers,
            "leads": leads,
            "seconds": round(seconds, 2),
            "leads_per_second": round(leads / seconds, 1),
            "batches": batches[0],
            "journeys": by_status(ledger),
            "broken_invariants": [finding.name for finding in verify(ledger) if finding.broken],
        }


@contextlib.contextmanager
def beside(running: Served, count: int) -> Iterator[None]:
    """``count`` consumers beside that of ``leadgate up``."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "console.cli", "work"],
            env=running.environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait(60)


def wait_for(ledger: Ledger, consumers: int) -> None:
    """Return when so many consumers wait for leads."""
    for _ in range(600):
        with ledger.transaction() as connection:
            ready = connection.execute(text("SELECT count(*) FROM consumer WHERE doing LIKE 'waits%'")).scalar_one()
        if ready >= consumers:
            return
        time.sleep(0.2)
    sys.exit(f"{ready} of {consumers} consumers started")


def captured(ledger: Ledger, leads: int, seed: int) -> None:
    """So many signals, all there at the same moment."""
    keys = capture.Keys(sample.playbook().playbook.sources["website"])
    rows = (Row(line, row) for line, row in enumerate(sample.people(leads, seed=seed, duplicates=0.2), start=2))
    now = datetime.now(UTC)
    with ledger.transaction() as connection:
        for chunk in capture.chunk_rows(rows):
            signals.store_signals(connection, capture.build_signal_rows(chunk, "website", f"bench-{seed}", keys), now)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=20_000)
    parser.add_argument("--consumers", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    results = []
    print(f"{'consumers':>9} {'leads':>8} {'seconds':>8} {'leads/s':>8} {'batches':>8}  verify")
    for consumers in arguments.consumers:
        result = measure(consumers, arguments.leads)
        results.append(result)
        print(
            f"{consumers:>9} {result['leads']:>8} {result['seconds']:>8.1f} {result['leads_per_second']:>8.0f} "
            f"{result['batches']:>8}  {', '.join(result['broken_invariants']) or 'holds'}",
            flush=True,
        )
    path = Path("build/bench-consumers.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")
    sys.exit(any(result["broken_invariants"] for result in results))


if __name__ == "__main__":
    main()
