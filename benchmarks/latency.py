"""From request to owner: how long a lead that is posted takes until its owner is committed.

Starts ``leadgate up`` on its defaults, posts signed leads at a steady rate, and looks at the ledger every few
milliseconds. A lead is through when its journey has left the queue: owned, nurtured, disqualified, joined or held; the
figures are of those that got an owner. Time counts from the moment a request was due. Prints a histogram and
where the time goes, and writes ``build/bench-latency.json``.

Seconds say as much about the machine as about Leadgate. So the same Prefect server runs a plain flow of twelve tasks
that do nothing (``plain_flow``) before and after each rate, while no leads come, and each figure is told as a multiple
of that flow's median, too: the ratios carry over to another machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import http_load, plain_flow, sample
from benchmarks.served import Served, served, wait_until_processed
from flows.runtime.server import ensure_address
from leadgate.ledger import Ledger, open_ledger
from leadgate.settings import Settings

LOOK_EVERY = 0.005  # seconds
PLAIN_RUNS = 15  # of the plain flow, before each rate and after the last
BUCKETS = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0, 1e9)


class Watch:
    """Looks at the ledger in a thread: when each signal's journey left the queue, and as what."""

    def __init__(self, ledger: Ledger, after: int) -> None:
        self.left: dict[int, tuple[float, str]] = {}
        self._ledger = ledger
        self._after = after
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        waiting: set[int] = set()
        newest = self._after
        with self._ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self._stop.is_set():
                rows = connection.execute(
                    text(
                        "SELECT signal_id, status FROM journey WHERE signal_id > :newest OR signal_id = ANY(:waiting)"
                    ),
                    {"newest": newest, "waiting": list(waiting)},
                ).fetchall()
                at = time.perf_counter()
                for row in rows:
                    newest = max(newest, row.signal_id)
                    if row.status == "ready":
                        waiting.add(row.signal_id)
                    else:
                        waiting.discard(row.signal_id)
                        self.left.setdefault(row.signal_id, (at, row.status))
                self._stop.wait(LOOK_EVERY)


def measure(running: Served, ledger: Ledger, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    """Latencies at ``rate`` leads a second for ``seconds``."""
    with ledger.transaction() as connection:
        after = connection.execute(text("SELECT coalesce(max(id), 0) FROM signal")).scalar_one()
    people = sample.people(10_000_000, seed=seed)
    with Watch(ledger, after) as watch:
        report = asyncio.run(
            http_load.load(
                running.capture_url, running.secret, people, connections=max(2, int(rate)), seconds=seconds, rate=rate
            )
        )
        wait_until_processed(ledger, 60)
        time.sleep(4 * LOOK_EVERY)
    through = {signal: watch.left[signal][0] - due for signal, due in report.due.items() if signal in watch.left}
    owned = sorted(taken for signal, taken in through.items() if watch.left[signal][1] == "owned")
    return {
        "rate": rate,
        "seconds": seconds,
        "accepted": report.accepted,
        "errors": report.errors,
        "through": len(through),
        "owned": len(owned),
        "p50_s": round(statistics.median(owned), 4),
        "p95_s": round(owned[min(len(owned) - 1, int(0.95 * len(owned)))], 4),
        "max_s": round(owned[-1], 4),
        "answer_p50_s": round(report.percentile(0.5), 4),
        "where": _where(ledger, after),
        "histogram": _histogram(owned),
    }


def compare_with_plain_flow(result: dict[str, Any], plain: Sequence[float]) -> dict[str, float]:
    """The median of a plain flow's runs, and what the latencies of ``result`` are in multiples of it."""
    median = statistics.median(plain)
    ratios = {f"{name}_ratio": round(result[f"{name}_s"] / median, 2) for name in ("p50", "p95")}
    return {"plain_flow_s": round(median, 4), **ratios}


def _where(ledger: Ledger, after: int) -> dict[str, float]:
    """Averages over the batches since: their size, the wait for a claim, and the gates up to the owner."""
    statement = """
        SELECT avg(b.size)::float AS leads_in_a_batch,
            avg(extract(epoch FROM b.opened_at - s.received_at))::float AS waits_for_its_batch_s,
            avg(g.seconds)::float AS gates_s
        FROM handoff h JOIN journey j ON j.id = h.journey_id JOIN signal s ON s.id = j.signal_id
        JOIN batch b ON b.id = h.batch_id
        JOIN (SELECT batch_id, sum(seconds) AS seconds FROM gate_result WHERE gate <> 'followed_up' GROUP BY batch_id) g
            ON g.batch_id = b.id
        WHERE h.stage = 'assignment' AND s.id > :after"""
    with ledger.transaction() as connection:
        row = connection.execute(text(statement), {"after": after}).one()
    return {name: round(value or 0.0, 4) for name, value in row._mapping.items()}


def _histogram(owned: list[float]) -> dict[str, int]:
    counts = {}
    for low, high in pairwise(BUCKETS):
        name = f"{low:g} to {high:g} s" if high < 1e9 else f"over {low:g} s"
        counts[name] = sum(low <= taken < high for taken in owned)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, action="append", help="leads a second; may be given several times")
    parser.add_argument("--seconds", type=float, default=120.0)
    arguments = parser.parse_args()
    results = []
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as running,
        open_ledger(Settings(home=running.home)) as ledger,
    ):
        prefect = ensure_address(running.home, running.prefect_port)
        measure(running, ledger, 5, 6, seed=99)  # warm
        before = plain_flow.seconds(prefect, PLAIN_RUNS)
        for number, rate in enumerate(arguments.rate or [1.0, 20.0]):
            result = measure(running, ledger, rate, arguments.seconds, seed=number)
            after = plain_flow.seconds(prefect, PLAIN_RUNS)
            result |= compare_with_plain_flow(result, before + after)
            before = after
            results.append(result)
            _print(result)
    path = Path("build/bench-latency.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")


def _print(result: dict[str, Any]) -> None:
    print(
        f"\n{result['rate']:g} leads a second for {result['seconds']:g} s: {result['accepted']} accepted, "
        f"{result['errors']} errors, {result['owned']} owned\n"
        f"request to owner committed: p50 {result['p50_s']:.3f} s, p95 {result['p95_s']:.3f} s, "
        f"max {result['max_s']:.3f} s; request to answer: p50 {result['answer_p50_s']:.3f} s\n"
        f"a plain Prefect flow of {plain_flow.TASKS} tasks that do nothing: {result['plain_flow_s']:.3f} s; "
        f"to owner in multiples of it: p50 {result['p50_ratio']:.2f}, p95 {result['p95_ratio']:.2f}"
    )
    most = max(result["histogram"].values())
    for name, count in result["histogram"].items():
        if count:
            print(f"  {name:>14} {count:>6} {'#' * max(1, round(50 * count / most))}")
    where = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in result["where"].items())
    print(f"  on average: {where}", flush=True)


if __name__ == "__main__":
    main()
