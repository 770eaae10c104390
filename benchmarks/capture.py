"""Capturing a long CSV file: rows a second, and the memory it takes, for two lengths of the same file.

Bounded memory means that ten times the rows need no more of it. ``leadgate capture`` runs as a user would
run it; its resident memory is what the operating system saw at its peak, PostgreSQL not counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(f"{'rows':>9} {'file MB':>8} {'seconds':>8} {'rows/s':>8} {'RSS MB':>7}")
    results = []
    for count in (rows // 10, rows):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "leads.csv"
            _write(path, count)
            seconds, peak = _capture(path, Path(folder) / "home")
            size = path.stat().st_size / 1e6
        results.append({"rows": count, "seconds": round(seconds, 2), "peak_rss_mb": round(peak, 1)})
        print(f"{count:>9} {size:>8.0f} {seconds:>8.1f} {count / seconds:>8.0f} {peak:>7.0f}", flush=True)
    output = Path("build/bench-capture.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {output}")


def _write(path: Path, count: int) -> None:
    people = sample.people(count)
    with path.open("w", encoding="utf-8", newline="") as file:
        first = next(people)
        writer = csv.DictWriter(file, fieldnames=list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(people)


def _capture(path: Path, home: Path) -> tuple[float, float]:
    """Seconds, and the peak resident memory in MB of the command's process."""
    command = [sys.executable, "-m", "console.cli", "capture", str(path), "--source", "website"]
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "LEADGATE_HOME": str(home)}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"leadgate capture ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
