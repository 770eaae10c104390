"""Workers and captures killed at random, for as long as wanted: nothing may be lost or done twice.

Two workers and two captures of overlapping files run at once on one ledger. Each is killed (SIGKILL) at a
random failpoint, or after a random time, or left alone, and others go on where it stopped. In the end
everything is run once more without kills, the ledger's invariants are checked, and what does not depend on
the order of things is compared with a ledger that nobody disturbed: every signal, person, score, held row
and message, and the shares of the pool. Prints a table; exits 1 on any difference. The same seed draws the
same leads and kills; when a timed kill strikes is the machine's doing.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import sample
from expectations import gate
from leadgate import playbook as playbooks
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, open_ledger, signals
from leadgate.ledger.activities import match_activities, store_activities
from leadgate.ledger.batches import LeaseLost
from leadgate.ledger.leases import read_lease_remaining
from leadgate.ledger.verify import verify
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import BatchKind
from tasks import activities, capture
from tasks.batches import Worker, run_waiting

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
LEASE = 0.5  # seconds
KEY = "a key for ledgers that last as long as a storm"
SMALL = 40  # journeys a batch, so that there are many
FAILPOINTS = {
    "capture": ("capture.signals.before", "capture.signals.after", "capture.activities.after"),
    "worker": (
        "claim.batch.after", "claim.journeys.after", "claim.commit.after", "apply.fence.after", "apply.lock.after",
        "apply.leads.after", "apply.identity.claimed", "apply.identity.after", "apply.turns.after",
        "apply.assignments.after", "apply.outbox.after", "apply.work_items.after", "apply.qualifications.after",
        "apply.advance.apart", "apply.advance.after", "apply.gate_result.after", "apply.follow_up.after",
        "apply.commit.before", "apply.commit.after", "close.before", "close.after",
    ),
}  # fmt: skip

PLAYBOOK = """
version: 1
name: Storm
sources:
  website: {default_country: DE}
  partner: {default_country: FR}
  activities: {kind: activities}
scoring:
  fit:
    - {name: has_company, when: "company is not null", points: 30}
    - {name: decides, when: "company is not null and job_title in ('CEO', 'VP of Sales')", points: 20}
    - {name: student, when: "job_title ilike '%student%'", points: -40}
  engagement:
    - {name: asked_for_demo, activity: demo_request, points: 20}
qualification:
  marketing_qualified: 30
  sales_qualified: 50
  review: {lowest: 20, below: 30}
reps: [{name: ana}, {name: bob}, {name: cyn}, {name: dan}]
pools:
  - name: everybody
    members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn, weight: 3}, {rep: dan, weight: 5}]
    sla: standard
routing:
  - {name: all_leads, to: pool everybody}
slas:
  - name: standard
    first_touch: 4h
    ladder: [{after: 50, do: remind}, {after: 100, do: escalate}]
breaker: {share: 1.0, window: 1000, at_least: 1000}  # what it parks depends on the order of rows
"""


@dataclass
class File:
    """Rows of one source, as a file brings them."""

    source: str
    rows: list[dict[str, Any]]


@dataclass
class Tally:
    """What happened."""

    files: int = 0
    started: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    failed: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the storm lasts")
    parser.add_argument("--seed", type=int, help="draw the same leads and kills again")
    parser.add_argument("--leads", type=int, default=120, help="leads in each new file")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}", flush=True)
    gate.preload()
    loaded = playbooks.parse(PLAYBOOK, path=Path("storm.yaml"))
    with tempfile.TemporaryDirectory() as folder, open_ledger(Settings(home=Path(folder), key=KEY)) as ledger:
        calm = _second(ledger)
        files, tally = _storm(ledger, loaded, random.Random(seed), arguments.seconds, arguments.leads)
        _calm(calm, loaded, files)
        broken = _report(ledger, calm, tally)
    print(f"\n{'nothing was lost or done twice' if not broken else 'FAILED'} (seed {seed})")
    sys.exit(1 if broken else 0)


# -- the storm ---------------------------------------------------------------------------------------------


def _storm(
    ledger: Ledger, loaded: LoadedPlaybook, draw: random.Random, seconds: float, leads: int
) -> tuple[list[File], Tally]:
    """Workers and captures that die and are replaced until the time is over; then all once more, undisturbed."""
    url = ledger.engine.url.render_as_string(hide_password=False)
    files: list[File] = []
    tally = Tally()
    running: dict[str, Running] = {}
    population = list(sample.people(5 * leads, seed=draw.randrange(1_000_000), duplicates=0.0, dirt=0.0))
    end = time.monotonic() + seconds
    while time.monotonic() < end or running:
        for slot in ("worker 1", "worker 2", "capture 1", "capture 2"):
            child = running.get(slot)
            if child is not None and not _ended(child, tally):
                continue
            running.pop(slot, None)
            if time.monotonic() > end:
                continue
            if slot.startswith("worker"):
                running[slot] = _start(slot, partial(_work, url, loaded, NOW, SMALL), draw, tally)
            elif _waiting(ledger) < leads:
                files += _files(draw, population, leads, len(files))
                # an export that overlaps those before; what a kill left out is captured again later
                part = [*files[-3:], *draw.sample(files, k=min(3, len(files)))]
                draw.shuffle(part)
                running[slot] = _start(slot, partial(_capture, url, loaded, part), draw, tally)
        time.sleep(0.02)
    for now in (NOW, LATER):
        _undisturbed(ledger, [partial(_capture, url, loaded, files)], tally)
        _undisturbed(ledger, [partial(_work, url, loaded, now, SMALL)] * 2, tally)
    tally.files = len(files)
    return files, tally


@dataclass
class Running:
    """A process, and when it is to be killed if it is still there."""

    name: str
    process: Any
    kill_at: float | None


def _start(name: str, work: Any, draw: random.Random | None, tally: Tally) -> Running:
    """Fork ``work``, with a random death: at a failpoint or at a time. Without ``draw`` it lives."""
    at, kill_at = None, None
    if draw is not None:
        tally.started[name.split()[0]] += 1
        if draw.random() < 0.6:
            at = f"{draw.choice(FAILPOINTS[name.split()[0]])}:{draw.randint(1, 3)}"
        else:
            kill_at = time.monotonic() + draw.uniform(0.05, 3.0)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(work, at))
    process.start()
    return Running(name, process, kill_at)


def _waiting(ledger: Ledger) -> int:
    with ledger.transaction() as connection:
        return int(connection.execute(text("SELECT count(*) FROM journey WHERE status = 'ready'")).scalar_one())


def _child(work: Any, failpoint: str | None) -> None:
    if failpoint is not None:
        os.environ["LEADGATE_FAILPOINT"] = failpoint
    work()


def _ended(child: Running, tally: Tally) -> bool:
    """Whether the process is gone, which is its time to go; if so, how is counted."""
    if child.kill_at is not None and time.monotonic() > child.kill_at:
        child.process.kill()
        child.process.join()
    code = child.process.exitcode
    if code is None:
        return False
    if code == -signal.SIGKILL:
        how = "at a failpoint" if child.kill_at is None else "by time"
        tally.killed[f"{child.name.split()[0]} {how}"] += 1
    elif code != 0:
        tally.failed += 1
        print(f"{child.name} ended with {code}", flush=True)
    return True


def _undisturbed(ledger: Ledger, work: list[Any], tally: Tally) -> None:
    """Processes that live, from when no dead one holds a batch any more until they are done."""
    time.sleep(max(read_lease_remaining(ledger, kind) or 0 for kind in BatchKind))
    children = [_start("undisturbed", each, None, tally) for each in work]
    for child in children:
        child.process.join()
        _ended(child, tally)


def _files(draw: random.Random, population: list[dict[str, Any]], leads: int, number: int) -> list[File]:
    """What comes in next: signals of anybody of the population, some of them dirty, and what leads did."""
    rows = []
    for person in draw.choices(population, k=leads):
        row = person | {"Message": f"file {number}, {draw.random()}"}  # the same person, never the same signal
        if sum(row["Email"].encode()) % 7 == 0:  # always the same persons
            row["Company"] = ""  # scores too little, until there is a demo request
        if draw.random() < 0.1:
            row |= draw.choice(({"Phone Number": "call me"}, {"Email": "nobody"}, {"Country": "Atlantis"}))
        rows.append(row)
    half = leads // 2
    heard = [
        {"Type": "demo_request", "Email": row["Email"], "Date": NOW.isoformat(), "Note": str(number)}
        for row in draw.sample(rows, k=leads // 5)
        if "@" in row["Email"]
    ]
    return [File("website", rows[:half]), File("activities", heard), File("partner", rows[half:])]


# -- what the processes do ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(url: str) -> Iterator[Ledger]:
    with open_ledger(Settings(home=Path(), database_url=url, key=KEY)) as ledger:
        yield ledger


def _capture(url: str, loaded: LoadedPlaybook, files: list[File]) -> None:
    with _opened(url) as ledger:
        for file in files:
            _store(ledger, loaded, file)


def _store(ledger: Ledger, loaded: LoadedPlaybook, file: File) -> None:
    """As the command does it, in small chunks. A file is known by its rows, so each has its own counts."""
    keys = capture.Keys(loaded.playbook.sources[file.source])
    reader = activities.Reader("activities", "storm", loaded.playbook, NOW)
    for chunk in capture.chunk_rows((Row(line, row) for line, row in enumerate(file.rows)), 20):
        with ledger.transaction() as connection:
            if file.source == "activities":
                store_activities(connection, reader.sort(chunk).activities, NOW)
                match_activities(connection, NOW)
            else:
                signals.store_signals(connection, capture.build_signal_rows(chunk, file.source, "storm", keys), NOW)


def _work(url: str, loaded: LoadedPlaybook, now: datetime, limit: int) -> None:
    with _opened(url) as ledger:
        worker = Worker(ledger, loaded, f"worker-{os.getpid()}", LEASE, limit)
        while True:
            with contextlib.suppress(LeaseLost):  # a busy machine: somebody else goes on with the batch
                run_waiting(worker, lambda: now)
            if all(read_lease_remaining(ledger, kind) is None for kind in BatchKind):
                return
            time.sleep(0.05)  # somebody is at work, or left a batch behind


def _calm(ledger: Ledger, loaded: LoadedPlaybook, files: list[File]) -> None:
    """The same files, one after the other, by one worker that nobody kills."""
    url = ledger.engine.url.render_as_string(hide_password=False)
    _capture(url, loaded, files)
    for now in (NOW, LATER):
        _work(url, loaded, now, 20_000)


def _second(ledger: Ledger) -> Ledger:
    """Another ledger on the same server."""
    from sqlalchemy import create_engine

    superuser = create_engine(
        ledger.engine.url.set(username="postgres", database="postgres"), isolation_level="AUTOCOMMIT"
    )
    with superuser.connect() as connection:
        connection.execute(text("CREATE DATABASE calm OWNER leadgate"))
    superuser.dispose()
    url = ledger.engine.url.set(database="calm")
    with _opened(url.render_as_string(hide_password=False)):
        pass
    return Ledger(create_engine(url), ledger.home, ledger.key)


# -- what must be the same ---------------------------------------------------------------------------------

#: Queries over the whole ledger whose rows, as a multiset, do not depend on who worked when. How often a
#: person was nurtured before enough was known does, so persons are compared by where they are in the end.
SAME = {
    "signals": "SELECT source, key, payload FROM signal",
    "rows held at capture or validation": """
        SELECT s.key, j.stage, w.reason, w.value FROM journey j JOIN work_item w ON w.id = j.work_item_id
        JOIN signal s ON s.id = j.signal_id WHERE j.stage IN ('capture', 'validation')""",
    "persons, and how often they were heard of": """
        SELECT i.value, count(*) FROM identity i JOIN journey j ON j.lead_id = i.lead_id
        WHERE j.trigger = 'signal' AND NOT (j.status = 'held' AND j.stage = 'validation') GROUP BY i.value""",
    "persons, their scores and where they are": """
        SELECT DISTINCT ON (i.value) i.value, j.stage, j.status, l.company, l.phone IS NULL,
            CASE WHEN j.status <> 'owned' THEN q.score END  -- an owned lead is not scored again
        FROM identity i JOIN lead l ON l.id = i.lead_id JOIN journey j ON j.lead_id = l.id AND j.status <> 'joined'
        JOIN qualification q ON q.journey_id = j.id ORDER BY i.value, j.id DESC, q.generation DESC""",
    "what was done, and by whom": """
        SELECT a.key, i.value FROM activity a LEFT JOIN identity i ON i.lead_id = a.lead_id""",
    "messages about owned persons": """
        SELECT i.value, o.kind FROM outbox o JOIN journey j ON j.id = o.journey_id
        JOIN identity i ON i.lead_id = j.lead_id WHERE o.kind <> 'lead_heard_again'""",
    "open work": "SELECT kind, reason, stage FROM work_item WHERE closed_at IS NULL",
}
SHARES = """
    SELECT owner, count(*) - (SELECT count(*) FROM assignment) * CASE owner
        WHEN 'ana' THEN 1 WHEN 'bob' THEN 2 WHEN 'cyn' THEN 3 ELSE 5 END / 11.0 AS away
    FROM assignment GROUP BY owner"""


def _report(stormy: Ledger, calm: Ledger, tally: Tally) -> bool:
    """Print what happened and what differs. True when anything does."""
    broken = tally.failed > 0
    print(f"{tally.files} files, {tally.killed.total()} of {tally.started.total()} processes killed")
    for name, count in sorted(tally.killed.items()):
        print(f"  {name:<28} {count:>6}")
    with stormy.transaction() as connection:
        taken_over = connection.execute(text("SELECT coalesce(sum(epoch - 1), 0), count(*) FROM batch")).one()
        print(f"  batches taken over           {taken_over[0]:>6}   of {taken_over[1]}")
    print(f"\n{'invariant':<44} {'checked':>8} {'broken':>8}")
    for finding in verify(stormy):
        broken |= finding.broken > 0
        print(f"{finding.name:<44} {finding.checked:>8} {finding.broken:>8}")
    print(f"\n{'compared with the undisturbed ledger':<44} {'rows':>8} {'differ':>8}")
    for name, query in SAME.items():
        here, there = _multiset(stormy, query), _multiset(calm, query)
        differ = (here - there) + (there - here)
        broken |= bool(differ)
        print(f"{name:<44} {here.total():>8} {differ.total():>8}")
        for row, count in list((here - there).items())[:3]:
            print(f"    only here:  {count} x {row}"[:200])
        for row, count in list((there - here).items())[:3]:
            print(f"    only there: {count} x {row}"[:200])
    for owner, away in _multiset(stormy, SHARES):
        broken |= abs(away) >= 1
        print(f"{f'leads that {owner} is away from the share':<44} {away:>8.2f}")
    return broken


def _multiset(ledger: Ledger, query: str) -> Counter[Any]:
    with ledger.transaction() as connection:
        return Counter(tuple(row) for row in connection.execute(text(query)))


if __name__ == "__main__":
    main()
