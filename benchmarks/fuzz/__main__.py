"""``make fuzz``: the poison hunt, on a PostgreSQL of its own. Exits with 1 for anything that went wrong.

Prints how many rows were tried, how many were held, the longest standstill and the good leads that were held, and
writes ``build/fuzz.json``. ``--seed`` repeats a hunt.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.fuzz import rows
from benchmarks.fuzz.hunt import Figures, Found, hunt, opened
from benchmarks.fuzz.shrink import smallest
from leadgate.ledger import open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings

PLAYBOOKS: Final[dict[str, Callable[[], LoadedPlaybook]]] = {
    "default": rows.by_default,
    "reads text": rows.that_reads_text,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long, all playbooks together (600)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the hunt that printed this seed")
    parser.add_argument("--rows", type=int, default=200, help="rows of a round (200)")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    figures, found, started = Figures(), None, time.monotonic()
    for name, make in PLAYBOOKS.items():
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            with embedded(home / "home") as settings, opened(settings, make(), home) as ground:
                seconds = arguments.seconds / len(PLAYBOOKS)
                found = hunt(ground, random.Random(seed), figures, size=arguments.rows, seconds=seconds)
                if found is not None:
                    print(
                        f"playbook {name}, round {figures.rounds}: {'; '.join(found.wrong)}\n  {found.plan}", flush=True
                    )
                    found = smallest(ground, found)
                    break
    report(seed, time.monotonic() - started, figures, found)
    sys.exit(1 if found is not None else 0)


@contextlib.contextmanager
def embedded(home: Path) -> Iterator[Settings]:
    """A PostgreSQL of its own, by its address: several processes use it, and one of them is killed."""
    with open_ledger(Settings(home=home)) as ledger:
        yield Settings(home, ledger.engine.url.render_as_string(hide_password=False))


def report(seed: int, seconds: float, figures: Figures, found: Found | None) -> None:
    """Print the figures, and write them to ``build/fuzz.json``."""
    print(f"rows tried           {figures.rows:>10,} in {figures.rounds:,} rounds, {seconds:,.0f} s")
    print(f"refused at the door  {figures.refused:>10,}")
    print(f"held                 {figures.held:>10,}")
    print(f"longest standstill   {figures.longest_standstill:>10,.1f} s")
    print(f"good leads           {figures.good:>10,}")
    print(f"good leads held      {figures.good_held:>10,}")
    print(f"errors raised once   {figures.raised.total():>10,} with {len(figures.raised)} states")
    print(f"rows that always fail{figures.broken.total():>10,} with {len(figures.broken)} states")
    for what, count in figures.outcomes.most_common():
        print(f"  {what:<60} {count:>8,}")
    if figures.came_out:
        told = ", ".join(f"{name} ×{count}" for name, count in figures.came_out.most_common())
        print(f"errors that came out of a run, which was started again: {told}")
    smallest_example = None
    if found is not None:
        smallest_example = {"plan": str(found.plan), "wrong": found.wrong}
        print(f"WRONG: {'; '.join(found.wrong)}\n  smallest example: {found.plan}")
    path = Path("build/fuzz.json")
    path.parent.mkdir(exist_ok=True)
    told_as = {"seed": seed, "seconds": round(seconds, 1), **vars(figures), "found": smallest_example}
    path.write_text(json.dumps(told_as, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
