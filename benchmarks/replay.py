"""How long a replay takes, beside the stages that decided; how much memory; and whether it comes out the same.

Three ledgers, each with a playbook of the sample: leads in large batches, leads in batches of a few, and days on which
people correct, approve, reject and reassign (``made_up_decisions``). Each is replayed under the playbook that decided,
which must find no difference (exit 1), and under a draft with other points. Printed for each: journeys, decisions,
seconds of the stages, seconds of the replay, their ratio, and the peak of the replaying process' memory.

Then ledgers of 100,000 leads (``--large`` for others, such as 300,000) in batches of 20,000: the memory of each is
printed as so many times that of the first ledger, and more than twice is an exit with 1. Writes
``build/bench-replay.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import sample
from benchmarks.growth import BATCH, Place, opened
from benchmarks.made_up_decisions import Days
from leadgate import playbook as playbooks
from leadgate.ledger import open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.replay.results import replay_playbook

FEW: Final = 5  # leads of a small batch
#: How many times the memory of 10,000 leads those of a large ledger may take.
MOST_MEMORY: Final = 2.0


@dataclass(frozen=True)
class Setting:
    """A ledger to be replayed: how it is filled, which takes so many seconds."""

    name: str
    fill: Callable[[Path], float]


def fill_large(home: Path, leads: int) -> float:
    with opened(home) as place:
        return sum(place.take(min(BATCH, leads - done)) for done in range(0, leads, BATCH))


def fill_small(home: Path, leads: int) -> float:
    with opened(home) as place:
        return sum(_take_few(place) for _ in range(leads // FEW))


def _take_few(place: Place) -> float:
    return place.take(FEW)


def fill_days(home: Path, leads: int) -> float:
    with open_ledger(Settings(home=home)) as ledger:
        started = time.perf_counter()
        days = Days(ledger, sample.playbook())
        days.live(leads, max(10, leads // 130))
        print("  " + ", ".join(f"{times:,} {what}" for what, times in days.done.items()), flush=True)
        return time.perf_counter() - started


def draft() -> LoadedPlaybook:
    """The sample's playbook with other points."""
    loaded = sample.playbook()
    text = loaded.text.replace('"points":15', '"points":5').replace('"points":20', '"points":12')
    if text == loaded.text:
        raise SystemExit("the sample's playbook has no such points any more")
    return playbooks.parse(text, path=loaded.path)


def replay_here(home: Path, *, as_recorded: bool) -> dict[str, Any]:
    """In this process: the figures of one replay."""
    from expectations import gate

    gate.preload()
    loaded = sample.playbook() if as_recorded else draft()
    with open_ledger(Settings(home=home)) as ledger:
        started = time.perf_counter()
        result = replay_playbook(ledger, loaded, used=loaded.playbook)
        seconds = time.perf_counter() - started
    return {
        "journeys": result.comparison.journeys,
        "decisions": result.check.decisions,
        "different": result.check.different_decisions,
        "changed": result.comparison.changed,
        "seconds": round(seconds, 2),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def replay_apart(home: Path, *, as_recorded: bool) -> dict[str, Any]:
    """In a process of its own, whose memory is the replay's."""
    program = [
        sys.executable,
        "-m",
        "benchmarks.replay",
        "--of",
        str(home),
        *(["--as-recorded"] if as_recorded else []),
    ]
    found: dict[str, Any] = json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=2_000, help="leads of the made-up days; 0 leaves them out")
    parser.add_argument("--large", type=int, nargs="*", default=[100_000], help="leads of large ledgers; none without")
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--as-recorded", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.of is not None:
        print(json.dumps(replay_here(given.of, as_recorded=given.as_recorded)))
        return
    settings = [
        Setting(f"{given.leads:,} leads in one batch", lambda home: fill_large(home, given.leads)),
        Setting(f"{given.leads // 5:,} leads in batches of {FEW}", lambda home: fill_small(home, given.leads // 5)),
    ]
    if given.days:
        settings.append(Setting(f"days of {given.days:,} leads", lambda home: fill_days(home, given.days)))
    found = [measure(each) for each in settings]
    found += [measure_large(leads, found[0]) for leads in given.large]
    out = Path("build/bench-replay.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"written to {out}")
    if any(each["as_recorded"]["different"] or each["as_recorded"]["changed"] for each in found):
        raise SystemExit("a replay of the recorded playbook came out otherwise")
    if any(each.get("memory_ratio", 0) > MOST_MEMORY for each in found):
        raise SystemExit(f"a large ledger takes more than {MOST_MEMORY:g} times the memory")


def measure_large(leads: int, first: dict[str, Any]) -> dict[str, Any]:
    """A ledger of so many leads, its memory beside that of ``first``."""
    found = measure(Setting(f"{leads:,} leads in batches of {BATCH:,}", lambda home: fill_large(home, leads)))
    found["memory_ratio"] = round(found["draft"]["memory_mb"] / first["draft"]["memory_mb"], 2)
    print(f"  {found['memory_ratio']} times the memory of {first['setting']}", flush=True)
    return found


def measure(setting: Setting) -> dict[str, Any]:
    print(setting.name, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        stages = setting.fill(Path(folder))
        figures = {"setting": setting.name, "stages_seconds": round(stages, 2)}
        for name, as_recorded in (("as_recorded", True), ("draft", False)):
            one = replay_apart(Path(folder), as_recorded=as_recorded)
            figures[name] = one
            print(
                f"  {name:<12} {one['journeys']:>8,} journeys {one['decisions']:>9,} decisions, {one['different']} "
                f"different; {one['seconds']:6.1f} s, {one['seconds'] / stages:.2f} of the stages' {stages:.1f} s; "
                f"{one['memory_mb']:,} MB; {one['changed']:,} journeys change",
                flush=True,
            )
        return figures


if __name__ == "__main__":
    main()
