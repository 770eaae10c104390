"""What leads and read commands cost on a large ledger, beside an empty one; and the memory of a consumer.

Fills a ledger through the real stages, in batches of 20,000. Then runs the read commands as processes there and on an
empty ledger: on the empty one a command takes hardly more than its start, so the difference is its work. Then takes 1,
100 and 10,000 more leads through the stages on both, in turn, and prints the ratio of the medians: Prefect is left out,
for it knows nothing of the ledger's size. PostgreSQL runs all the while.

``--memory``: the resident memory of a consumer that takes so many small batches through Prefect, every 100 batches, and
the slope of the second half. A large batch is among the first half.

Writes ``build/bench-growth.json``. ``--home`` keeps the large ledger in a folder, or takes the one that is there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from benchmarks import sample
from benchmarks.throughput import NOW, capture_leads, require_not_parked
from leadgate.ledger import Ledger, open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import BatchKind
from tasks.batches import Worker, run_waiting

LEADS: Final = 300_000
BATCH: Final = 20_000
SIZES: Final = (sample.Size(1, 61), sample.Size(100, 25), sample.Size(10_000, 5))
COMMANDS: Final = (
    ("status",),
    ("summary",),
    ("queue",),
    ("leads",),
    ("leads", "--search", "miller"),
    ("explain", "1"),
    ("report", "--now", f"{NOW:%Y-%m-%d} 18:00"),
    ("verify",),
)
#: Seconds that the work of a command may take.
MOST: Final = {"verify": 15.0}
MOST_OTHERS: Final = 2.0


@dataclass
class Place:
    """A ledger, and the seeds of leads that it has not seen."""

    ledger: Ledger
    loaded: LoadedPlaybook
    home: Path
    seeds: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def take(self, leads: int) -> float:
        """Capture so many new leads; seconds that the stages take."""
        capture_leads(self.ledger, self.loaded, sample.people(leads, seed=next(self.seeds)))
        worker = Worker(self.ledger, self.loaded, "bench", limit=BATCH)
        started = time.perf_counter()
        run_waiting(worker, lambda: NOW, kinds=(BatchKind.INTAKE,))
        taken = time.perf_counter() - started
        require_not_parked(self.ledger)
        return taken


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Place]:
    """The ledger in ``home``, warm; its leads so far are of the first seeds."""
    loaded = sample.playbook()
    with open_ledger(Settings(home=home)) as ledger:
        with ledger.transaction() as connection:
            known = connection.execute(text("SELECT count(*) FROM signal")).scalar_one()
        place = Place(ledger, loaded, home, iter(range(1_000 + known, 10_000_000)))
        place.take(50)
        yield place


def fill(place: Place, leads: int) -> list[float]:
    """Seconds of each batch, until the ledger has so many leads."""
    seconds = []
    while (known := _signals(place.ledger)) < leads:
        seconds.append(place.take(min(BATCH, leads - known)))
        print(f"  {_signals(place.ledger):>8} leads, the last batch in {seconds[-1]:.1f} s", flush=True)
    return seconds


def _signals(ledger: Ledger) -> int:
    with ledger.transaction() as connection:
        return int(connection.execute(text("SELECT count(*) FROM signal")).scalar_one())


def more_leads(large: Place, folder: Path, size: sample.Size) -> dict[str, Any]:
    """``size.leads`` more on the large ledger and on one that was empty, in turn."""
    on_large: list[float] = []
    on_empty: list[float] = []
    with contextlib.ExitStack() as stack:
        empty: Place | None = None
        for number in range(size.rounds):
            if empty is None or size.leads >= BATCH // 10:  # else it would be a large one soon
                empty = stack.enter_context(opened(folder / f"empty-{size.leads}-{number}"))
            # in turn who comes first: the second finds the processor's caches as the first left them
            turns = ((empty, on_empty), (large, on_large))
            for place, seconds in turns if number % 2 else turns[::-1]:
                seconds.append(place.take(size.leads))
    medians = statistics.median(on_large), statistics.median(on_empty)
    return {
        "leads": size.leads,
        "rounds": size.rounds,
        "seconds_large": round(medians[0], 4),
        "seconds_empty": round(medians[1], 4),
        "ratio": round(medians[0] / medians[1], 3),
    }


def read_command(command: Sequence[str], large: Place, empty: Place, rounds: int) -> dict[str, Any]:
    """Seconds of a command on both ledgers, in turn."""
    seconds: dict[Path, list[float]] = {large.home: [], empty.home: []}
    for _ in range(rounds):
        for home, found in seconds.items():
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "console.cli", *command],
                env=_environment(home),
                stdout=subprocess.DEVNULL,
                check=command[0] not in ("status", "verify"),  # nobody takes leads here; a broken one would show above
            )
            found.append(time.perf_counter() - started)
    start = statistics.median(seconds[empty.home])
    whole = statistics.median(seconds[large.home])
    return {
        "command": " ".join(command),
        "seconds": round(whole, 3),
        "start_up": round(start, 3),
        "work": round(whole - start, 3),
        "most": MOST.get(command[0], MOST_OTHERS),
    }


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))}
    return kept | {"LEADGATE_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "120"}


# -- memory ------------------------------------------------------------------------------------------------


def resident_mb() -> float:
    """The resident memory of this process."""
    with Path("/proc/self/statm").open() as opened_file:
        return int(opened_file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def memory(batches: int, leads: int, every: int) -> dict[str, Any]:
    """The memory of a consumer in this process over ``batches`` small batches, with one of 20,000 after a quarter."""
    from flows.runtime import preload
    from flows.runtime.server import open_prefect_server, wait_until_ready

    loaded = sample.playbook()
    samples: list[tuple[int, float]] = []

    async def work(ledger: Ledger, settings: Settings) -> None:
        from flows.runtime.consumer import Consumer  # imports Prefect, which reads where its server is

        consumer = Consumer(ledger, settings, loaded, now=NOW)
        running = asyncio.create_task(consumer.run())
        for number in range(batches):
            if number % every == 0:
                samples.append((number, resident_mb()))
                print(f"{number:>7} batches {samples[-1][1]:>8.1f} MB", flush=True)
            size = BATCH if number == batches // 4 else leads
            people = sample.people(size, seed=1_000 + number)
            await asyncio.to_thread(capture_leads, ledger, loaded, people)
            while await asyncio.to_thread(_waits, ledger):
                await asyncio.sleep(0.02)
        samples.append((batches, resident_mb()))
        consumer.stop()
        await running

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        with (
            open_ledger(settings) as ledger,
            open_prefect_server(ledger, loaded.playbook.retention) as url,
        ):
            preload.preload(loaded.playbook)
            wait_until_ready(url)
            with preload.collected_less_often():
                asyncio.run(work(ledger, settings))
    later = [each for each in samples if each[0] >= batches // 2]
    slope = statistics.linear_regression(*zip(*later, strict=True)).slope * 1_000
    print(f"{samples[-1][1]:.1f} MB in the end; {slope:+.2f} MB for each 1,000 batches of the second half")
    return {"batches": batches, "samples": samples, "mb_per_1000_batches": round(slope, 3)}


def _waits(ledger: Ledger) -> bool:
    with ledger.transaction() as connection:
        return bool(
            connection.execute(
                text(
                    "SELECT EXISTS (SELECT 1 FROM journey WHERE status = 'ready' AND batch_id IS NULL) "
                    "OR EXISTS (SELECT 1 FROM batch WHERE closed_at IS NULL)"
                )
            ).scalar_one()
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=LEADS, help="of the large ledger")
    parser.add_argument("--home", type=Path, help="data folder of the large ledger, kept; default: a temporary one")
    parser.add_argument("--size", type=int, action="append", help="only so many more leads; may be given several times")
    parser.add_argument("--reads-only", action="store_true", help="only the read commands")
    parser.add_argument("--memory", type=int, metavar="BATCHES", help="only the memory of a consumer")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    if arguments.memory:
        result["memory"] = memory(arguments.memory, leads=3, every=100)
    else:
        result = growth(arguments)
    path = Path("build/bench-growth.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")


def growth(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything but the memory."""
    result: dict[str, Any] = {"leads": arguments.leads, "more": [], "reads": []}
    with tempfile.TemporaryDirectory() as folder, opened(arguments.home or Path(folder) / "large") as large:
        result["batches"] = fill(large, arguments.leads)
        print(f"{'command':<32} {'seconds':>8} {'start-up':>9} {'work':>7} {'most':>6}")
        with opened(Path(folder) / "empty") as empty:
            for command in COMMANDS:
                read = read_command(command, large, empty, rounds=3)
                result["reads"].append(read)
                print(
                    f"{read['command']:<32} {read['seconds']:>8.2f} {read['start_up']:>9.2f} {read['work']:>7.2f} "
                    f"{read['most']:>6.1f}",
                    flush=True,
                )
        if not arguments.reads_only:
            print(f"{'more leads':>10} {'large s':>9} {'empty s':>9} {'ratio':>6}")
            for size in SIZES:
                if not arguments.size or size.leads in arguments.size:
                    found = more_leads(large, Path(folder), size)
                    result["more"].append(found)
                    print(
                        f"{found['leads']:>10} {found['seconds_large']:>9.3f} {found['seconds_empty']:>9.3f} "
                        f"{found['ratio']:>6.2f}",
                        flush=True,
                    )
    return result


if __name__ == "__main__":
    main()
