"""What people do to records: a touch, giving one back, handing it over, a rep who leaves; and each of them undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from stub_gates import act_at_gate, pass_all

from leadgate import playbook as playbooks
from leadgate.actors import SYSTEM_ROLES, Actor, ActorError
from leadgate.ledger import Ledger, ownership, reruns, undo
from leadgate.ledger.actions import ActionError
from leadgate.vocabulary import Role
from tasks import reassignments
from tasks.batches import run_waiting

BOOK = PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities}\n", 1) + "kinds: {opportunity: {}}\n"
HOUR = timedelta(hours=1)
MIA = Actor("mia", reps=frozenset({"ana", "bob", "cyn"}), roles=SYSTEM_ROLES | {Role.MANAGER})
ANA, CYN = make_actor("ana"), make_actor("cyn")
OWNERS = "SELECT owner, method, end_reason FROM assignment WHERE kind <> 'lead' ORDER BY id"


def deal(owner: str = "ana", **more: str) -> dict[str, str]:
    return {
        "Id": "006A", "Opportunity Name": "Acme 100 seats", "Account Name": "Acme", "Owner": owner, "Stage": "Proposal",
        "Amount": "8000", "Close Date": "2026-04-30", "Last Modified Date": "2026-03-04T08:00:00Z",
    } | more  # fmt: skip


@pytest.fixture
def desk(ledger: Ledger) -> Harness:
    """An opportunity of ana's (J1, R1), and a lead."""
    harness = Harness(ledger, playbooks.parse(BOOK, path=Path("tests.yaml")))

    def work() -> None:
        harness.capture(deal(), source="deals")
        harness.capture(make_lead(1))
        run(harness)

    harness.begin_with("an opportunity beside a lead", work)
    return harness


def run(harness: Harness, now: datetime = NOW) -> None:
    run_waiting(harness.worker(), lambda: now, check=pass_all)


def tell(harness: Harness, now: datetime, owner: str = "ana", **more: str) -> None:
    """The next update of the opportunity, through all stages."""
    harness.capture(deal(owner, **{"Last Modified Date": now.isoformat()} | more), source="deals", now=now)
    run(harness, now)


def owner(harness: Harness) -> str | None:
    rows = harness.rows("SELECT owner FROM assignment WHERE kind <> 'lead' AND ended_at IS NULL")
    return rows[0][0] if rows else None


def touch(harness: Harness, by: Actor = ANA, at: datetime = NOW + HOUR) -> int:
    done = ownership.touch(harness.ledger, 1, kind="call", rep="ana", by=by, at=at, seconds=None, now=NOW + HOUR)
    return done.action or 0


def reassign(harness: Harness, **more: Any) -> int:
    asked: dict[str, Any] = {"rep": "bob", "reason": "knows them", "by": MIA, "now": NOW + HOUR} | more
    return reassignments.reassign(harness.ledger, harness.loaded, 1, **asked).action or 0


def reject(harness: Harness, reason: str = "not_mine", by: Actor = ANA) -> int:
    book = harness.loaded.playbook
    return ownership.reject(harness.ledger, 1, by=by, now=NOW + HOUR, reason=reason, playbook=book).action


def test_a_touch_is_evidence_of_the_record_and_stops_its_clock(desk: Harness) -> None:
    number = touch(desk)
    assert touch(desk) == 0  # the same again
    run(desk, NOW + HOUR)
    assert desk.rows("SELECT kind, rep, record_id, lead_id FROM activity") == [("call", "ana", 1, None)]
    assert desk.rows("SELECT status, stage FROM journey WHERE id = 1") == [("done", "follow_up")]
    assert desk.rows("SELECT touched_at, end_reason FROM assignment WHERE kind <> 'lead'") == [(NOW + HOUR, "touched")]
    assert desk.find_broken() == []
    undo.undo(desk.ledger, number, by=ANA, now=NOW + 2 * HOUR)
    assert desk.rows("SELECT touched_at, ended_at FROM assignment WHERE kind <> 'lead'") == [(None, None)]
    assert desk.find_broken() == []


def test_a_touch_of_somebody_else_is_refused(desk: Harness) -> None:
    with pytest.raises(ActorError, match="ana owns it"):
        touch(desk, CYN)
    assert desk.one("SELECT count(*) FROM activity") == 0


def test_a_record_changes_hands_with_a_message_to_both_and_undo_gives_it_back(desk: Harness) -> None:
    number = reassign(desk)
    assert desk.rows(OWNERS) == [("ana", "route", "reassigned"), ("bob", "reassign", None)]
    told = "SELECT target, kind FROM outbox WHERE journey_id = 1 AND id > 1 ORDER BY id"
    assert desk.rows(told) == [("ana", "lead_handed_over"), ("bob", "record_assigned")]
    assert desk.find_broken() == []
    undo.undo(desk.ledger, number, by=MIA, now=NOW + 2 * HOUR)
    assert owner(desk) == "ana"
    assert desk.rows(told)[2:] == [("bob", "lead_handed_over"), ("ana", "record_assigned")]
    run(desk, NOW + 2 * HOUR)
    assert desk.find_broken() == []


def test_a_pool_gives_a_record_to_whose_turn_it_is_among_records(desk: Harness) -> None:
    turns = "SELECT state FROM pool_state WHERE kind = 'lead' AND pool = 'everybody'"
    before = desk.one(turns)
    reassign(desk, rep=None, pool="everybody")
    assert owner(desk) in ("bob", "cyn")
    assert desk.one(turns) == before
    assert desk.one("SELECT state -> 'taken' FROM pool_state WHERE kind = 'opportunity'") == {owner(desk): 1}
    assert desk.find_broken() == []


def test_what_a_person_decided_about_the_owner_holds_until_an_update_tells_another(desk: Harness) -> None:
    reassign(desk)
    tell(desk, NOW + 2 * HOUR, Amount="9000")
    assert owner(desk) == "bob"
    tell(desk, NOW + 3 * HOUR, Amount="9500")
    assert owner(desk) == "bob"
    tell(desk, NOW + 4 * HOUR, "cyn", Amount="9500")
    assert owner(desk) == "cyn"
    tell(desk, NOW + 5 * HOUR, "ana", Amount="9500")
    assert owner(desk) == "ana"
    assert desk.find_broken() == []


def unassign(harness: Harness) -> None:
    reassignments.unassign(harness.ledger, harness.loaded, 1, reason="wrong team", by=MIA, now=NOW + HOUR)


@pytest.mark.parametrize("gate", ["qualified", "assigned"])
@pytest.mark.parametrize("act", [reassign, reject, unassign])
def test_what_a_person_decides_while_a_run_has_the_next_update_holds(
    desk: Harness, gate: str, act: Callable[[Harness], object]
) -> None:
    now = NOW + 2 * HOUR
    desk.capture(deal(Amount="9000", **{"Last Modified Date": now.isoformat()}), source="deals", now=now)
    run_waiting(desk.worker(), lambda: now, check=act_at_gate(gate, lambda: act(desk)))
    assert owner(desk) in ({"bob"} if act is reassign else {"bob", "cyn"})
    assert desk.find_broken() == []


def test_what_is_taken_away_waits_for_a_person_and_does_not_go_back(desk: Harness) -> None:
    item = reassignments.unassign(desk.ledger, desk.loaded, 1, reason="wrong team", by=MIA, now=NOW + HOUR).work_item_id
    assert desk.rows("SELECT status, stage FROM journey WHERE id = 1") == [("held", "assignment")]
    assert desk.find_broken() == []
    reruns.rerun(desk.ledger, [int(item or 0)], playbook=desk.loaded.playbook, by=MIA, now=NOW + 2 * HOUR)
    run(desk, NOW + 2 * HOUR)
    assert owner(desk) in ("bob", "cyn")
    assert desk.find_broken() == []


def test_what_its_owner_gives_back_goes_to_another_and_stays_there(desk: Harness) -> None:
    reject(desk)
    run(desk, NOW + HOUR)
    now_theirs = owner(desk)
    assert now_theirs in ("bob", "cyn")
    assert desk.rows(OWNERS)[0] == ("ana", "route", "rejected: not_mine")
    tell(desk, NOW + 2 * HOUR, Amount="9000")
    assert owner(desk) == now_theirs
    assert desk.find_broken() == []


def test_giving_back_is_undone(desk: Harness) -> None:
    number = reject(desk)
    undo.undo(desk.ledger, number, by=ANA, now=NOW + HOUR)
    tell(desk, NOW + 2 * HOUR, Amount="9000")
    assert owner(desk) == "ana"
    assert desk.find_broken() == []


def test_an_undo_is_refused_once_a_later_update_has_an_owner(desk: Harness) -> None:
    number = touch(desk)
    run(desk, NOW + HOUR)
    tell(desk, NOW + 2 * HOUR, Amount="9000")
    with pytest.raises(ActionError, match="another journey of the same opportunity"):
        undo.undo(desk.ledger, number, by=ANA, now=NOW + 3 * HOUR)
    assert desk.find_broken() == []


def test_a_reason_of_leads_is_none_of_an_opportunity(desk: Harness) -> None:
    with pytest.raises(ActionError, match="no reason of the playbook"):
        reject(desk, "unreachable")
    assert owner(desk) == "ana"


def test_a_record_that_comes_back_later_is_looked_at_again_then(ledger: Ledger) -> None:
    words = BOOK.replace(
        "{opportunity: {}}", "{opportunity: {follow_up: {reject_reasons: [{name: later, then: recycle, after: 3d}]}}}"
    )
    harness = Harness(ledger, playbooks.parse(words, path=Path("tests.yaml")))
    harness.capture(deal(), source="deals")
    run(harness)
    reject(harness, "later")
    assert harness.rows("SELECT status FROM journey") == [("nurture",)]
    assert harness.one("SELECT again_at FROM record") == NOW + HOUR + timedelta(days=3)
    assert harness.find_broken() == []


def test_a_rep_who_leaves_leaves_records_too_in_one_action(desk: Harness) -> None:
    leads = desk.one("SELECT owner FROM assignment WHERE kind = 'lead'")
    if leads != "ana":
        reassignments.reassign(desk.ledger, desk.loaded, 2, rep="ana", reason="theirs", by=MIA, now=NOW + HOUR)
    asked: dict[str, Any] = {"reason": "left us", "by": MIA, "now": NOW + 2 * HOUR}
    done = reassignments.transfer(desk.ledger, desk.loaded, "ana", **asked)
    assert {(each.kind.value, each.record_id) for each in done.placed} == {("lead", None), ("opportunity", 1)}
    assert desk.one("SELECT count(*) FROM assignment WHERE owner = 'ana' AND ended_at IS NULL") == 0
    assert desk.find_broken() == []
    undone = undo.undo(desk.ledger, done.action or 0, by=MIA, now=NOW + 3 * HOUR)
    assert (undone.journeys, undone.left) == ([1, 2], {})
    assert desk.rows("SELECT owner FROM assignment WHERE ended_at IS NULL") == [("ana",), ("ana",)]
    assert desk.find_broken() == []


@pytest.fixture
def typed(desk: Harness, cli: Cli, tmp_path: Path) -> Cli:
    """The command line, with the playbook of these tests."""
    (tmp_path / "playbook.yaml").write_text(BOOK, encoding="utf-8")
    return cli


@pytest.mark.parametrize(
    ("command", "did"),
    [
        (("accept",), "accept"),
        (("touch", "--kind", "call"), "touch"),
        (("wait", "--until", "2026-03-09"), "wait"),
        (("note", "--words", "asks for a call"), "note"),
        (("reject", "--reason", "not_mine"), "reject"),
        (("reassign", "--to", "bob", "--reason", "knows them"), "reassign"),
        (("unassign", "--reason", "wrong team"), "unassign"),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_commands_take_the_number_of_a_record(typed: Cli, desk: Harness, command: tuple[str, ...], did: str) -> None:
    name, *options = command
    found = read_json(typed(name, "R1", *options, "--for", "ana", "--now", NOW + HOUR, "--json"))
    assert (found["did"], found["journey_id"]) == (did, 1)
    assert desk.rows("SELECT what, journey_id FROM action") == [(did, 1)]
    assert desk.find_broken() == []


def test_a_journey_whose_record_is_not_known_yet_is_explained_as_one_of_its_kind(typed: Cli, desk: Harness) -> None:
    desk.capture(deal(Id=""), source="deals")
    run_waiting(desk.worker(), lambda: NOW)
    told = join_lines(typed("explain", "J3", "--now", NOW))
    assert "about one of the opportunities" in told
    assert "whose lead" not in told


def test_what_people_did_to_a_record_is_explained(typed: Cli, desk: Harness) -> None:
    reassign(desk)
    told = join_lines(typed("explain", "R1", "--now", NOW + 2 * HOUR))
    assert "bob has had it since" in told
    assert "reassigned: knows them" in told
    found = read_json(typed("explain", "R1", "--now", NOW + 2 * HOUR, "--json"))
    assert [each["what"] for each in found["actions"]] == ["reassign"]
    assert [each["owner"] for each in found["assignments"]] == ["ana", "bob"]
    assert "there is no record R7" in typed("accept", "R7", "--for", "ana", code=2).stderr
