"""Two processes at once on one ledger: workers on the same leads, captures of overlapping files."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pandas as pd
from conftest import NOW, Desk, person
from forked import Child, own_ledger

from expectations.findings import GateResult
from leadgate import playbook as playbooks
from leadgate.connectors.files import Row
from leadgate.ledger import signals
from leadgate.ledger.batches import lease_remaining
from leadgate.playbook import Loaded, Playbook
from leadgate.settings import Settings
from tasks import activities, capture
from tasks.batches import run_waiting

LEADS = 5_000
WEIGHTS = {"ana": 1, "bob": 2, "cyn": 3, "dan": 4, "eve": 5}


def weighted(loaded: Loaded) -> Loaded:
    """The tests' playbook with one pool of five reps, weights 1 to 5, whose eligibility never changes."""
    reps = "\n".join(f"  - {{name: {rep}, manager: mia}}" for rep in WEIGHTS)
    members = ", ".join(f"{{rep: {rep}, weight: {weight}}}" for rep, weight in WEIGHTS.items())
    before = loaded.text
    start, end = before.index("reps:"), before.index("    hours: office\n    sla")
    pool = f"reps:\n{reps}\npools:\n  - name: everybody\n    members: [{members}]\n"
    return playbooks.parse(before[:start] + pool + before[end:], path=loaded.path)


def crowd(count: int, share_again: float) -> list[dict[str, Any]]:
    """``count`` clean leads, of whom a share is somebody who came before, at any distance."""
    draw = random.Random(3)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        again = number and draw.random() < share_again
        rows.append(person(draw.randrange(number), Message=f"again {number}") if again else person(number))
    return rows


def nothing_fails(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
    """A gate that everybody passes: these rows are clean, and this is about what two workers share."""
    columns = ["journey_id", "promise", "severity", "reason", "words", "value", "detail"]
    passed = pd.Series(data=True, index=frame.index)
    return GateResult(name, passed, pd.DataFrame(columns=columns), None, [], 0.0)  # type: ignore[arg-type]


def work_until_nothing_waits(settings: Settings, loaded: Loaded, holder: str) -> int:
    """How many batches this process took through."""
    with own_ledger(settings) as ledger:
        desk = Desk(ledger, loaded)
        worker = desk.worker(holder, limit=300, lease_seconds=30.0)
        return len(run_waiting(worker, lambda: NOW, kinds=["intake"], check=nothing_fails))


def test_two_workers_share_a_pool_and_never_a_lead(settings: Settings, loaded: Loaded) -> None:
    rules = weighted(loaded)
    rows = crowd(LEADS, share_again=0.2)
    with own_ledger(settings) as ledger:
        desk = Desk(ledger, rules)
        desk.capture(*rows)
        both = [Child(partial(work_until_nothing_waits, settings, rules, name)) for name in ("one", "two")]
        batches = [child.result() for child in both]
        assert min(batches) >= 3, "one of them did nearly everything, so nothing was shared"
        assert lease_remaining(ledger, "intake") is None
        assert desk.holds() == []

        persons = {row["Email"] for row in rows}
        assert desk.statuses() == {"owned": len(persons), "joined": LEADS - len(persons)}
        assert desk.one("SELECT count(DISTINCT lead_id) FROM journey WHERE status = 'owned'") == len(persons)
        assert desk.one("SELECT count(*) FROM lead") == len(persons)
        assert desk.one("SELECT (state ->> 'epoch')::int FROM pool_state") == 1

        owned = dict(desk.rows("SELECT owner, count(*) FROM assignment GROUP BY owner"))
        for rep, weight in WEIGHTS.items():
            share = len(persons) * weight / sum(WEIGHTS.values())
            assert abs(owned[rep] - share) < 1, f"{rep} has {owned[rep]}, the share is {share:.1f}"


def test_captures_of_overlapping_files_in_other_orders_store_each_row_once(
    settings: Settings, loaded: Loaded
) -> None:
    rows = [person(number) for number in range(600)]

    def capture_in(order: list[int]) -> int:
        keys = capture.Keys(loaded.playbook.sources["website"])
        new = 0
        with own_ledger(settings) as ledger:
            for chunk in capture.chunks((Row(at, rows[number]) for at, number in enumerate(order)), 50):
                with ledger.transaction() as connection:
                    new += signals.store_signals(
                        connection, capture.signal_rows(chunk, "website", "a file", keys), NOW
                    )
        return new

    forth, back = list(range(400)), list(range(599, 199, -1))
    both = [Child(partial(capture_in, order)) for order in (forth, back)]
    assert sum(child.result() for child in both) == len(rows)
    with own_ledger(settings) as ledger:
        desk = Desk(ledger, loaded)
        assert desk.one("SELECT count(*) FROM signal") == len(rows)
        assert desk.holds() == []


def test_captures_of_overlapping_activities_in_other_orders_store_each_once(
    settings: Settings, loaded: Loaded
) -> None:
    rows = [
        {"Type": "call", "Email": f"lead{n}@company{n}.example", "Date": "2026-03-04", "Note": "n"}
        for n in range(8_000)
    ]

    def capture_in(order: list[int]) -> int:
        reader = activities.Reader("activities", "a file", loaded.playbook, NOW)
        parted = reader.sort([Row(at, rows[number]) for at, number in enumerate(order)])
        with own_ledger(settings) as ledger, ledger.transaction() as connection:
            return signals.store_activities(connection, parted.activities, NOW)

    forth, back = list(range(6_000)), list(range(7_999, 1_999, -1))
    both = [Child(partial(capture_in, order)) for order in (forth, back)]
    assert sum(child.result() for child in both) == len(rows)
