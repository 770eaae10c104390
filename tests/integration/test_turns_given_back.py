"""A turn that is given back with a rejected lead: once, taken back by an undo, filled by the rep's next lead."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from stub_gates import Check, pass_all

from console.explain.trigger import answer_owner
from console.team import build_rows, read_team_now
from expectations.findings import GateResult
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, figures, ownership, undo
from leadgate.ledger.actions import ActionError
from leadgate.ledger.figures import ReportRequest
from leadgate.ledger.lead_history import load_story
from leadgate.playbook import Playbook
from tasks import reassignments
from tasks.batches import run_waiting

MIA = make_actor("mia")
WORDS = PLAYBOOK.replace(
    "exceptions:\n",
    "follow_up:\n  reject_reasons: [{name: spam, then: disqualify, gives_turn_back: true}, "
    "{name: moved, then: reassign, gives_turn_back: true}, other]\nexceptions:\n",
)


@pytest.fixture
def desk(ledger: Ledger) -> Harness:
    """Leads 1 to 4 with owners, in a pool of ana, bob with twice the weight, and cyn."""
    harness = Harness(ledger, playbooks.parse(WORDS, path=Path("tests.yaml")))
    harness.begin(*(make_lead(number) for number in range(1, 5)))
    return harness


def owner(harness: Harness, journey: int) -> str:
    return str(harness.one("SELECT owner FROM assignment WHERE journey_id = :j AND ended_at IS NULL", j=journey))


def reject(harness: Harness, journey: int, reason: str = "spam") -> ownership.Rejected:
    return ownership.reject(harness.ledger, journey, by=MIA, now=NOW, reason=reason, playbook=harness.loaded.playbook)


def capture(harness: Harness, *numbers: int) -> list[str]:
    """The owners of new leads, one after the other."""
    for number in numbers:
        harness.capture(make_lead(number))
        work(harness)
    return [owner(harness, number) for number in numbers]


def work(harness: Harness, check: Check = pass_all) -> None:
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)


def read_turns(harness: Harness) -> dict[str, Any]:
    state = harness.one("SELECT state FROM pool_state WHERE state <> '{}' AND kind = 'lead'")
    assert isinstance(state, dict)
    return state


def test_the_next_lead_fills_the_turn_and_nobody_else_loses_one(desk: Harness) -> None:
    before = read_turns(desk)
    who = owner(desk, 2)
    done = reject(desk, 2)
    assert done.turn_back_in is not None
    assert read_turns(desk)["given_back"] == {who: 1}
    assert desk.find_broken() == []
    assert capture(desk, 5) == [who]
    after = read_turns(desk)
    assert (after["turns"], after.get("given_back")) == (before["turns"], None)
    assert sum(after["taken"].values()) == 5
    pointer = desk.one("SELECT pointer FROM assignment WHERE journey_id = 5")
    assert pointer["given_back"] == [1, 0]  # type: ignore[index]
    assert "a turn that was given back is filled" in str(desk.one("SELECT why FROM assignment WHERE journey_id = 5"))
    assert desk.find_broken() == []


def test_a_reason_without_the_key_gives_no_turn_back(desk: Harness) -> None:
    before = read_turns(desk)
    assert reject(desk, 2, "other").turn_back_in is None
    assert read_turns(desk) == before


def test_it_is_given_back_once_however_often_it_is_asked(desk: Harness) -> None:
    who = owner(desk, 2)
    reject(desk, 2)
    with pytest.raises(ActionError, match="nobody owns it"):
        reject(desk, 2)
    assert read_turns(desk)["given_back"] == {who: 1}


def test_two_at_once_give_it_back_once(desk: Harness) -> None:
    who, ready, failed = owner(desk, 2), threading.Barrier(2), []

    def reject_at_once() -> None:
        ready.wait()
        try:
            reject(desk, 2)
        except ActionError as error:
            failed.append(error)

    threads = [threading.Thread(target=reject_at_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 1
    assert read_turns(desk)["given_back"] == {who: 1}
    assert desk.find_broken() == []


def test_an_undo_takes_it_back_and_a_second_rejection_gives_it_back_again(desk: Harness) -> None:
    before, who = read_turns(desk), owner(desk, 2)
    number = reject(desk, 2).action
    undo.undo(desk.ledger, number, by=MIA, now=NOW)
    assert owner(desk, 2) == who
    with pytest.raises(ActionError, match="undone before"):
        undo.undo(desk.ledger, number, by=MIA, now=NOW)
    state = read_turns(desk)
    assert {name: count for name, count in state["given_back"].items() if count} == {}
    assert (state["turns"], state["taken"]) == (before["turns"], before["taken"])
    reject(desk, 2)
    assert read_turns(desk)["given_back"] == {who: 1}
    assert desk.find_broken() == []


def test_an_undo_after_the_turn_was_filled_lets_the_next_one_go_by(desk: Harness) -> None:
    who = owner(desk, 2)
    number = reject(desk, 2).action
    assert capture(desk, 5) == [who]
    undo.undo(desk.ledger, number, by=MIA, now=NOW)
    assert read_turns(desk)["given_back"] == {who: -1}
    assert desk.find_broken() == []
    capture(desk, *range(6, 13))
    state = read_turns(desk)
    assert state["passed"] == {who: 1}
    assert desk.find_broken() == []
    weights, kept = state["weights"], Counter(owner(desk, journey) for journey in range(1, 13))
    assert sum(kept.values()) == 12
    for rep, weight in weights.items():
        assert abs(kept[rep] - 12 * weight / sum(weights.values())) < 1


def test_a_lead_that_somebody_was_given_by_name_took_no_turn_and_gives_none_back(desk: Harness) -> None:
    other = next(rep for rep in ("ana", "bob", "cyn") if rep != owner(desk, 2))
    reassignments.reassign(desk.ledger, desk.loaded, 2, rep=other, reason="knows them", by=MIA, now=NOW)
    before = read_turns(desk)
    assert reject(desk, 2).turn_back_in is None
    assert read_turns(desk) == before


def test_who_gave_the_lead_back_has_the_turn_filled_by_another_one(desk: Harness) -> None:
    """A lead that goes to another owner is no lead for who returned it, whose turn waits for the next."""
    who = owner(desk, 2)
    reject(desk, 2, "moved")
    work(desk)
    assert owner(desk, 2) != who
    assert read_turns(desk)["given_back"] == {who: 1}
    assert capture(desk, 5) == [who]
    assert desk.find_broken() == []


def test_a_lead_that_the_gate_holds_leaves_the_turn_to_be_filled(desk: Harness) -> None:
    who = owner(desk, 2)
    before = reject(desk, 2), read_turns(desk)

    def break_all(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
        passed = pass_all(name, frame, playbook)
        if name != "assigned":
            return passed
        broken = {
            "promise": "owner_present", "severity": "critical", "reason": "owner_absent", "broken": "The owner is away",
            "value": None, "detail": None,
        }  # fmt: skip
        return replace(passed, failures=pd.DataFrame({"journey_id": frame["journey_id"].tolist(), **broken}))

    desk.capture(*(make_lead(number) for number in (5, 6)))
    work(desk, break_all)
    assert desk.count_statuses()["held"] == 2
    state = read_turns(desk)
    assert state["given_back"] == before[1]["given_back"] == {who: 1}
    assert (state["turns"], state["taken"]) == (before[1]["turns"], before[1]["taken"])
    assert desk.find_broken() == []


def test_reports_explain_and_the_team_tell_it(desk: Harness) -> None:
    who = owner(desk, 2)

    def count() -> int:
        asked = ReportRequest(NOW - timedelta(days=1), NOW + timedelta(days=1), NOW)
        found, _ = figures.read(desk.ledger, asked, asked, ["load"], {}, {})
        return sum(row["turns"] for row in found["turns"] if row["owner"] == who)

    had = count()
    reject(desk, 2)
    assert count() == had - 1
    playbook = desk.loaded.playbook
    rows = build_rows(read_team_now(desk.ledger, playbook, NOW), [], playbook, None)
    told = {row.rep: row.turns[0].given_back for row in rows if row.turns}
    assert told == {rep: int(rep == who) for rep in told}
    (new,) = capture(desk, 5)
    assert new == who
    returned, filled = (answer_owner(load_story(desk.ledger, journey), NOW) for journey in (2, 5))
    assert "the turn that it took in pool" in str(returned)
    assert "It filled a turn of" in str(filled)
