"""A touch or a note that was logged by mistake is taken back: it stays on record, and nothing counts that followed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines
from console_site import ConsoleSite
from forked import Child, own_ledger, wait_for
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from stub_gates import pass_all

from leadgate import playbook as playbooks
from leadgate.actors import ActorError
from leadgate.ledger import Ledger, notes, ownership, undo
from leadgate.ledger.actions import ActionError
from leadgate.settings import Settings
from tasks import reassignments
from tasks.batches import run_waiting

HOUR = timedelta(hours=1)
OVERDUE = NOW + 5 * HOUR  # the first touch was due after four
LEAD = "lead1@company1.example"

#: What the first touch of a lead is measured by, and what follows from it.
STATE = """
    SELECT j.status, a.owner, a.assigned_at, a.due_at, a.touched_at, a.last_touched_at, a.ladder_step, a.end_reason,
        (SELECT array_agg(w.reason ORDER BY w.id) FROM work_item w WHERE w.journey_id = j.id AND w.closed_at IS NULL),
        (SELECT array_agg(row(m.target, m.due_at, m.met_at)::text) FROM missed m WHERE m.journey_id = j.id),
        (SELECT count(*) FROM pause p WHERE p.journey_id = j.id AND p.ended_at IS NULL)
    FROM journey j JOIN assignment a ON a.journey_id = j.id"""


def check(harness: Harness, now: datetime) -> None:
    run_waiting(harness.worker(), lambda: now, kinds=("follow_up",), check=pass_all)
    assert harness.find_broken() == []


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """One lead that somebody owns."""
    harness.begin(make_lead(1), check=pass_all)
    return harness


@pytest.fixture
def desk_with(ledger: Ledger) -> Callable[[str], Harness]:
    """One owned lead under a playbook with more rules of follow-up."""

    def make(follow_up: str) -> Harness:
        words = PLAYBOOK.replace("    first_touch: 4h\n", "    first_touch: 4h\n    next_touch: 2h\n")
        words = words.replace("exceptions:\n", f"follow_up:\n{follow_up}exceptions:\n")
        harness = Harness(ledger, playbooks.parse(words, path=Path("tests.yaml")))
        harness.begin(make_lead(1), check=pass_all)
        return harness

    return make


def owner(harness: Harness) -> str:
    return str(harness.one("SELECT owner FROM assignment ORDER BY id DESC LIMIT 1"))


def touch(harness: Harness, now: datetime, kind: str = "call", **more: Any) -> int:
    rep = owner(harness)
    given: dict[str, Any] = {"by": make_actor(rep), "at": now, "now": now, "seconds": None, "rep": rep} | more
    done = ownership.touch(harness.ledger, 1, kind=kind, **given)
    assert done.new
    return done.action or 0


def take_back(harness: Harness, number: int, now: datetime, by: str | None = None) -> undo.Undone:
    return undo.undo(harness.ledger, number, by=make_actor(by or owner(harness)), now=now)


@pytest.mark.parametrize("checked", [False, True], ids=["at once", "after it ended the journey"])
@pytest.mark.parametrize("now", [NOW + HOUR, OVERDUE], ids=["in time", "overdue"])
def test_a_touch_that_is_taken_back_leaves_the_clocks_as_they_were(
    owned: Harness, now: datetime, checked: bool
) -> None:
    check(owned, now)
    before = owned.rows(STATE)
    number = touch(owned, now)
    if checked:
        check(owned, now)
        assert owned.count_statuses() == {"done": 1}
        assert owned.rows(STATE) != before
    take_back(owned, number, now + HOUR / 60)
    check(owned, now + HOUR / 60)
    assert owned.rows(STATE) == before
    assert owned.rows("SELECT kind, withdrawn_at IS NOT NULL FROM activity") == [("call", True)]
    with pytest.raises(ActionError, match="undone before"):
        take_back(owned, number, now + HOUR)
    touch(owned, now + HOUR)  # and the lead goes on as any other
    check(owned, now + HOUR)
    assert owned.rows("SELECT status, touched_at FROM journey j JOIN assignment a ON a.journey_id = j.id") == [
        ("done", now + HOUR)
    ]


def test_the_same_touch_logged_again_counts_again(owned: Harness) -> None:
    at = NOW + HOUR
    take_back(owned, touch(owned, at), at)
    again = touch(owned, at + HOUR, at=at)
    check(owned, at + HOUR)
    assert owned.count_statuses() == {"done": 1}
    take_back(owned, again, at + 2 * HOUR)
    check(owned, at + 2 * HOUR)
    assert owned.rows("SELECT source, count(*) FROM activity GROUP BY 1") == [("by_hand", 1)]
    assert owned.count_statuses() == {"owned": 1}


def test_a_touch_that_something_else_shows_too_stays(owned: Harness) -> None:
    number = touch(owned, NOW + HOUR)
    owned.activity("email", LEAD, rep=owner(owned), at=NOW + 2 * HOUR)
    check(owned, NOW + 2 * HOUR)
    take_back(owned, number, NOW + 3 * HOUR)
    check(owned, NOW + 3 * HOUR)
    assert owned.rows("SELECT touched_at, end_reason FROM assignment") == [(NOW + 2 * HOUR, "touched")]


def test_of_two_touches_the_second_changes_nothing_that_has_ended(owned: Harness) -> None:
    first = touch(owned, NOW + HOUR)
    second = touch(owned, NOW + 2 * HOUR, kind="email", at=NOW + HOUR + timedelta(minutes=1))
    check(owned, NOW + 2 * HOUR)
    take_back(owned, second, NOW + 3 * HOUR)
    assert owned.count_statuses() == {"done": 1}
    take_back(owned, first, NOW + 3 * HOUR)
    check(owned, NOW + 3 * HOUR)
    assert owned.rows("SELECT status, touched_at FROM journey j JOIN assignment a ON a.journey_id = j.id") == [
        ("owned", None)
    ]


def test_the_next_touch_is_asked_for_as_if_the_last_had_never_been(desk_with: Callable[[str], Harness]) -> None:
    harness = desk_with("  finished_by: outcome\n  outcomes: [meeting_held]\n")
    touch(harness, NOW + HOUR)
    check(harness, NOW + HOUR)
    check(harness, NOW + 4 * HOUR)  # the next one was due an hour before
    before = harness.rows(STATE)
    assert "next_touch_overdue" in str(before)
    number = touch(harness, NOW + 4 * HOUR)
    check(harness, NOW + 4 * HOUR)
    assert "next_touch_overdue" not in str(harness.rows(STATE)[0][8])
    take_back(harness, number, NOW + 5 * HOUR)
    check(harness, NOW + 5 * HOUR)
    assert harness.rows(STATE) == before
    won = touch(harness, NOW + 5 * HOUR, kind="meeting_held")
    check(harness, NOW + 5 * HOUR)
    assert harness.rows("SELECT end_reason FROM assignment") == [("outcome: meeting_held",)]
    take_back(harness, won, NOW + 6 * HOUR)
    check(harness, NOW + 6 * HOUR)
    assert harness.rows(STATE) == before


def test_it_is_refused_once_the_lead_has_moved_on(owned: Harness) -> None:
    number = touch(owned, NOW + HOUR)
    reassignments.unassign(owned.ledger, owned.loaded, 1, reason="gone", by=make_actor("mia"), now=NOW + 2 * HOUR)
    with pytest.raises(ActionError, match="moved on"):
        take_back(owned, number, NOW + 3 * HOUR, by="mia")
    assert owned.one("SELECT withdrawn_at FROM activity") is None


def test_it_is_the_owners_or_theirs_who_did_it(owned: Harness) -> None:
    number = touch(owned, NOW + HOUR)
    other = next(rep for rep in ("ana", "bob") if rep != owner(owned))
    with pytest.raises(ActorError):
        take_back(owned, number, NOW + 2 * HOUR, by=other)
    assert take_back(owned, number, NOW + 2 * HOUR, by="mia").journeys == [1]


def test_a_note_is_taken_back_by_its_author_alone_and_its_words_are_shown_no_more(owned: Harness, cli: Cli) -> None:
    mia = make_actor("mia")
    words = "wants a call on Monday"
    number = notes.write_note(owned.ledger, 1, words, by=mia, now=NOW).action
    with pytest.raises(ActorError, match="mia wrote"):
        take_back(owned, number, NOW + HOUR)
    assert words in join_lines(cli("explain", "1"))
    take_back(owned, number, NOW + HOUR, by="mia")
    assert words not in join_lines(cli("explain", "1"))
    assert owned.rows("SELECT what, note FROM action ORDER BY id") == [("note", words), ("undo", None)]
    again = notes.write_note(owned.ledger, 1, words, by=mia, now=NOW + timedelta(minutes=2))
    assert again.new
    assert owned.find_broken() == []


def test_the_command_says_how_a_touch_is_taken_back(owned: Harness, cli: Cli) -> None:
    at = NOW + HOUR
    told = join_lines(cli("touch", 1, "--kind", "call", "--for", owner(owned), "--now", at))
    number = owned.one("SELECT number FROM action")
    assert f"Undo: leadgate undo A{number}" in told
    assert "J1: has an owner" in join_lines(cli("undo", f"A{number}", "--now", at))
    assert "call, taken back" in join_lines(cli("explain", 1, "--now", at))


def test_the_page_offers_the_undo_and_the_lead_is_on_the_list_again(owned: Harness, console: ConsoleSite) -> None:
    rep = console.sign_in_rep(owner(owned))
    page = rep.post("/leads/1/touch", kind="call", back="/leads/mine")
    (address,) = page.tree.xpath("//*[@id='did']//form/@action")
    back = rep.post(address, back="/leads/mine")
    assert "Undone: touch" in back.words
    assert back.tree.xpath("//tr[@id='lead-1' and not(@data-done)]")
    assert rep.post(address).status == 409
    assert "taken back" in rep.get("/leads/1").words


@pytest.mark.parametrize("failpoint", ["undo.withdraw.before", "undo.withdraw.after"])
def test_killed_while_it_is_taken_back_all_or_nothing_is_there(
    owned: Harness, settings: Settings, failpoint: str
) -> None:
    number = touch(owned, NOW + HOUR)
    check(owned, NOW + HOUR)
    before = owned.rows(STATE)

    def work() -> None:
        with own_ledger(settings) as ledger:
            take_back(replace_ledger(owned, ledger), number, NOW + 2 * HOUR)

    assert Child(work, failpoint=failpoint).killed
    assert owned.rows(STATE) == before
    assert owned.one("SELECT count(*) FROM activity WHERE withdrawn_at IS NOT NULL") == 0
    assert owned.find_broken() == []
    Child(partial(work)).result()
    assert owned.count_statuses() == {"owned": 1}
    assert owned.find_broken() == []


def test_an_undo_that_meets_the_check_which_ends_the_journey_comes_after_it(owned: Harness, settings: Settings) -> None:
    number = touch(owned, NOW + HOUR)

    def work() -> None:
        with own_ledger(settings) as ledger:
            check(replace_ledger(owned, ledger), NOW + HOUR)

    child = Child(work, failpoint="apply.commit.before", with_signal=signal.SIGSTOP)
    child.wait_until_frozen()
    with ThreadPoolExecutor(1) as threads:
        undone = threads.submit(take_back, owned, number, NOW + 2 * HOUR)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        wait_for(lambda: owned.one(waits) == 1)
        os.kill(child.pid, signal.SIGCONT)
        child.result()
        assert undone.result().journeys == [1]
    assert owned.count_statuses() == {"owned": 1}
    assert owned.find_broken() == []


def replace_ledger(harness: Harness, ledger: Ledger) -> Harness:
    return Harness(ledger, replace(harness.loaded))
