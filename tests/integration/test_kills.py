"""Killed anywhere, nothing is lost and nothing is done twice.

A run is killed (SIGKILL, by itself) at every named failpoint, one after the other, and each time another
process goes on where it stopped, until it is killed at the next one: every failpoint is reached from a
ledger that a kill has left behind. After each kill the ledger must hold exactly what an undisturbed run had
committed by then, so that nothing or everything of a stage is there. In the end both came to the same.

The gates are the real ones. Their verdicts are remembered by content, because the same rows are judged
again after each kill, and Great Expectations takes most of the time of a small batch.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import databases
import pandas as pd
import pytest
from forked import Child, own_ledger
from harness import NOW, PLAYBOOK, Harness, make_lead

import leadgate
import tasks
from expectations import gate
from expectations.findings import GateResult
from expectations.view import build_view
from leadgate import playbook as playbooks
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, signals
from leadgate.ledger.activities import match_activities, store_activities
from leadgate.ledger.leases import read_lease_remaining
from leadgate.ledger.verify import read_projection
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.settings import Settings
from leadgate.vocabulary import STAGES
from tasks import activities, capture
from tasks.batches import run_waiting
from tasks.replay.results import replay_playbook

LEASE = 0.1  # seconds; what a killed run held is taken over when they are over
LIMIT = 14  # journeys a batch, so that there are several

# -- what comes in, and what is done with it ---------------------------------------------------------------


def leads() -> list[tuple[str, list[dict[str, Any] | None]]]:
    """Two sources, with one of every kind of trouble between them."""
    website: list[dict[str, Any] | None] = [
        make_lead(1),
        make_lead(2, Phone="call me"),
        None,
        make_lead(3),
        make_lead(1, Phone="", Message="me again"),  # joins
        make_lead(4, Company=""),  # nurture, until more is known
        make_lead(5, Company="", Title="Chief Buyer"),  # review
        make_lead(6, Country="Atlantis"),
        make_lead(7, Email="spy@rival.example"),  # disqualified
        *(make_lead(number) for number in range(8, 13)),
        make_lead(8, Message="a third time"),
        make_lead(13, Email="kim@gmial.com"),
    ]
    broken = [make_lead(number, Email="030 1234567") for number in range(100, 121)]  # opens the breaker
    return [("website", website), ("partner", [*broken, make_lead(121), make_lead(122)])]


def deals(now: datetime) -> list[dict[str, Any] | None]:
    """What a CRM's export says of opportunities until ``now``: one is owned, one asks for an amount, one changes."""
    rows = [
        ("A", "Proposal", "8000", 0.0), ("B", "Proposal", "", 0.0), ("C", "Prospecting", "500", -24.0),
        ("C", "Qualification", "700", 0.0), ("A", "Proposal", "9000", 1.0), ("B", "Proposal", "4000", 1.0),
        ("A", "Closed Won", "9000", 3.0),
    ]  # fmt: skip
    return [
        {"Id": key, "Account": f"Company {key}", "Owner": "ana", "Stage": stage, "Amount": amount,
         "Close Date": "2026-04-30", "Modified At": (NOW + timedelta(hours=hours)).isoformat()}
        for key, stage, amount, hours in rows
        if NOW + timedelta(hours=hours) <= now
    ]  # fmt: skip


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    """The playbook of the tests, with opportunities."""
    words = PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities}\n", 1)
    return playbooks.parse(words + "kinds: {opportunity: {}}\n", path=Path("kills.yaml"))


def heard(now: datetime) -> list[dict[str, Any]]:
    """What leads and reps did until ``now``, as rows of a file."""
    rows = [
        ("demo_request", 3, NOW - timedelta(days=1), ""),
        ("call", 1, NOW - timedelta(hours=1), "ana"),  # before anybody had the lead, so it is no touch
        ("demo_request", 4, NOW + timedelta(hours=1), ""),
        *(("call", 9, NOW + timedelta(hours=1), rep) for rep in ("ana", "bob", "cyn")),
        *(("email", 10, NOW + timedelta(hours=5), rep) for rep in ("ana", "bob", "cyn")),
    ]
    return [
        {"Type": kind, "Email": f"lead{lead}@company{lead}.example", "Date": at.isoformat(), "User": rep}
        for kind, lead, at, rep in rows
        if at <= now
    ]


@dataclass
class Phase:
    """Work of one kind at one moment, and what came of it undisturbed.

    ``states[n]`` is the content of the ledger after ``n`` chunks were captured or stages applied.
    """

    kind: Literal["capture", "intake", "follow_up"]
    now: datetime
    states: list[list[str]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)  # the failpoints hit, in order


def phases() -> list[Phase]:
    """A day: leads come in, some are touched, others reminded of, escalated and at last taken back."""
    return [
        Phase(kind, NOW + timedelta(hours=hours))
        for hours in (0, 2, 4, 24)
        for kind in ("capture", "follow_up", "intake")
    ]


def perform(
    phase: Phase, ledger: Ledger, loaded: LoadedPlaybook, holder: str = "one", note: Callable[[], None] = lambda: None
) -> None:
    """What there is to do in this phase. ``note`` is called before each transaction of it."""

    def check(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
        note()
        return real_gate(name, frame, playbook)

    if phase.kind == "capture":
        capture_all(ledger, loaded, phase.now, note)
    else:
        worker = Harness(ledger, loaded).worker(holder, LIMIT, LEASE)
        run_waiting(worker, lambda: phase.now, kinds=[phase.kind], check=check)


def capture_all(ledger: Ledger, loaded: LoadedPlaybook, now: datetime, note: Callable[[], None]) -> None:
    """Capture every file as the command does, but in chunks of a few rows."""
    # deals first: a batch whose stages come by new failpoints has to follow another such batch (``kills``)
    for source, rows in [("deals", deals(now)), *leads()]:
        kind = SOURCE_KINDS[loaded.playbook.sources[source].kind]
        keys = capture.Keys(loaded.playbook.sources[source])
        read = (
            Row(line, row) if row is not None else Row(line, None, "a,b", f"line {line}: 2 cells")
            for line, row in enumerate(rows, start=2)
        )
        for chunk in capture.chunk_rows(read, 7):
            note()
            with ledger.transaction() as connection:
                signals.store_signals(
                    connection, capture.build_signal_rows(chunk, source, source, keys, kind=kind), now
                )
    reader = activities.Reader("activities", "activities.csv", loaded.playbook, now)
    for chunk in capture.chunk_rows((Row(line, row) for line, row in enumerate(heard(now))), 7):
        note()
        with ledger.transaction() as connection:
            store_activities(connection, reader.sort(chunk).activities, now)
            match_activities(connection, now)


_verdicts: dict[str, tuple[list[int], GateResult]] = {}


def real_gate(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
    """The gate's verdict on these rows, whose journeys may have other ids than when it was asked first."""
    shown = build_view(frame, gate.list_promises(name, playbook))  # type: ignore[arg-type]
    content = f"{name} {shown.to_dict('list')}"
    ids = frame["journey_id"].tolist()
    if content not in _verdicts:
        _verdicts[content] = (ids, gate.run(name, frame, playbook=playbook))  # type: ignore[arg-type]
    then, result = _verdicts[content]
    renamed = result.failures["journey_id"].map(dict(zip(then, ids, strict=True)))
    passed = pd.Series(result.passed.to_numpy(), index=frame.index)
    return replace(result, passed=passed, failures=result.failures.assign(journey_id=renamed))


# -- undisturbed, and killed again and again ---------------------------------------------------------------


def undisturbed(settings: Settings, loaded: LoadedPlaybook, phase: Phase, trace: Path) -> Phase:
    """The phase as a child performs it that nobody kills, and what it came by."""

    def calm() -> tuple[Phase, list[str], dict[str, Any]]:
        with own_ledger(settings) as ledger:
            seen = replace(phase, states=[])

            def note() -> None:
                seen.states.append(read_projection(ledger))

            perform(phase, ledger, loaded, note=note)
            note()
            return seen, Harness(ledger, loaded).find_broken(), _verdicts

    seen, broken, verdicts = Child(calm, failpoint="none", trace=trace).result()
    assert broken == []
    _verdicts.update(verdicts)
    return replace(seen, trace=[line.partition(":")[0] for line in trace.read_text().split()])


@dataclass(frozen=True)
class Kill:
    """Where a process is killed, counted from its own start; and how much is committed by then."""

    failpoint: str
    committed: int
    needed: bool  # to come by the ones after it: see ``kills``


def kills(phase: Phase, known: set[tuple[str, str, str, int]]) -> list[Kill]:
    """Each failpoint of the phase, the first time that it is hit in this kind of work and this stage.

    A process that goes on takes its batch over, finds nothing to do in the stages that were applied, and does
    the next one. So hits count from the start of a stage; and a process must be killed as it claims a batch,
    and as it enters a stage, or the next one would hit the same names further up. A capture that goes on
    begins again with its first file, so its hits count from there.
    """
    batches: list[list[list[Kill]]] = [[[]]]  # the new ones of each stage, of each batch
    hits, where, committed = Counter[str](), "", 0
    for number, name in enumerate(phase.trace):
        part = name.partition(".")[0]
        if part == "claim" and "claim.commit.after" not in phase.trace[number:]:
            break  # nothing waits
        if part in ("claim", "stage", "close") and name.endswith(".before"):
            where, hits = name, Counter()
            batches += [[]] if part == "claim" else []
            batches[-1].append([])
        hits[name] += 1
        committed += name == "apply.commit.after"
        spot = (phase.kind, where, name, hits[name])
        needed = name == "claim.commit.after" or part == "stage"
        if spot not in known or needed:
            batches[-1][-1].append(Kill(f"{name}:{hits[name]}", committed, needed))
        known.add(spot)
        committed += name in ("capture.signals.after", "capture.activities.after")
    stages = [[stage for stage in batch if _any_new(stage)] for batch in batches]
    for batch, kept in zip(batches, stages, strict=True):
        if kept and not _any_new(batch[0]):
            kept.insert(0, batch[0])
    return [kill for batch in stages for stage in batch for kill in stage]


def _any_new(kills: list[Kill]) -> bool:
    return not all(kill.needed for kill in kills)


def killed_everywhere(settings: Settings, loaded: LoadedPlaybook, plan: list[tuple[Phase, list[Kill]]]) -> int:
    """Every phase with its kills, and what the ledger holds after each. Returns how many were killed."""
    deaths = 0
    with own_ledger(settings) as ledger:
        for phase, wanted in plan:

            def one(holder: str, phase: Phase = phase) -> None:
                with own_ledger(settings) as own:
                    perform(phase, own, loaded, holder)

            for kill in wanted:
                victim = Child(partial(one, f"victim-{deaths}"), failpoint=kill.failpoint)
                assert victim.killed, f"{phase.kind} was to be killed at {kill.failpoint}: {victim.result()}"
                deaths += 1
                differs = set(read_projection(ledger)) ^ set(phase.states[kill.committed])
                assert not differs, f"{phase.kind} at {phase.now}, killed at {kill.failpoint}: {differs}"
                if phase.kind != "capture":
                    time.sleep(read_lease_remaining(ledger, phase.kind) or 0)
            Child(partial(one, "survivor")).result()
            assert read_projection(ledger) == phase.states[-1]
            assert Harness(ledger, loaded).find_broken() == []
        again = replay_playbook(ledger, loaded, used=loaded.playbook)
        assert (again.check.differences, again.comparison.changed) == ([], 0)
        assert again.check.decisions
    return deaths


@pytest.fixture
def two_more(postgres: Ledger, settings: Settings) -> Iterator[list[Settings]]:
    """Two more empty ledgers."""
    with databases.fresh(postgres, 2) as urls:
        yield [replace(settings, database_url=url) for url in urls]


def test_killed_at_every_failpoint_it_comes_to_the_same(
    settings: Settings, two_more: list[Settings], loaded: LoadedPlaybook, tmp_path: Path
) -> None:
    gate.preload()
    known: set[tuple[str, str, str, int]] = set()
    plan: list[tuple[Phase, list[Kill]]] = []
    for number, phase in enumerate(phases()):
        seen = undisturbed(settings, loaded, phase, tmp_path / f"trace{number}")
        plan.append((seen, kills(seen, known)))
    assert {name for _, _, name, _ in known} == failpoints(), "a failpoint that this day never comes by"
    # two chains at once, to use both cores: each is killed at every other failpoint
    chains = [
        [(phase, [k for at, k in enumerate(wanted) if k.needed or at % 2 == turn]) for phase, wanted in plan]
        for turn in (0, 1)
    ]
    drivers = [
        Child(partial(killed_everywhere, home, loaded, chain)) for home, chain in zip(two_more, chains, strict=True)
    ]
    deaths = sum(driver.result() for driver in drivers)
    assert deaths == sum(len(wanted) for chain in chains for _, wanted in chain)
    assert deaths >= len(known)


def test_running_everything_twice_changes_nothing(settings: Settings, loaded: LoadedPlaybook) -> None:
    gate.preload()
    with own_ledger(settings) as ledger:
        before: list[str] = []
        for phase in phases():
            perform(phase, ledger, loaded)
            once = read_projection(ledger)
            perform(phase, ledger, loaded)
            assert read_projection(ledger) == once, f"{phase.kind} at {phase.now} a second time"
            before = before or once
        assert once != before  # the day went on, so there was something to repeat
        harness = Harness(ledger, loaded)
        assert harness.count_statuses().keys() == {
            "owned", "held", "done", "nurture", "disqualified", "joined", "discarded"
        }  # fmt: skip
        assert harness.find_broken() == []


def failpoints() -> set[str]:
    """The names of all failpoints, as they stand in the source."""
    folders = [Path(package.__file__ or "").parent for package in (leadgate, tasks)]
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")]
    named = {name for source in sources for name in re.findall(r'\bfailpoint\("([a-z_.]+)"\)', source)}
    # outside of the day's work: delivery, CRMs, leads that webhooks only name, what people hand over or take back, and
    # the search for leads that break a stage; killed by test_delivery.py, test_report_mail.py, test_crm_delivery.py,
    # test_crm_sync.py, test_lead_ads.py, test_reassignments.py, test_undo_touch.py, test_outcomes.py, test_faults.py and
    # test_score_training.py, test_shadow.py and test_shadow_parts.py
    apart = (
        "deliver.",
        "report_mail.",
        "crm.",
        "lead_ads.",
        "hand_over.",
        "undo.",
        "outcomes.",
        "part.",
        "held.",
        "score.",
        "shadow.",
    )
    return {name for name in named if not name.startswith(apart)} | {f"stage.{stage}.before" for stage in STAGES}
