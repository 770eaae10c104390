"""Leads a second through all six stages, beside the same decisions without anything around them.

``seconds`` is from the first claim to the last batch closed, in a process that is warm: flow runs, gates,
PostgreSQL, artifacts. ``bare_seconds`` is the stages' ``decide`` alone on the same rows, no Prefect, no
Great Expectations, no database. ``owned_per_second`` counts only leads that got an owner: others are held, nurtured or
join a known lead early, which costs less. ``peak_rss_mb`` is this process at its largest, servers not counted.
Each size is measured in a process of its own. Prints a table and writes ``build/bench.json``. Ends with an error when
the breaker parks the source: parked leads go through no stage, and would make the figures better than they are.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import sample
from leadgate.assignment.availability import Load
from leadgate.connectors.files import Row
from leadgate.connectors.providers import Asking, build_providers
from leadgate.ledger import Ledger, open_ledger, reports, signals
from leadgate.ledger.batches import Batch
from leadgate.ledger.pools import StoredTurns
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.sla import sla_targets
from leadgate.vocabulary import BatchKind
from tasks import assignment, capture, enrichment, follow_up, qualification, validation
from tasks.source_breaker import PARKED
from tasks.stage import Gathered, Work

SIZES = (sample.Size(1, 7), sample.Size(100, 5), sample.Size(10_000, 1), sample.Size(100_000, 1))
NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
CHUNK = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, action="append", help="only this size; may be given several times")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.rounds)))
        return
    sizes = [size for size in SIZES if not arguments.leads or size.leads in arguments.leads]
    sizes += [sample.Size(n, 1) for n in arguments.leads or () if n not in {size.leads for size in SIZES}]
    results = []
    print(
        f"{'leads':>8} {'seconds':>9} {'leads/s':>9} {'owned/s':>9} {'held':>6} {'bare s':>8} {'ratio':>6} "
        f"{'RSS MB':>7}   where (s)"
    )
    for size in sizes:
        wanted = ["--one", str(size.leads), "--rounds", str(size.rounds)]
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.throughput", *wanted], capture_output=True, text=True, check=False
        )
        if finished.returncode:
            sys.exit(finished.stderr)
        result = json.loads(finished.stdout.splitlines()[-1])
        results.append(result)
        ratio = result["seconds"] / result["bare_seconds"]
        where = ", ".join(f"{name} {seconds:.2f}" for name, seconds in result["where"].items())
        print(
            f"{result['leads']:>8} {result['seconds']:>9.3f} {result['leads_per_second']:>9.0f} "
            f"{result['owned_per_second']:>9.1f} {result['held_share']:>6.1%} "
            f"{result['bare_seconds']:>8.3f} {ratio:>6.2f} {result['peak_rss_mb']:>7.0f}   {where}",
            flush=True,
        )
    path = Path("build/bench.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")


def measure(leads: int, rounds: int) -> dict[str, Any]:
    """One size, in this process."""
    loaded = sample.playbook()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", batch_limit=CHUNK)
        with open_ledger(settings) as ledger:
            timed, where, peak = _governed(ledger, settings, loaded, leads, rounds)
            after = reports.read_summary(ledger, NOW)
    bare = statistics.median(_bare(loaded, leads, seed) for seed in range(1, rounds + 1))
    seconds = statistics.median(timed)
    return {
        "leads": leads,
        "seconds": round(seconds, 4),
        "leads_per_second": round(leads / seconds, 1),
        # of all rounds, and the few leads that warm up: a round of one lead may own none
        "owned_per_second": round(leads / seconds * sum(row.total for row in after.owners) / after.signals, 1),
        "held_share": round(after.journeys.get("held", 0) / after.signals, 4),
        "bare_seconds": round(bare, 4),
        "peak_rss_mb": round(peak, 1),
        "where": {name: round(value, 3) for name, value in where.items()},
    }


def _governed(
    ledger: Ledger, settings: Settings, loaded: LoadedPlaybook, leads: int, rounds: int
) -> tuple[list[float], dict[str, float], float]:
    """Seconds of each round, where the time of the last went, and the peak resident memory in MB."""
    from flows.run import Runner

    timed: list[float] = []
    where: dict[str, float] = {}
    with Runner(ledger, settings, loaded) as runner:
        capture_leads(ledger, loaded, sample.people(50, seed=99))
        runner.run(now=NOW, kinds=(BatchKind.INTAKE,))  # warm: imports, contexts, connections, caches
        for seed in range(1, rounds + 1):
            capture_leads(ledger, loaded, sample.people(leads, seed=seed))
            report = runner.run(now=NOW, kinds=(BatchKind.INTAKE,))
            require_not_parked(ledger)
            timed.append(report.seconds)
            where = {}
            for batch in report.batches:
                for stage in batch.stages:
                    for step, seconds in stage.seconds.items():
                        where[step] = where.get(step, 0.0) + seconds
            where["flow runs"] = report.seconds - sum(where.values())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return timed, where, peak


def require_not_parked(ledger: Ledger) -> None:
    """Ends the measurement with exit code 1 when the breaker has parked a source."""
    parked = reports.list_work_items(ledger, reports.WorkItemFilter(reason=PARKED))
    if parked:
        journeys = sum(item.journeys for item in parked)
        sources = ", ".join(sorted({item.source for item in parked if item.source}))
        sys.exit(
            f"The breaker parked the source {sources} ({journeys} leads) while it was measured, so the figures would "
            "be of leads that went through no stage. Look at what the sample's leads are held for."
        )


def capture_leads(ledger: Ledger, loaded: LoadedPlaybook, rows: Iterator[dict[str, Any]]) -> None:
    keys = capture.Keys(loaded.playbook.sources["website"])
    numbered = (Row(line, payload) for line, payload in enumerate(rows, start=2))
    for chunk in capture.chunk_rows(numbered):
        with ledger.transaction() as connection:
            signals.store_signals(connection, capture.build_signal_rows(chunk, "website", "bench", keys), NOW)


def _bare(loaded: LoadedPlaybook, leads: int, seed: int) -> float:
    """Seconds that the decisions alone take on the same rows."""
    total = 0.0
    work = Work(Batch(0, 1, "bare", loaded.hash, leads, NOW), loaded, NOW)
    payloads = list(sample.people(leads, seed=seed))
    for start in range(0, leads, CHUNK):
        part = payloads[start : start + CHUNK]
        frame = pd.DataFrame(
            {
                "journey_id": range(start, start + len(part)),
                "version": 0,
                "generation": 0,
                "lead_id": range(start, start + len(part)),
                "source": "website",
                "captured_at": pd.Timestamp(NOW),
                "key": "k",
                "payload": [capture.encode(row).decode() for row in part],
                "unreadable": None,
            }
        )
        no_corrections = pd.DataFrame({"journey_id": [], "field": [], "value": []})
        nothing_heard = pd.DataFrame({"journey_id": [], "kind": [], "occurred_at": []})
        nothing_done = pd.DataFrame(
            columns=["journey_id", "kind", "actor", "rep", "occurred_at", "seconds", "automatic"]
        )
        no_pauses = pd.DataFrame(columns=["pause_id", "journey_id", "started_at", "until", "ended_at", "answered_at"])
        started = time.perf_counter()
        frame = capture.decide(Gathered(frame, no_corrections), work).frame
        frame = validation.decide(Gathered(frame), work).frame
        not_asked = Gathered(frame, enrichment.Said.about(frame))
        asked = enrichment.ask_providers(not_asked, NOW, build_providers(loaded, Asking(NOW)))
        frame = enrichment.decide(asked, work).frame
        frame = qualification.decide(Gathered(frame, nothing_heard), work).frame
        frame = frame[frame["outcome"] == "continue"].reset_index(drop=True)
        pools = {pool.name: StoredTurns({}, 0) for pool in loaded.playbook.pools}
        capacity = assignment.Capacity(pools, {rep.name: Load() for rep in loaded.playbook.reps})
        frame = assignment.decide(Gathered(frame, capacity), work).frame
        owned = frame[frame["outcome"] == "owned"].reset_index(drop=True)
        missing = pd.Series([None] * len(owned), dtype=object)
        never = dict.fromkeys(("touched_at", "last_touched_at", "accepted_at", "stale_since"), missing)
        owned = owned.assign(clock_from=owned["assigned_at"], **dict.fromkeys(sla_targets.TAKEN.values(), 0), **never)
        follow_up.decide(Gathered(owned, follow_up.OwnerActivity(nothing_done, no_pauses, {})), work)
        total += time.perf_counter() - started
    return total


if __name__ == "__main__":
    main()
