"""Two processes at once on one ledger: workers on the same leads, captures of overlapping files."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial
from typing import Any

from forked import Child, own_ledger
from harness import NOW, Harness, make_lead
from stub_gates import Check, act_at_gate, pass_all

from leadgate import playbook as playbooks
from leadgate.connectors.files import Row
from leadgate.ledger import signals
from leadgate.ledger.activities import NewActivity, match_activities, store_activities
from leadgate.ledger.leases import read_lease_remaining
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks import activities, capture
from tasks.batches import run_waiting

LEADS = 5_000
WEIGHTS = {"ana": 1, "bob": 2, "cyn": 3, "dan": 4, "eve": 5}


def weighted(loaded: LoadedPlaybook) -> LoadedPlaybook:
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
        rows.append(make_lead(draw.randrange(number), Message=f"again {number}") if again else make_lead(number))
    return rows


def work_until_nothing_waits(settings: Settings, loaded: LoadedPlaybook, holder: str) -> int:
    """How many batches this process took through."""
    with own_ledger(settings) as ledger:
        harness = Harness(ledger, loaded)
        worker = harness.worker(holder, limit=500, lease_seconds=30.0)
        return len(run_waiting(worker, lambda: NOW, kinds=["intake"], check=pass_all))


def test_two_workers_share_a_pool_and_never_a_lead(settings: Settings, loaded: LoadedPlaybook) -> None:
    rules = weighted(loaded)
    rows = crowd(LEADS, share_again=0.2)
    with own_ledger(settings) as ledger:
        harness = Harness(ledger, rules)
        harness.capture(*rows)
        both = [Child(partial(work_until_nothing_waits, settings, rules, name)) for name in ("one", "two")]
        batches = [child.result() for child in both]
        assert min(batches) >= 3, "one of them did nearly everything, so nothing was shared"
        assert read_lease_remaining(ledger, "intake") is None
        assert harness.find_broken() == []

        persons = {row["Email"] for row in rows}
        assert harness.count_statuses() == {"owned": len(persons), "joined": LEADS - len(persons)}
        assert harness.one("SELECT count(DISTINCT lead_id) FROM journey WHERE status = 'owned'") == len(persons)
        assert harness.one("SELECT count(*) FROM lead") == len(persons)
        assert harness.one("SELECT (state ->> 'epoch')::int FROM pool_state") == 1

        owned = dict(harness.rows("SELECT owner, count(*) FROM assignment GROUP BY owner"))
        for rep, weight in WEIGHTS.items():
            share = len(persons) * weight / sum(WEIGHTS.values())
            assert abs(owned[rep] - share) < 1, f"{rep} has {owned[rep]}, the share is {share:.1f}"


def test_two_workers_keep_caps_and_open_leads_exact(settings: Settings, loaded: LoadedPlaybook) -> None:
    """Weekly caps fill up in the middle, so that who is eligible changes while both are at it."""
    rules = weighted(loaded)
    text = rules.text.replace("{name: eve, manager: mia}", "{name: eve, manager: mia, max_per_week: 150}")
    text = text.replace("{name: dan, manager: mia}", "{name: dan, manager: mia, max_open: 210}")
    text = text.replace("  - name: everybody\n", "  - name: everybody\n    order: open_leads\n")
    rules = playbooks.parse(text, path=rules.path)
    with own_ledger(settings) as ledger:
        harness = Harness(ledger, rules)
        harness.capture(*crowd(1_500, share_again=0))
        both = [Child(partial(work_until_nothing_waits, settings, rules, name)) for name in ("one", "two")]
        assert sum(child.result() for child in both) >= 3
        owned = dict(harness.rows("SELECT owner, count(*) FROM assignment GROUP BY owner"))
        assert (owned["eve"], owned["dan"]) == (150, 210)
        # the others are as level as whole leads allow, for their weights 1, 2 and 3
        assert [owned[rep] for rep in ("ana", "bob", "cyn")] == [190, 380, 570]
        assert harness.find_broken() == []


def test_captures_of_overlapping_files_in_other_orders_store_each_row_once(
    settings: Settings, loaded: LoadedPlaybook
) -> None:
    rows = [make_lead(number) for number in range(600)]

    def capture_in(order: list[int]) -> int:
        keys = capture.Keys(loaded.playbook.sources["website"])
        new = 0
        with own_ledger(settings) as ledger:
            for chunk in capture.chunk_rows((Row(at, rows[number]) for at, number in enumerate(order)), 50):
                with ledger.transaction() as connection:
                    new += signals.store_signals(
                        connection, capture.build_signal_rows(chunk, "website", "a file", keys), NOW
                    )
        return new

    forth, back = list(range(400)), list(range(599, 199, -1))
    both = [Child(partial(capture_in, order)) for order in (forth, back)]
    assert sum(child.result() for child in both) == len(rows)
    with own_ledger(settings) as ledger:
        harness = Harness(ledger, loaded)
        assert harness.one("SELECT count(*) FROM signal") == len(rows)
        assert harness.find_broken() == []


def test_captures_of_overlapping_activities_in_other_orders_store_each_once(
    settings: Settings, loaded: LoadedPlaybook
) -> None:
    rows = [
        {"Type": "call", "Email": f"lead{n}@company{n}.example", "Date": "2026-03-04", "Note": "n"}
        for n in range(8_000)
    ]

    def capture_in(order: list[int]) -> int:
        reader = activities.Reader("activities", "a file", loaded.playbook, NOW)
        parted = reader.sort([Row(at, rows[number]) for at, number in enumerate(order)])
        with own_ledger(settings) as ledger, ledger.transaction() as connection:
            return store_activities(connection, parted.activities, NOW)

    forth, back = list(range(6_000)), list(range(7_999, 1_999, -1))
    both = [Child(partial(capture_in, order)) for order in (forth, back)]
    assert sum(child.result() for child in both) == len(rows)


# -- two workers step by step: the second one acts between the first one's decision and its apply ------------


def work(harness: Harness, holder: str, check: Check = pass_all, **more: Any) -> None:
    run_waiting(harness.worker(holder, **more), lambda: NOW, check=check)


def test_a_signal_that_joins_while_its_lead_is_enriched_is_not_overwritten(harness: Harness) -> None:
    harness.capture(make_lead(1, Company="", Website=""))

    def second() -> None:
        harness.capture(make_lead(1))
        work(harness, "second")

    work(harness, "first", act_at_gate("enriched", second))
    assert harness.rows("SELECT company FROM lead") == [("Company 1",)]
    assert harness.count_statuses() == {"owned": 1, "joined": 1}
    assert harness.find_broken() == []


def test_what_a_lead_does_while_it_is_scored_is_scored(harness: Harness) -> None:
    harness.capture(make_lead(1, Company="", Title="Chief Buyer"))  # 25 points, and 30 are needed
    work(
        harness,
        "first",
        act_at_gate("qualified", lambda: harness.activity("demo_request", "lead1@company1.example")),
    )
    assert harness.rows("SELECT engagement, outcome FROM qualification") == [(20, "continue")]
    assert harness.count_statuses() == {"owned": 1}
    assert harness.find_broken() == []


def test_a_touch_while_follow_up_decides_is_seen(harness: Harness) -> None:
    harness.capture(make_lead(1))
    work(harness, "first")
    owner = harness.one("SELECT owner FROM assignment")
    later = NOW + timedelta(hours=4)
    touch = partial(harness.activity, "call", "lead1@company1.example", rep=owner, at=NOW + timedelta(hours=1))
    run_waiting(harness.worker(), lambda: later, check=act_at_gate("followed_up", touch))
    assert harness.count_statuses() == {"done": 1}
    assert harness.one("SELECT count(*) FROM outbox WHERE kind = 'first_touch_overdue'") == 0
    assert harness.find_broken() == []


def test_a_person_who_returns_twice_at_once_has_one_open_journey(harness: Harness) -> None:
    harness.capture(make_lead(1, Company=""))
    work(harness, "first")
    assert harness.count_statuses() == {"nurture": 1}
    harness.capture(make_lead(1, Message="one"))

    def second() -> None:
        harness.capture(make_lead(1, Message="two"))
        work(harness, "second")

    work(harness, "first", act_at_gate("validated", second))
    assert harness.count_statuses() == {"nurture": 1, "owned": 1, "joined": 1}
    assert harness.find_broken() == []


def test_an_activity_of_a_person_who_becomes_known_at_the_same_time_is_matched(harness: Harness) -> None:
    """Neither transaction sees what the other one stores: the next look for work must bring them together."""
    harness.capture(make_lead(1, Company="", Title="Chief Buyer"))
    row = NewActivity(
        "activities", "k", "demo_request", "lead", None, "lead1@company1.example", NOW, "{}", None, None
    )  # fmt: skip
    with harness.ledger.transaction() as connection:
        store_activities(connection, [row], NOW)
        match_activities(connection, NOW)
        work(harness, "first")
    assert harness.count_statuses() == {"held": 1}
    work(harness, "second")
    assert harness.rows("SELECT lead_id IS NOT NULL FROM activity") == [(True,)]


def test_two_persons_who_join_each_other_do_not_deadlock(settings: Settings, loaded: LoadedPlaybook) -> None:
    """Signals of known persons, in opposite orders, against workers that enrich and score these persons."""
    draw = random.Random(5)
    with own_ledger(settings) as ledger:
        harness = Harness(ledger, loaded)
        for turn in range(6):
            order = list(range(40))
            draw.shuffle(order)
            harness.capture(*(make_lead(number, Message=str(turn)) for number in order))

        def worker(holder: str) -> None:
            with own_ledger(settings) as own:
                run_waiting(Harness(own, loaded).worker(holder, limit=25), lambda: NOW, check=pass_all)

        both = [Child(partial(worker, name)) for name in ("one", "two", "three")]
        for child in both:
            child.result()
        assert harness.count_statuses() == {"owned": 40, "joined": 200}
        assert harness.find_broken() == []
