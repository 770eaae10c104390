"""Opportunities, renewals and expansions through the six stages: versions, owners, questions, and what ends them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger

SOURCES = """sources:
  deals: {kind: opportunities, default_country: DE}
  contracts: {kind: renewals, default_country: DE}
  signs: {kind: expansions}
"""
KINDS = """kinds:
  opportunity:
    max_close_in: 400d
    approvals:
      - {name: large_push, when: pushed_days > 30 and amount > 10000}
    tell:
      - {name: large, when: amount > 50000, to: manager}
  renewal: {window: 90d, prepare: 7d}
  expansion: {}
"""
BOOK = PLAYBOOK.replace("sources:\n", SOURCES, 1) + KINDS


@pytest.fixture
def desk(ledger: Ledger, tmp_path: Path) -> Harness:
    return Harness(ledger, playbooks.parse(BOOK, path=tmp_path / "playbook.yaml"))


def deal(**more: Any) -> dict[str, Any]:
    return {
        "Id": "006A", "Opportunity Name": "Acme 100 seats", "Account Name": "Acme", "Owner": "ana", "Stage": "Proposal",
        "Amount": "8000", "Close Date": "2026-04-30", "Last Modified Date": "2026-03-04T08:00:00Z",
    } | more  # fmt: skip


def at(days: float) -> Any:
    """A moment so many days after the first."""
    return NOW + timedelta(days=days)


def changed(days: float) -> dict[str, str]:
    return {"Last Modified Date": at(days).isoformat()}


def journeys(desk: Harness) -> list[tuple[str, str]]:
    return desk.rows("SELECT status, stage FROM journey ORDER BY id")


def test_an_update_of_an_opportunity_goes_to_the_owner_whom_it_names(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    desk.run()
    assert desk.rows("SELECT kind, status, stage, lead_id FROM journey") == [
        ("opportunity", "owned", "follow_up", None)
    ]
    assert desk.rows("SELECT kind, key, owner, sales_stage, amount::int, category, is_open FROM record") == [
        ("opportunity", "006A", "ana", "proposal", 8000, "best_case", True)
    ]
    assert desk.rows("SELECT owner, rule FROM assignment WHERE ended_at IS NULL") == [("ana", "record_owner")]
    assert desk.rows("SELECT kind, target FROM outbox ORDER BY id") == [("record_assigned", "ana")]
    assert desk.one("SELECT count(*) FROM handoff") == 5
    assert desk.one("SELECT count(*) FROM gate_result") == 6
    assert desk.find_broken() == []


def test_a_later_update_takes_the_place_of_the_one_before_and_tells_its_owner_nothing(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    desk.run()
    desk.capture(deal(Amount="9000") | changed(1), source="deals", now=at(1))
    desk.run(at(1))
    assert journeys(desk) == [("done", "follow_up"), ("owned", "follow_up")]
    assert desk.rows("SELECT end_reason FROM assignment ORDER BY id") == [("superseded",), (None,)]
    assert desk.rows("SELECT number, changes, amount::int FROM record_version WHERE number = 2") == [
        (2, {"amount": [8000.0, 9000.0]}, 9000)
    ]
    assert desk.rows("SELECT kind, target FROM outbox ORDER BY id") == [("record_assigned", "ana")]
    desk.run(at(1.5))
    assert desk.one("SELECT count(*) FROM work_item") == 0  # the owner counts as told
    assert desk.find_broken() == []


def test_another_owner_is_told(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    desk.run()
    desk.capture(deal(Owner="bob") | changed(1), source="deals", now=at(1))
    desk.run(at(1))
    assert desk.rows("SELECT target FROM outbox WHERE kind = 'record_assigned' ORDER BY id") == [("ana",), ("bob",)]
    assert desk.find_broken() == []


def test_updates_of_one_record_in_one_batch_are_compared_one_by_one_and_the_last_is_owned(desk: Harness) -> None:
    desk.capture(
        deal(Amount="9000") | changed(-1),
        deal(Amount="7000") | changed(-3),
        deal(Amount="8000") | changed(-2),
        deal(Id="006B") | changed(-2),
        source="deals",
    )
    desk.run()
    assert desk.rows(
        "SELECT v.number, v.amount::int FROM record_version v JOIN record r ON r.id = v.record_id "
        "WHERE r.key = '006A' ORDER BY number"
    ) == [(1, 7000), (2, 8000), (3, 9000)]
    assert journeys(desk) == [
        ("owned", "follow_up"), ("done", "qualification"), ("done", "qualification"), ("owned", "follow_up")
    ]  # fmt: skip
    assert desk.one("SELECT count(*) FROM record_judgement") == 4
    assert desk.find_broken() == []


def test_an_update_that_was_changed_earlier_and_told_later_is_kept_and_changes_nothing(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    desk.run()
    desk.capture(deal(Amount="1") | changed(-30), source="deals", now=at(1))
    desk.run(at(1))
    assert desk.rows("SELECT number, late FROM record_version ORDER BY number") == [(1, False), (2, True)]
    assert desk.one("SELECT amount::int FROM record") == 8000
    assert journeys(desk) == [("owned", "follow_up"), ("done", "validation")]
    desk.capture(deal(Amount="9000") | changed(2), source="deals", now=at(2))
    desk.run(at(2))
    assert desk.one("SELECT string_agg(number || ' ' || late, ', ' ORDER BY number) FROM record_version") == (
        "1 false, 2 true, 3 false"
    )
    assert desk.rows("SELECT changes FROM record_version WHERE number = 3") == [({"amount": [8000.0, 9000.0]},)]
    assert desk.find_broken() == []


def test_an_export_that_says_the_same_again_changes_nothing(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    desk.run()
    assert desk.capture(deal(), source="deals", now=at(1)) == 0  # the same row
    desk.capture(deal() | changed(1), source="deals", now=at(1))
    desk.run(at(1))
    assert desk.one("SELECT count(*) FROM record_version") == 1
    assert journeys(desk) == [("owned", "follow_up"), ("done", "validation")]
    assert desk.find_broken() == []


def test_a_column_that_says_nothing_clears_the_field_and_one_that_is_not_there_does_not(desk: Harness) -> None:
    desk.capture(deal(**{"Next Step": "send contract"}), source="deals")
    desk.run()
    update = {"Id": "006A", "Next Step": ""} | changed(1)
    desk.capture(update, source="deals", now=at(1))
    desk.run(at(1))
    assert desk.rows("SELECT values ->> 'next_step', values ->> 'account', amount::int FROM record") == [
        (None, "Acme", 8000)
    ]


def test_what_is_missing_is_asked_of_the_owner_and_the_next_update_answers(desk: Harness) -> None:
    desk.capture(deal(Amount=""), source="deals")
    desk.run()
    assert journeys(desk) == [("held", "qualification")]
    (item,) = desk.rows("SELECT kind, reason, route, blocking FROM work_item")
    assert item == ("exception", "evidence_missing", "ana", True)
    desk.capture(deal() | changed(1), source="deals", now=at(1))
    desk.run(at(1))
    assert journeys(desk) == [("discarded", "qualification"), ("owned", "follow_up")]
    assert desk.rows("SELECT resolution FROM work_item") == [("replaced",)]
    assert desk.find_broken() == []


def test_a_large_push_waits_for_the_manager_while_the_owner_goes_on(desk: Harness) -> None:
    desk.capture(deal(Amount="20000"), source="deals")
    desk.run()
    desk.capture(deal(**{"Amount": "20000", "Close Date": "2026-07-30"}) | changed(1), source="deals", now=at(1))
    desk.run(at(1))
    assert journeys(desk) == [("owned", "follow_up"), ("held", "qualification")]
    assert desk.rows("SELECT kind, reason, route FROM work_item") == [("review", "approval_needed", "mia")]
    assert desk.find_broken() == []


def test_a_closed_opportunity_has_no_owner_any_more(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    desk.run()
    desk.capture(deal(Stage="Closed Won") | changed(1), source="deals", now=at(1))
    desk.run(at(1))
    assert journeys(desk) == [("done", "follow_up"), ("done", "qualification")]
    assert desk.rows("SELECT is_open, outcome, category, again_at FROM record") == [(False, "won", "closed", None)]
    assert desk.find_broken() == []


def test_a_slip_is_noticed_and_told_once(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    desk.run()
    for days in (58, 59, 60, 75):
        desk.run(at(days))
    assert desk.rows("SELECT close_date::text FROM record_slip") == [("2026-04-30",)]
    told = desk.rows("SELECT target FROM outbox WHERE kind = 'record_slipped' ORDER BY target")
    assert told == [("ana",), ("mia",)]
    assert desk.one("SELECT status FROM journey ORDER BY id LIMIT 1") == "owned"
    assert desk.find_broken() == []


def test_a_slip_of_a_record_whose_owner_left_is_told_to_whoever_has_it_now(desk: Harness) -> None:
    desk.capture(deal(Owner="Somebody Who Left"), source="deals")
    desk.run()
    owner = desk.one("SELECT owner FROM assignment")
    desk.run(at(60))
    assert (owner,) in desk.rows("SELECT target FROM outbox WHERE kind = 'record_slipped'")
    assert desk.find_broken() == []


def test_a_close_date_passes_while_a_question_is_open_and_the_question_stays(desk: Harness) -> None:
    desk.capture(deal(Amount="20000"), source="deals")
    desk.run()
    desk.capture(deal(**{"Amount": "20000", "Close Date": "2026-07-30"}) | changed(1), source="deals", now=at(1))
    desk.run(at(1))
    for days in (150, 151):
        desk.run(at(days))
    assert desk.rows("SELECT close_date::text FROM record_slip") == [("2026-07-30",)]
    assert desk.one("SELECT count(*) FROM outbox WHERE kind = 'record_slipped' AND target = 'ana'") == 1
    questions = "SELECT reason, route FROM work_item WHERE kind <> 'escalation' AND closed_at IS NULL ORDER BY id"
    assert desk.rows(questions) == [("approval_needed", "mia"), ("slipped", "ana")]
    assert desk.find_broken() == []


def test_an_update_answers_all_questions_of_its_record(desk: Harness) -> None:
    desk.capture(deal(Amount=""), source="deals")
    desk.run()
    desk.run(at(60))
    assert desk.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 2
    desk.capture(deal(**{"Close Date": "2026-07-30"}) | changed(61), source="deals", now=at(61))
    desk.run(at(61))
    assert desk.rows("SELECT reason FROM work_item WHERE closed_at IS NULL") == []
    assert journeys(desk)[-1] == ("owned", "follow_up")
    assert desk.find_broken() == []


def test_a_contract_waits_until_its_window_and_has_an_owner_before_it_opens(desk: Harness) -> None:
    contract = {"Contract Number": "C1", "Account": "Acme", "Owner": "bob", "Amount": "1000", "End Date": "2026-12-31"}
    desk.capture(contract, source="contracts")
    desk.run()
    assert journeys(desk) == [("nurture", "qualification")]
    desk.run(at(180))
    assert len(journeys(desk)) == 1
    before_window = at(302 - 97)
    desk.run(before_window)
    assert journeys(desk)[-1] == ("owned", "follow_up")
    assert desk.rows("SELECT owner FROM assignment") == [("bob",)]
    desk.capture(
        contract | {"Status": "Renewed"} | {"Modified At": at(250).isoformat()}, source="contracts", now=at(250)
    )
    desk.run(at(250))
    assert desk.rows("SELECT is_open, outcome FROM record") == [(False, "won")]
    assert desk.one("SELECT count(*) FROM journey WHERE status = 'owned'") == 0
    assert desk.find_broken() == []


def test_an_expansion_at_an_account_with_an_open_opportunity_is_a_question(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    desk.run()
    sign = {"Id": "E1", "Account": "ACME", "Trigger": "department", "Department": "Finance"}
    desk.capture(sign, sign | {"Id": "E2", "Account": "Other"}, source="signs")
    desk.run()
    assert desk.rows(
        "SELECT r.key, j.status FROM record r JOIN journey j ON j.record_id = r.id WHERE r.kind = "
        "'expansion' ORDER BY r.key"
    ) == [("E1", "held"), ("E2", "owned")]
    assert desk.find_broken() == []


def test_leads_and_records_wait_in_one_line_and_have_batches_of_their_own(desk: Harness) -> None:
    desk.capture(make_lead(1))
    desk.capture(deal(), source="deals")
    desk.capture(make_lead(2))
    desk.run()
    assert desk.rows("SELECT journey_kind, size FROM batch ORDER BY id") == [("lead", 2), ("opportunity", 1)]
    assert desk.rows("SELECT kind, status FROM journey ORDER BY id") == [
        ("lead", "owned"), ("opportunity", "owned"), ("lead", "owned")
    ]  # fmt: skip
    assert desk.find_broken() == []


def test_a_row_without_an_id_and_one_with_a_date_that_is_none_are_held_alone(desk: Harness) -> None:
    desk.capture(deal(Id=""), deal(**{"Id": "006B", "Close Date": "soon"}), deal(Id="006C"), source="deals")
    desk.run()
    assert journeys(desk) == [("held", "capture"), ("held", "validation"), ("owned", "follow_up")]
    assert desk.rows("SELECT reason FROM work_item ORDER BY id") == [("record_key_missing",), ("value_unreadable",)]
    assert desk.find_broken() == []


@pytest.mark.parametrize("named", ["lead1@company1.example", "lead 1", "crm-77"])
def test_what_becomes_of_an_opportunity_is_recorded_of_the_lead_that_it_came_from(desk: Harness, named: str) -> None:
    desk.capture(make_lead(1) | {"External Id": "crm-77"}, make_lead(2))
    desk.run()
    desk.capture(deal(**{"Lead Id": named}), source="deals", now=at(1))
    desk.run(at(1))
    desk.capture(deal(**{"Lead Id": named, "Stage": "Closed Won"}) | changed(2), source="deals", now=at(2))
    desk.run(at(2))
    assert desk.rows("SELECT lead_id, kind, rep FROM recorded_outcome ORDER BY occurred_at") == [
        (1, "accepted", "ana"), (1, "won", "ana")
    ]  # fmt: skip
    assert desk.rows("SELECT status FROM journey WHERE kind = 'lead'") == [("owned",), ("owned",)]
    assert desk.find_broken() == []


def test_an_opportunity_of_a_lead_that_nobody_knows_goes_its_way(desk: Harness) -> None:
    desk.capture(
        deal(**{"Lead Id": "nobody@nowhere.example"}), deal(Id="006B", **{"Lead Id": "x" * 400}), source="deals"
    )
    desk.run()
    assert desk.one("SELECT count(*) FROM recorded_outcome") == 0
    assert journeys(desk) == [("owned", "follow_up")] * 2


def test_a_record_takes_no_turn_of_the_leads(desk: Harness) -> None:
    desk.capture(make_lead(1))
    desk.run()
    turns = "SELECT state FROM pool_state WHERE kind = 'lead' AND pool = 'everybody'"
    before = desk.one(turns)
    desk.capture(*(deal(Id=f"N{number}", Owner="") for number in range(4)), source="deals")
    desk.run()
    assert desk.rows("SELECT DISTINCT rule FROM assignment WHERE kind = 'opportunity'") == [("first_pool",)]
    assert desk.one(turns) == before
    assert (
        desk.one("SELECT sum(value::int) FROM pool_state, jsonb_each_text(state -> 'taken') WHERE kind <> 'lead'") == 4
    )
    assert desk.find_broken() == []
