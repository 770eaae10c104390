"""The Prefect API away for a minute while signals are posted: capture goes on, and processing resumes by itself.

Starts ``leadgate up``, posts signed leads at a steady rate, and stops the Prefect server's process (SIGSTOP: it
takes connections and never answers) in the middle of it. In the end every signal that was answered with 202 is in the
ledger, nothing waits, and ``leadgate verify`` holds; it prints how long the first lead after that took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy import text

from benchmarks import http_load, sample
from benchmarks.served import by_status, served, wait_until_processed
from leadgate.ledger import Ledger, open_ledger
from leadgate.ledger.verify import verify
from leadgate.settings import Settings


def waiting(ledger: Ledger) -> int:
    """How many journeys wait to go through the stages."""
    with ledger.transaction() as connection:
        count: int = connection.execute(text("SELECT count(*) FROM journey WHERE status = 'ready'")).scalar_one()
        return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--away", type=float, default=60.0, help="seconds")
    parser.add_argument("--rate", type=float, default=5.0, help="signals a second")
    arguments = parser.parse_args()
    seen: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as running,
        open_ledger(Settings(home=running.home)) as ledger,
    ):

        def go_away() -> None:
            time.sleep(10)
            server = running.pids()["Prefect"]
            os.kill(server, signal.SIGSTOP)
            time.sleep(arguments.away)
            seen["waiting_when_it_came_back"] = waiting(ledger)
            os.kill(server, signal.SIGCONT)
            back, before = time.monotonic(), seen["waiting_when_it_came_back"]
            while waiting(ledger) >= before and time.monotonic() - back < 120:
                time.sleep(0.1)
            seen["seconds_until_leads_went_on"] = round(time.monotonic() - back, 1)

        thread = threading.Thread(target=go_away)
        thread.start()
        people = sample.people(10_000_000, seed=5)
        report = asyncio.run(
            http_load.load(
                running.capture_url, running.secret, people, connections=8, seconds=arguments.away + 20,
                rate=arguments.rate,
            )
        )  # fmt: skip
        thread.join()
        seen["seconds_until_nothing_waited"] = round(wait_until_processed(ledger, 180), 1)
        with ledger.transaction() as connection:
            kept = set(connection.execute(text("SELECT id FROM signal")).scalars())
        broken = [finding.name for finding in verify(ledger) if finding.broken]
        missing = len(set(report.ids) - kept)
        told = {
            "away_s": arguments.away,
            "statuses": dict(report.statuses),
            "errors": report.errors,
            "missing": missing,
        }
        told |= seen | {"journeys": by_status(ledger), "broken_invariants": broken}
        print(json.dumps(told, indent=2))
    sys.exit(bool(report.errors or missing or broken))


if __name__ == "__main__":
    main()
