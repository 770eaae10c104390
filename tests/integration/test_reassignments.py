"""Leads that change hands by a person's word, on a real ledger: reassign, unassign, transfer a whole book."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forked import Child, own_ledger, wait_for
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text
from stub_gates import act_at_gate, pass_all

from leadgate import playbook as playbooks
from leadgate.actors import SYSTEM_ROLES, Actor, ActorError
from leadgate.ledger import Ledger, ownership, reruns
from leadgate.ledger.actions import ActionError
from leadgate.ledger.verify import read_projection
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import Role
from tasks import reassignments
from tasks.batches import run_waiting

LATER = NOW + timedelta(hours=1)
#: The manager of all the reps of these tests.
MIA = Actor("mia", reps=frozenset({"ana", "bob", "cyn", "dan"}), roles=SYSTEM_ROLES | {Role.MANAGER})
WHO: dict[str, Any] = {"by": MIA, "now": LATER}
FOUR = """reps:
  - {name: ana, manager: mia}
  - {name: bob, manager: mia}
  - {name: cyn, manager: mia}
  - {name: dan, manager: mia}
"""
OF_FOUR = "members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn}, {rep: dan}]"


@pytest.fixture
def desk_with(ledger: Ledger, tmp_path: Path) -> Callable[..., Harness]:
    """A harness whose playbook has four reps, and differs from the tests' in ``changes`` (old text, new text)."""

    def make(*changes: tuple[str, str]) -> Harness:
        return Harness(ledger, rules(tmp_path, *changes))

    return make


def rules(folder: Path, *changes: tuple[str, str]) -> LoadedPlaybook:
    words = PLAYBOOK
    start, end = words.index("reps:"), words.index("pools:")
    words = words[:start] + FOUR + words[end:]
    for old, new in (("members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn}]", OF_FOUR), *changes):
        assert words.count(old) == 1, old
        words = words.replace(old, new)
    return playbooks.parse(words, path=folder / "playbook.yaml")


def assign(harness: Harness, count: int, now: datetime = NOW, first: int = 0) -> None:
    harness.capture(*(make_lead(number) for number in range(first, first + count)), now=now)
    run_waiting(harness.worker(), lambda: now, kinds=["intake"], check=pass_all)


def owners(harness: Harness) -> Counter[str]:
    return Counter(owner for (owner,) in harness.rows("SELECT owner FROM assignment WHERE ended_at IS NULL"))


def journey_of(harness: Harness, owner: str) -> int:
    found: int = harness.one(
        "SELECT min(journey_id) FROM assignment WHERE owner = :owner AND ended_at IS NULL", owner=owner
    )
    return found


def test_a_lead_goes_to_a_named_rep_with_its_history(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with()
    assign(harness, 5)
    journey = journey_of(harness, "ana")
    done = reassignments.reassign(harness.ledger, harness.loaded, journey, rep="cyn", reason="knows them", **WHO)
    assert (done.had_it, done.owner, done.due_at) == ("ana", "cyn", LATER + timedelta(hours=4))
    assert harness.rows(
        "SELECT generation, owner, method, rule, turn, end_reason FROM assignment WHERE journey_id = :j ORDER BY id",
        j=journey,
    ) == [
        (0, "ana", "route", "all_leads", True, "reassigned"),
        (1, "cyn", "reassign", "reassign to cyn", False, None),
    ]
    assert harness.rows(
        "SELECT generation, stage, outcome, reason FROM handoff WHERE journey_id = :j ORDER BY id DESC LIMIT 2",
        j=journey,
    ) == [
        (1, "assignment", "continued", "by hand (reassign)"),
        (0, "follow_up", "reassigned", "reassigned"),
    ]
    assert harness.rows("SELECT target, kind FROM outbox WHERE journey_id = :j ORDER BY id", j=journey) == [
        ("ana", "lead_assigned"),
        ("ana", "lead_handed_over"),
        ("cyn", "lead_assigned"),
    ]
    assert harness.rows("SELECT what, by FROM action") == [("reassign", "mia")]
    assert harness.find_broken() == []


def test_a_lead_goes_to_whose_turn_it_is_and_never_back_to_who_had_it(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with()
    assign(harness, 5)
    journey, had_it = journey_of(harness, "bob"), ["bob"]
    for _ in range(3):
        done = reassignments.reassign(
            harness.ledger, harness.loaded, journey, pool="everybody", reason="too busy", **WHO
        )
        assert done.owner not in had_it
        had_it.append(str(done.owner))
    with pytest.raises(ActionError, match="nobody in pool everybody can take it: ana: had the lead before"):
        reassignments.reassign(harness.ledger, harness.loaded, journey, pool="everybody", reason="too busy", **WHO)
    assert (
        harness.one("SELECT owner FROM assignment WHERE journey_id = :j AND ended_at IS NULL", j=journey) == had_it[-1]
    )
    taken = harness.one("SELECT state -> 'taken' FROM pool_state")
    assert taken == dict(harness.rows("SELECT owner, count(*) FROM assignment WHERE turn GROUP BY owner"))
    assert harness.find_broken() == []


def test_the_clock_begins_again_or_goes_on_as_the_playbook_says(desk_with: Callable[..., Harness]) -> None:
    clock = "SELECT due_at, clock_from, ladder_step FROM assignment WHERE ended_at IS NULL"
    harness = desk_with(("slas:\n", "reassignments: {on_reassign: keep}\nslas:\n"))
    assign(harness, 1)
    reassignments.reassign(harness.ledger, harness.loaded, 1, pool="everybody", reason="away", by=MIA, now=LATER)
    assert harness.rows(clock) == [(NOW + timedelta(hours=4), NOW, 0)]
    harness.run(
        NOW + timedelta(hours=2, minutes=1), kinds=["follow_up"]
    )  # half of the four hours since the first owner
    assert harness.rows(clock) == [(NOW + timedelta(hours=4), NOW, 1)]
    reassignments.reassign(
        harness.ledger, harness.loaded, 1, pool="everybody", reason="away", by=MIA, now=NOW + timedelta(hours=3)
    )
    assert harness.rows(clock) == [(NOW + timedelta(hours=4), NOW, 1)]  # the reminder is not sent twice
    assert harness.find_broken() == []


def test_who_is_away_or_at_a_cap_gets_a_lead_only_anyway(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(("{name: cyn, manager: mia}", "{name: cyn, manager: mia, max_open: 0}"))
    assign(harness, 2)
    with pytest.raises(ActionError, match="cyn cannot take it: reached 0 open; --anyway gives it to them"):
        reassignments.reassign(harness.ledger, harness.loaded, 1, rep="cyn", reason="knows them", **WHO)
    with pytest.raises(ActionError, match="'cym' is no rep of the playbook; did you mean 'cyn'"):
        reassignments.reassign(harness.ledger, harness.loaded, 1, rep="cym", reason="knows them", **WHO)
    has_it = harness.one("SELECT owner FROM assignment WHERE journey_id = 1 AND ended_at IS NULL")
    with pytest.raises(ActionError, match="has journey J1 already"):
        reassignments.reassign(harness.ledger, harness.loaded, 1, rep=has_it, reason="x", **WHO)
    reassignments.reassign(harness.ledger, harness.loaded, 1, rep="cyn", anyway=True, reason="knows them", **WHO)
    assert "all the same, because cyn: reached 0 open" in harness.one(
        "SELECT why FROM assignment ORDER BY id DESC LIMIT 1"
    )
    assert harness.find_broken() == []


def test_a_lead_without_an_owner_waits_for_a_person_who_finds_another(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with()
    assign(harness, 1)
    had_it = next(iter(owners(harness)))
    item = reassignments.unassign(harness.ledger, harness.loaded, 1, reason="wrong team", **WHO).work_item_id
    assert harness.rows("SELECT status, stage, generation FROM journey") == [("held", "assignment", 1)]
    assert harness.rows("SELECT id, reason, route FROM work_item") == [(item, "unassigned", "revenue_operations")]
    assert harness.find_broken() == []
    with pytest.raises(ActionError, match="it is held, so nobody owns it"):
        reassignments.unassign(harness.ledger, harness.loaded, 1, reason="wrong team", **WHO)
    reruns.rerun(harness.ledger, [int(item or 0)], playbook=harness.loaded.playbook, by=make_actor("mia"), now=LATER)
    run_waiting(harness.worker(), lambda: LATER, kinds=["intake"], check=pass_all)
    assert harness.count_statuses() == {"owned": 1}
    assert had_it not in owners(harness)
    assert harness.find_broken() == []


def test_a_lead_without_an_owner_may_go_to_nurture(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with()
    assign(harness, 1)
    done = reassignments.unassign(harness.ledger, harness.loaded, 1, nurture=True, reason="not now", **WHO)
    assert done.work_item_id is None
    assert harness.count_statuses() == {"nurture": 1}
    assert harness.rows("SELECT kind FROM outbox ORDER BY id") == [("lead_assigned",), ("lead_handed_over",)]
    assert harness.find_broken() == []


def test_a_leavers_whole_book_is_spread_evenly(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with()
    assign(harness, 100)
    before = owners(harness)
    assert before["bob"] == 40
    plan = reassignments.transfer(harness.ledger, harness.loaded, "bob", dry_run=True, reason="left us", **WHO)
    assert owners(harness) == before
    done = reassignments.transfer(harness.ledger, harness.loaded, "bob", reason="left us", **WHO)
    assert done.by_owner == plan.by_owner
    assert sorted(done.by_owner.values()) == [13, 13, 14]  # of 40, at equal weights: within one of the share
    assert done.left == []
    assert owners(harness) == before - Counter(bob=40) + Counter(done.by_owner)
    assert harness.rows("SELECT DISTINCT end_reason FROM assignment WHERE owner = 'bob'") == [("transferred",)]
    assert harness.one("SELECT count(*) FROM outbox WHERE target = 'bob' AND kind = 'lead_handed_over'") == 40
    assert harness.one("SELECT count(*) FROM action WHERE what = 'transfer' AND by = 'mia'") == 40
    assert harness.find_broken() == []
    assert reassignments.transfer(harness.ledger, harness.loaded, "bob", reason="left us", **WHO).placed == []
    with pytest.raises(ActionError, match="'bop' is no rep, and has no leads; did you mean 'bob'"):
        reassignments.transfer(harness.ledger, harness.loaded, "bop", reason="left us", **WHO)


def test_what_nobody_can_take_stays_and_says_why(desk_with: Callable[..., Harness]) -> None:
    capped = ("{name: ana, manager: mia}", "{name: ana, manager: mia, max_open: 22}")
    away = "{name: dan, manager: mia, absent: [{first: 2026-03-05, last: 2026-03-09}]}"
    harness = desk_with(capped, ("{name: cyn, manager: mia}", "{name: cyn, manager: mia, max_per_week: 25}"),
                     ("{name: dan, manager: mia}", away))  # fmt: skip
    assign(harness, 100)
    assert owners(harness) == {"ana": 20, "bob": 40, "cyn": 20, "dan": 20}
    tomorrow = NOW + timedelta(days=1)
    done = reassignments.transfer(harness.ledger, harness.loaded, "bob", reason="left us", by=MIA, now=tomorrow)
    assert done.by_owner == {"cyn": 5, "ana": 2}
    assert len(done.left) == 33
    assert done.left[0].why == "ana: reached 22 open; cyn: reached 25 a week; dan: absent until 2026-03-09"
    assert owners(harness)["bob"] == 33
    assert harness.find_broken() == []


def test_a_rep_who_is_no_longer_in_the_playbook_still_has_a_book(
    desk_with: Callable[..., Harness], tmp_path: Path
) -> None:
    harness = desk_with()
    assign(harness, 10)
    without = rules(
        tmp_path, ("  - {name: bob, manager: mia}\n", ""), (OF_FOUR, "members: [{rep: ana}, {rep: cyn}, {rep: dan}]")
    )
    done = reassignments.transfer(harness.ledger, without, "bob", reason="left us", **WHO)
    assert sum(done.by_owner.values()) == 4
    assert harness.find_broken() == []


def test_a_follow_up_check_that_has_read_a_lead_reads_it_again_when_it_changes_hands(
    desk_with: Callable[..., Harness],
) -> None:
    harness = desk_with()
    assign(harness, 1)
    late = NOW + timedelta(days=1)

    def meanwhile_reassigned() -> None:
        reassignments.reassign(harness.ledger, harness.loaded, 1, pool="everybody", reason="away", by=MIA, now=late)

    check = act_at_gate("followed_up", meanwhile_reassigned)
    run_waiting(harness.worker(), lambda: late, kinds=["follow_up"], check=check)
    assert harness.one("SELECT owner FROM assignment WHERE ended_at IS NULL") != harness.one(
        "SELECT owner FROM assignment ORDER BY id LIMIT 1"
    )
    assert harness.one("SELECT count(*) FROM work_item") == 0  # nobody was chased for the lead of somebody else
    assert harness.find_broken() == []


def transfer_in_a_process(settings: Settings, loaded: LoadedPlaybook, rep: str) -> int:
    with own_ledger(settings) as ledger:
        return len(reassignments.transfer(ledger, loaded, rep, reason="left us", **WHO).placed)


def work_in_a_process(settings: Settings, loaded: LoadedPlaybook) -> int:
    with own_ledger(settings) as ledger:
        worker = Harness(ledger, loaded).worker("other", limit=100, lease_seconds=30.0)
        return len(run_waiting(worker, lambda: LATER, kinds=["intake"], check=pass_all))


KILLED_AT = (
    "hand_over.before",
    "apply.turns.after",
    "apply.assignments.after",
    "apply.outbox.after",
    "hand_over.after",
)


def test_a_transfer_that_is_killed_has_moved_nothing(settings: Settings, tmp_path: Path) -> None:
    loaded = rules(tmp_path)
    with own_ledger(settings) as ledger:
        harness = Harness(ledger, loaded)
        assign(harness, 50)
        before = read_projection(ledger)
        for failpoint in KILLED_AT:
            victim = Child(partial(transfer_in_a_process, settings, loaded, "bob"), failpoint=failpoint)
            assert victim.killed, f"it was to be killed at {failpoint}: {victim.result()}"
            assert read_projection(ledger) == before
        assert transfer_in_a_process(settings, loaded, "bob") == 20
        assert harness.find_broken() == []


def test_a_transfer_and_a_worker_at_once_keep_caps_and_turns_exact(settings: Settings, tmp_path: Path) -> None:
    loaded = rules(tmp_path, ("{name: ana, manager: mia}", "{name: ana, manager: mia, max_open: 150}"))
    with own_ledger(settings) as ledger:
        harness = Harness(ledger, loaded)
        assign(harness, 300)
        harness.capture(*(make_lead(number) for number in range(300, 1_000)))
        both = [
            Child(partial(work_in_a_process, settings, loaded)),
            Child(partial(transfer_in_a_process, settings, loaded, "cyn")),
        ]
        batches, moved = (child.result() for child in both)
        assert batches >= 7
        assert moved >= 60
        assert owners(harness)["ana"] <= 150
        assert sum(owners(harness).values()) == 1_000
        assert harness.find_broken() == []  # turns taken equal assignments by turn, one owner each, everybody told


def test_an_action_that_waits_for_a_reassignment_is_judged_by_who_has_the_lead_then(
    desk_with: Callable[..., Harness],
) -> None:
    harness = desk_with()
    harness.begin(make_lead(1), check=pass_all)
    before = harness.one("SELECT owner FROM assignment")
    after = next(rep for rep in ("ana", "bob") if rep != before)
    call: dict[str, Any] = {"kind": "call", "at": LATER, "seconds": None, "now": LATER}

    def touch(rep: str) -> ownership.Touched:
        return ownership.touch(harness.ledger, 1, **call | {"rep": rep, "by": make_actor(rep)})

    with ThreadPoolExecutor(2) as threads:
        with harness.ledger.transaction() as connection:
            connection.execute(text("SELECT FROM journey FOR UPDATE"))
            touches = {rep: threads.submit(touch, rep) for rep in (before, after)}
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            wait_for(lambda: harness.one(waiting) == 2)
            connection.execute(text("UPDATE assignment SET owner = :rep"), {"rep": after})
        assert touches[after].result().new
        with pytest.raises(ActorError, match=f"{after} owns it"):
            touches[before].result()
