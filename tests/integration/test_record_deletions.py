"""A record that was deleted where it came from: it rests in any status, its owner hears of it, no forecast counts it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines
from harness import NOW, PLAYBOOK, Harness
from stub_gates import act_at_gate, pass_all

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, forecasts, record_deletions
from leadgate.records.forecast import compute_movements
from leadgate.records.forecast_periods import ALL_DAYS
from leadgate.vocabulary import JourneyKind, MovementReason
from tasks.batches import run_waiting

BOOK = PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities}\n", 1) + "kinds: {opportunity: {}}\n"
HOUR = timedelta(hours=1)
TOLD = "SELECT kind, target FROM outbox WHERE kind = 'record_deleted'"


def deal(**more: str) -> dict[str, str]:
    return {
        "Id": "006A", "Opportunity Name": "Acme", "Account Name": "Acme", "Owner": "ana", "Stage": "Proposal",
        "Amount": "8000", "Close Date": "2026-04-30", "Last Modified Date": "2026-03-04T08:00:00Z",
    } | more  # fmt: skip


@pytest.fixture
def desk(ledger: Ledger) -> Harness:
    return Harness(ledger, playbooks.parse(BOOK, path=Path("tests.yaml")))


def run(desk: Harness, now: datetime = NOW, check: Any = pass_all) -> None:
    run_waiting(desk.worker(), lambda: now, check=check)


def delete(desk: Harness, now: datetime = NOW + HOUR) -> int:
    with desk.ledger.transaction() as connection:
        return record_deletions.end_deleted(connection, JourneyKind.OPPORTUNITY, "deals", ["006A", "another"], now)


def journeys(desk: Harness) -> list[tuple[Any, ...]]:
    return desk.rows("SELECT status, stage FROM journey ORDER BY id")


def is_open(desk: Harness) -> bool:
    return bool(desk.one("SELECT is_open FROM record"))


def test_nobody_follows_up_what_was_deleted_and_the_owner_hears_of_it_once(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    run(desk)
    assert (delete(desk), delete(desk, NOW + 2 * HOUR)) == (1, 0)
    assert journeys(desk) == [("done", "follow_up")]
    assert desk.rows("SELECT end_reason FROM assignment") == [("deleted",)]
    assert desk.rows(TOLD) == [("record_deleted", "ana")]
    assert desk.rows("SELECT is_open, again_at FROM record") == [(False, None)]
    assert desk.find_broken() == []


def test_a_question_about_what_was_deleted_is_asked_no_more(desk: Harness) -> None:
    desk.capture(deal(Amount=""), source="deals")
    run(desk)
    assert journeys(desk) == [("held", "qualification")]
    delete(desk)
    assert journeys(desk) == [("discarded", "qualification")]
    assert desk.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 0
    assert desk.rows(TOLD) == [("record_deleted", "ana")]
    assert desk.find_broken() == []


@pytest.mark.parametrize("gate", ["enriched", "qualified", "assigned"])
def test_a_journey_that_a_run_has_ends_there(desk: Harness, gate: str) -> None:
    desk.capture(deal(), deal(Id="006B"), source="deals")
    run(desk, check=act_at_gate(gate, lambda: delete(desk)))
    assert desk.rows(
        "SELECT r.key, j.status, r.is_open FROM record r JOIN journey j ON j.record_id = r.id ORDER BY r.key"
    ) == [("006A", "done", False), ("006B", "owned", True)]
    assert desk.rows("SELECT reason FROM handoff WHERE outcome = 'done'") == [("deleted",)]
    assert desk.find_broken() == []


def test_what_was_captured_before_the_deletion_changes_nothing_and_a_later_update_tells_it_anew(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    run(desk)
    desk.capture(deal(Amount="9000", **{"Last Modified Date": "2026-03-04T10:30:00Z"}), source="deals", now=NOW + HOUR)
    delete(desk, NOW + HOUR)
    run(desk, NOW + HOUR)
    assert journeys(desk) == [("done", "follow_up"), ("done", "validation")]
    assert desk.one("SELECT count(*) FROM record_version") == 1
    assert not is_open(desk)
    assert desk.find_broken() == []
    restored = deal(**{"Last Modified Date": "2026-03-04T12:00:00Z"})
    desk.capture(restored, source="deals", now=NOW + 3 * HOUR)
    run(desk, NOW + 3 * HOUR)
    assert journeys(desk)[-1] == ("owned", "follow_up")
    assert is_open(desk)
    assert desk.rows("SELECT target FROM outbox WHERE kind = 'record_assigned'") == [("ana",), ("ana",)]
    assert desk.find_broken() == []


def test_a_record_that_was_deleted_before_a_run_has_heard_of_it_is_nobodys(desk: Harness) -> None:
    desk.capture({**deal(), "external_id": "006A"}, source="deals")
    delete(desk)
    run(desk, NOW + HOUR)
    assert journeys(desk) == [("done", "validation")]
    assert desk.rows("SELECT is_open, version FROM record") == [(False, 0)]
    assert desk.rows("SELECT reason FROM handoff WHERE outcome = 'done'") == [("record_deleted",)]
    assert desk.find_broken() == []
    desk.capture(deal(**{"Last Modified Date": "2026-03-04T12:00:00Z"}), source="deals", now=NOW + 3 * HOUR)
    run(desk, NOW + 3 * HOUR)
    assert (journeys(desk)[-1], is_open(desk)) == (("owned", "follow_up"), True)
    assert desk.find_broken() == []


def test_a_forecast_counts_it_until_it_was_deleted_and_from_when_it_is_told_anew(desk: Harness) -> None:
    desk.capture(deal(), source="deals")
    run(desk)
    delete(desk)
    desk.capture(deal(**{"Last Modified Date": "2026-03-04T12:00:00Z"}), source="deals", now=NOW + 3 * HOUR)
    run(desk, NOW + 3 * HOUR)
    with desk.ledger.transaction() as connection:
        before, gone, again = (forecasts.read_states(connection, NOW + hours * HOUR) for hours in (0.5, 2, 4))
    assert [len(each) for each in (before, gone, again)] == [1, 0, 1]
    period, day = ALL_DAYS, date(2026, 3, 4)
    (lost,) = compute_movements(before, gone, period, day, day)
    assert (lost.reasons, lost.cents) == ((MovementReason.DELETED,), -800_000)
    (told,) = compute_movements(gone, again, period, day, day)
    assert (told.reasons, told.cents) == ((MovementReason.NEW,), 800_000)


def test_a_deletion_is_explained(desk: Harness, cli: Cli) -> None:
    desk.capture(deal(), source="deals")
    run(desk)
    delete(desk)
    told = join_lines(cli("explain", "R1", "--now", NOW + 2 * HOUR))
    assert "it was deleted where it came from" in told
    assert "Deleted where it came from, or merged into another" in told
