"""What a shadow costs live leads: the stages with and without one in pairs, one after the other, on one ledger.

In each pair the same number of leads is captured and taken through the stages twice, in turn first without a shadow and
first with one. Then a process of its own decides as the shadow all the while, and rests so that it takes a tenth of a
core (``tasks.shadow.SHARE``): what the schedule takes on average, in shorter turns. Printed: the median ratio
of the seconds of the stages, which may be 1.1 at most (exit 1), and what a pass costs by itself beside the stages that
made the decisions, when nothing limits it.

``--unlimited``: the shadow takes a core of its own all the while, which bounds the cost from above: with its rests it
makes few passes in a short run. Writes ``build/bench-shadow.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import sample
from benchmarks.growth import Place, opened
from benchmarks.replay import draft
from leadgate.actors import SYSTEM_ROLES, Actor
from leadgate.ledger import open_ledger
from leadgate.ledger.actions import ActionError
from leadgate.ledger.clock import ask_time
from leadgate.settings import Settings
from leadgate.vocabulary import Role
from tasks.shadow import SHARE, ShadowFindings, find_shadow, run_shadow, start_shadow, stop_shadow

MOST: Final = 1.1
SMALL: Final = 200  # decisions of a portion here: a minute has to have many
OPERATOR: Final = Actor("bench", roles=SYSTEM_ROLES | {Role.OPERATOR})


class Taken(NamedTuple):
    """How long leads took: ``seconds`` of the stages, and ``cpu`` of this process, capture included."""

    seconds: float
    cpu: float


@dataclass(frozen=True)
class Found:
    """What was measured. ``ratio``: seconds of the stages with a shadow beside those without; ``cpu_ratio``: of the CPU
    time of the process of the stages, which tells less of what else the machine does."""

    pairs: int
    leads: int
    without_seconds: float
    with_seconds: float
    ratio: float
    ratio_quartiles: tuple[float, float]
    cpu_ratio: float
    passes: int
    decisions: int
    waiting_batches: int
    pass_beside_stages: float
    different: int


def decide_beside(home: Path, *, limited: bool) -> None:
    """As the process of the shadow: one portion after the other, with rests, until it is ended. It says when it is
    warm."""
    from expectations import gate

    gate.preload()
    loaded = sample.playbook()
    is_warm = False
    with open_ledger(Settings(home=home)) as ledger:
        while True:
            progress = run_shadow(ledger, loaded.path, limited=False, portion=SMALL, most_passes=1)
            if progress.passes and not is_warm:
                is_warm = True
                print("warm", flush=True)
            rest = progress.seconds * (1 / SHARE - 1) if limited else 0.0
            time.sleep(rest if progress.passes else 0.2)


@contextlib.contextmanager
def process_of_shadow(place: Place, leads: int, *, limited: bool) -> Iterator[None]:
    """A process that decides as the shadow that runs, if one does; it is warm."""
    program = [sys.executable, "-m", "benchmarks.shadow", "--of", str(place.home)]
    with (
        shadow_running(place),
        subprocess.Popen(
            [*program, *([] if limited else ["--unlimited"])], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        try:
            _take(place, leads)
            if process.stdout is None or process.stdout.readline() != "warm\n":
                raise SystemExit("the process of the shadow did not start")
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def shadow_running(place: Place) -> Iterator[None]:
    start_shadow(place.ledger, draft(), "a measurement", by=OPERATOR, now=ask_time(place.ledger))
    try:
        yield
    finally:
        with contextlib.suppress(ActionError):
            stop_shadow(place.ledger, by=OPERATOR, now=ask_time(place.ledger))


def measure(place: Place, leads: int, pairs: int, *, limited: bool) -> Found:
    without: list[Taken] = []
    beside: list[Taken] = []
    totals: list[ShadowFindings] = []
    with process_of_shadow(place, leads, limited=limited):
        stop_shadow(place.ledger, by=OPERATOR, now=ask_time(place.ledger))
        for number in range(pairs):
            for with_shadow in (False, True) if number % 2 == 0 else (True, False):
                if not with_shadow:
                    without.append(_take(place, leads))
                    continue
                with shadow_running(place):
                    _take(place, leads)  # what the shadow decides while the next ones are measured
                    beside.append(_take(place, leads))
                    if (found := find_shadow(place.ledger)) is not None:
                        totals.append(found)
            print(f"  without {without[-1].seconds:.2f} s, with a shadow {beside[-1].seconds:.2f} s", flush=True)
    ratios = [one.seconds / other.seconds for one, other in zip(beside, without, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    one, other = (statistics.median(each.seconds for each in some) for some in (without, beside))
    cpu = statistics.median(one.cpu / other.cpu for one, other in zip(beside, without, strict=True))
    return Found(
        pairs=pairs,
        leads=leads,
        without_seconds=round(one, 3),
        with_seconds=round(other, 3),
        ratio=round(statistics.median(ratios), 3),
        ratio_quartiles=(round(low, 3), round(high, 3)),
        cpu_ratio=round(cpu, 3),
        passes=sum(each.shadow.passes for each in totals),
        decisions=sum(each.totals.decisions for each in totals),
        waiting_batches=sum(each.waiting for each in totals),
        pass_beside_stages=round(_measure_pass(place, leads), 3),
        different=sum(each.totals.different for each in totals),
    )


def _take(place: Place, leads: int) -> Taken:
    """Take so many leads through the stages, in small batches."""
    cpu = time.process_time()
    seconds = sum(place.take(min(SMALL // 4, leads - done)) for done in range(0, leads, SMALL // 4))
    return Taken(seconds, time.process_time() - cpu)


def _measure_pass(place: Place, leads: int) -> float:
    """How long a pass over so many leads takes when nothing limits it, beside the stages that decided them."""
    with shadow_running(place):
        stages = _take(place, leads).seconds
        progress = run_shadow(place.ledger, place.loaded.path, limited=False)
    return progress.seconds / stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=200, help="of each half of a pair")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--unlimited", action="store_true")
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.of is not None:
        decide_beside(given.of, limited=not given.unlimited)
        return
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as place:
        place.take(500)
        found = measure(place, given.leads, given.pairs, limited=not given.unlimited)
    print(
        f"{found.pairs} pairs of {found.leads} leads: {found.without_seconds} s without a shadow, "
        f"{found.with_seconds} s with one that made {found.decisions:,} decisions in {found.passes} passes: "
        f"{found.ratio} times (quartiles of the pairs {found.ratio_quartiles[0]} and {found.ratio_quartiles[1]}; of "
        f"CPU time {found.cpu_ratio}). "
        f"A pass by itself takes {found.pass_beside_stages} of the stages' time."
    )
    out = Path("build/bench-shadow.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    print(f"written to {out}")
    if not given.unlimited and found.ratio > MOST:
        raise SystemExit(f"live leads take more than {MOST} times as long with a shadow")
    if found.different:
        raise SystemExit("decisions came out otherwise under the playbook that made them")


if __name__ == "__main__":
    main()
