"""Undo: an action is taken back as long as nothing else has happened, and refused with the reason when it has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, Harness, make_actor, make_lead
from sqlalchemy import text

from console.command_context import find_login
from leadgate.actors import ActorError
from leadgate.ledger import ownership, reruns, reviews, undo
from leadgate.ledger.actions import ActionError
from tasks import reassignments

HOUR = timedelta(hours=1)
MIA = make_actor("mia")

#: Everything about an owned lead that a person can change.
STATE = """
    SELECT j.id, j.status, j.stage, j.work_item_id, a.id, a.owner, a.due_at, a.accepted_at, a.end_reason,
        (SELECT count(*) FROM pause p WHERE p.journey_id = j.id AND p.ended_at IS NULL),
        (SELECT recycle_at FROM lead l WHERE l.id = j.lead_id)
    FROM journey j LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL ORDER BY j.id"""


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """Leads 1 to 4 with owners."""
    harness.begin(*(make_lead(number) for number in range(1, 5)))
    assert harness.count_statuses() == {"owned": 4}
    return harness


def owner(harness: Harness, journey: int = 1) -> str:
    return str(harness.one("SELECT owner FROM assignment WHERE journey_id = :j AND ended_at IS NULL", j=journey))


def do(harness: Harness, what: str) -> int | None:
    """Mia does ``what`` to lead 1 (a transfer: to all of its owner's); the action's number."""
    ledger, loaded, at = harness.ledger, harness.loaded, NOW + HOUR
    who: dict[str, Any] = {"by": MIA, "now": at}
    other = next(rep for rep in ("ana", "bob", "cyn") if rep != owner(harness))
    match what:
        case "accept":
            return ownership.accept(ledger, 1, **who)
        case "wait":
            return ownership.wait(ledger, 1, until=at + 9 * HOUR, reason="away", **who)
        case "reassign":
            return reassignments.reassign(ledger, loaded, 1, rep=other, reason="knows them", **who).action
        case "unassign" | "unassign to nurture":
            nurture = what.endswith("nurture")
            return reassignments.unassign(ledger, loaded, 1, nurture=nurture, reason="wrong team", **who).action
        case "transfer":
            return reassignments.transfer(ledger, loaded, owner(harness), reason="left us", **who).action
        case _:  # the playbook's reasons to reject
            return ownership.reject(ledger, 1, reason=what, playbook=loaded.playbook, **who).action


KINDS = ["accept", "wait", "reassign", "unassign", "unassign to nurture", "transfer", "not_a_fit", "duplicate"]


@pytest.mark.parametrize("what", KINDS)
def test_an_undo_leaves_everything_as_it_was_before(owned: Harness, what: str) -> None:
    before = owned.rows(STATE)
    number = do(owned, what)
    assert number is not None
    assert owned.rows(STATE) != before
    done = undo.undo(owned.ledger, number, by=MIA, now=NOW + 2 * HOUR)
    assert owned.rows(STATE) == before
    assert (1 in done.journeys, done.left) == (True, {})
    assert owned.find_broken() == []
    with pytest.raises(ActionError, match="undone"):
        undo.undo(owned.ledger, number, by=MIA, now=NOW + 3 * HOUR)
    assert owned.rows("SELECT DISTINCT what, by, undoes FROM action WHERE undoes IS NOT NULL") == [
        ("undo", "mia", number)
    ]
    owned.run(NOW + 3 * HOUR)  # and the lead goes on as any other
    assert do(owned, what) is not None
    owned.run(NOW + 4 * HOUR)
    assert owned.find_broken() == []


@pytest.mark.parametrize("what", KINDS)
def test_an_undo_is_refused_once_the_lead_has_moved_on(owned: Harness, what: str) -> None:
    number = do(owned, what)
    assert number is not None
    if owned.one("SELECT status FROM journey WHERE id = 1") == "owned":
        journeys = [row[0] for row in owned.rows("SELECT journey_id FROM action WHERE number = :n", n=number)]
        for journey in journeys:
            reassignments.unassign(owned.ledger, owned.loaded, journey, reason="gone", by=MIA, now=NOW + 2 * HOUR)
    else:
        with owned.ledger.transaction() as connection:
            connection.exec_driver_sql("UPDATE journey SET version = version + 1 WHERE id = 1")
    standing = owned.rows(STATE)
    with pytest.raises(ActionError, match="cannot be undone any more"):
        undo.undo(owned.ledger, number, by=MIA, now=NOW + 3 * HOUR)
    assert owned.rows(STATE) == standing


def test_a_transfer_is_undone_for_those_whose_new_owner_has_done_nothing(owned: Harness) -> None:
    mine = [row[0] for row in owned.rows("SELECT journey_id FROM assignment WHERE owner = 'bob' ORDER BY 1")]
    assert len(mine) == 2
    number = reassignments.transfer(owned.ledger, owned.loaded, "bob", reason="left us", by=MIA, now=NOW + HOUR).action
    ownership.accept(owned.ledger, mine[0], by=MIA, now=NOW + 2 * HOUR)
    done = undo.undo(owned.ledger, number or 0, by=MIA, now=NOW + 3 * HOUR)
    assert done.journeys == mine[1:]
    assert "accepted" in done.left[mine[0]]
    assert owner(owned, mine[1]) == "bob" != owner(owned, mine[0])
    assert owned.find_broken() == []


def test_a_wait_that_was_resumed_goes_on_again(owned: Harness) -> None:
    do(owned, "wait")
    resumed = ownership.resume(owned.ledger, 1, by=MIA, now=NOW + 2 * HOUR)
    undo.undo(owned.ledger, resumed, by=MIA, now=NOW + 3 * HOUR)
    assert owned.rows("SELECT started_at, ended_at FROM pause") == [(NOW + HOUR, None)]
    assert owned.find_broken() == []


def test_an_undo_is_the_owners_or_theirs_who_did_it(owned: Harness) -> None:
    number = ownership.accept(owned.ledger, 1, by=make_actor("root", owner(owned)), now=NOW + HOUR)
    with pytest.raises(ActorError, match=f"--for {owner(owned)}"):
        undo.undo(owned.ledger, number, by=make_actor("zoe"), now=NOW + 2 * HOUR)
    undo.undo(owned.ledger, number, by=make_actor("root"), now=NOW + 2 * HOUR)
    assert owned.one("SELECT count(*) FROM assignment WHERE accepted_at IS NOT NULL") == 0


def test_who_may_undo_an_action_is_read_while_somebody_works_on_its_leads(owned: Harness) -> None:
    number = do(owned, "accept") or 0
    with owned.ledger.transaction() as connection:
        connection.execute(text("SELECT id FROM journey FOR UPDATE"))
        assert undo.list_action_owners(owned.ledger, number) == [owner(owned)]


# --- work items -------------------------------------------------------------------------------------------


@pytest.fixture
def held(harness: Harness) -> Harness:
    """Leads 1 and 2 held behind work items of their own."""
    harness.begin(make_lead(1, Email="nobody"), make_lead(2, Phone="12"))
    assert harness.count_statuses() == {"held": 2}
    return harness


def test_what_was_discarded_waits_again_behind_its_work_item(held: Harness) -> None:
    items = "SELECT id, closed_at, closed_by, resolution, note FROM work_item ORDER BY id"
    before, journeys = held.rows(items), held.rows(STATE)
    done = reruns.discard(held.ledger, [row[0] for row in before], by=make_actor("ops"), now=NOW + HOUR, reason="spam")
    undo.undo(held.ledger, done.action or 0, by=make_actor("ops"), now=NOW + 2 * HOUR)
    assert held.rows(items) == before
    assert held.rows(STATE) == journeys
    assert held.find_broken() == []


def test_an_item_that_was_taken_is_theirs_who_had_it_before(held: Harness) -> None:
    item = held.one("SELECT min(id) FROM work_item")
    first = reviews.take(held.ledger, item, by=make_actor("rita"), now=NOW + HOUR)
    second = reviews.take(held.ledger, item, by=make_actor("sam"), now=NOW + 2 * HOUR)
    with pytest.raises(ActionError, match="sam's now"):
        undo.undo(held.ledger, first.action or 0, by=make_actor("rita"), now=NOW + 3 * HOUR)
    undo.undo(held.ledger, second.action or 0, by=make_actor("sam"), now=NOW + 3 * HOUR)
    assert held.rows("SELECT assignee, taken_at FROM work_item WHERE id = :id", id=item) == [("rita", NOW + HOUR)]
    undo.undo(held.ledger, first.action or 0, by=make_actor("rita"), now=NOW + 3 * HOUR)
    assert held.rows("SELECT assignee, taken_at FROM work_item WHERE id = :id", id=item) == [(None, None)]


def test_what_has_no_undo_says_why(held: Harness) -> None:
    reruns.rerun(
        held.ledger,
        [held.one("SELECT min(id) FROM work_item")],
        by=make_actor("ops"),
        now=NOW,
        playbook=held.loaded.playbook,
    )
    number = held.one("SELECT number FROM action")
    with pytest.raises(ActionError, match="cannot be undone: its leads went on"):
        undo.undo(held.ledger, number, by=make_actor("ops"), now=NOW + HOUR)
    with pytest.raises(ActionError, match="no action A999999"):
        undo.undo(held.ledger, 999_999, by=make_actor("ops"), now=NOW + HOUR)


def test_every_action_has_an_undo_or_says_why_not() -> None:
    everything = {
        "accept", "reject", "wait", "resume", "touch", "note", "reassign", "unassign", "transfer", "unjoin", "take", "undo",
        "rerun", "corrected", "done_by_hand", "discarded", "same_person", "different_person",
    }  # fmt: skip
    assert undo.UNDOABLE | set(undo.NO_UNDO) == everything
    assert {"touch", "note"} < undo.UNDOABLE
    assert not undo.UNDOABLE & set(undo.NO_UNDO)


# --- the command ------------------------------------------------------------------------------------------


def test_the_command_after_an_action_takes_it_back_and_the_story_tells_both(cli: Cli, owned: Harness) -> None:
    at = NOW + HOUR
    told = join_lines(cli("reject", 1, "--reason", "not_a_fit", "--for", owner(owned), "--now", at))
    (number,) = owned.rows("SELECT number FROM action")[0]
    assert f"Undo: leadgate undo A{number}" in told
    assert "J1 is a journey, and an action is expected" in " ".join(cli("undo", "J1", code=2).stderr.split())
    undone = join_lines(cli("undo", f"A{number}", "--now", at + HOUR))
    assert f"A{number} (reject) undone for J1 by {find_login()}" in undone
    assert owned.count_statuses() == {"owned": 4}
    story = join_lines(cli("explain", "J1"))
    assert f"{find_login()} for {owner(owned)}: reject (not_a_fit)" in story
    assert f"{find_login()}: undo of A{number}" in story
    accepted = read_json(cli("accept", 1, "--for", "mia", "--now", at + 2 * HOUR, "--json"))
    assert read_json(cli("undo", accepted["action"], "--json"))["journeys"] == [1]
