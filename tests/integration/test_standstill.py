"""Intake that stands still is seen; one that moves, waits or is paused is not. (`/readyz`: test_http_capture.py)"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from commands import Cli, join_lines, read_json
from harness import Harness, make_lead
from sqlalchemy import text
from stub_gates import pass_all

from leadgate.ledger import consumers
from leadgate.ledger.consumers import PAUSED
from leadgate.ledger.standstill import read_standstill
from tasks.batches import activate, claim_next_work, run_waiting

LIMIT = 60.0


def ago(harness: Harness, seconds: float, *tables: str) -> None:
    """Everything of ``tables`` happened that much earlier."""
    columns = {"journey": "run_after", "batch": "advanced_at", "handoff": "at"}
    with harness.ledger.transaction() as connection:
        for table in tables:
            column = columns[table]
            connection.execute(
                text(f"UPDATE {table} SET {column} = {column} - make_interval(secs => :s)"), {"s": seconds}
            )


def consumer(harness: Harness, doing: str = "waits for leads", name: str = "one") -> None:
    consumers.record_consumer(harness.ledger, name=name, host="here", pid=1, doing=doing)


def captured(harness: Harness, number: int) -> None:
    harness.capture(make_lead(number), now=datetime.now(UTC))


def claimed(harness: Harness) -> None:
    activate(harness.worker())
    assert claim_next_work(harness.worker(lease_seconds=300)) is not None


def test_a_lead_that_nobody_claims_stands_still(harness: Harness) -> None:
    consumer(harness)
    captured(harness, 1)
    assert not read_standstill(harness.ledger, LIMIT).stalled
    ago(harness, 90, "journey")
    stands = read_standstill(harness.ledger, LIMIT)
    assert stands.stalled
    assert 85 < stands.seconds < 300


def test_a_lead_in_a_batch_that_does_not_advance_stands_still(harness: Harness) -> None:
    consumer(harness)
    captured(harness, 1)
    run_waiting(harness.worker(), check=pass_all)
    captured(harness, 2)
    claimed(harness)
    ago(harness, 90, "journey")
    assert not read_standstill(harness.ledger, LIMIT).stalled  # its batch has begun just now
    ago(harness, 90, "batch")
    assert read_standstill(harness.ledger, LIMIT).stalled


def test_leads_behind_a_batch_that_advances_do_not_stand_still(harness: Harness) -> None:
    consumer(harness)
    captured(harness, 1)
    claimed(harness)
    captured(harness, 2)
    ago(harness, 90, "journey")
    assert not read_standstill(harness.ledger, LIMIT).stalled


def test_a_lead_that_is_passed_over_stands_still(harness: Harness) -> None:
    consumer(harness)
    captured(harness, 1)
    worker = harness.worker()
    worker.skipped_rows.add("claim_intake", 1)
    ago(harness, 90, "journey")
    captured(harness, 2)
    run_waiting(worker, check=pass_all)
    assert read_standstill(harness.ledger, LIMIT).stalled


def test_what_waits_on_purpose_does_not_stand_still(harness: Harness) -> None:
    captured(harness, 1)
    ago(harness, 90, "journey")
    assert not read_standstill(harness.ledger, LIMIT).stalled  # nobody runs all day here
    consumer(harness, PAUSED)
    assert not read_standstill(harness.ledger, LIMIT).stalled
    consumer(harness)
    assert read_standstill(harness.ledger, LIMIT).stalled
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE journey SET run_after = clock_timestamp() + interval '1 day'"))
    assert not read_standstill(harness.ledger, LIMIT).stalled


def test_leads_whose_only_consumer_died_stand_still(harness: Harness) -> None:
    consumer(harness, PAUSED)
    captured(harness, 1)
    ago(harness, 90, "journey")
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE consumer SET seen_at = seen_at - interval '2 minutes'"))
    assert read_standstill(harness.ledger, LIMIT).stalled


def test_status_fails_and_says_so(cli: Cli, harness: Harness) -> None:
    consumer(harness)
    captured(harness, 1)
    cli("status")
    ago(harness, 90, "journey")
    assert "has not moved" in join_lines(cli("status", code=1))
    data = read_json(cli("status", "--json", code=1))
    assert (data["stalled"], data["well"]) == (True, False)
    assert data["waiting"]["standstill_seconds"] > LIMIT


def test_status_takes_another_limit(cli: Cli, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADGATE_STALLED_AFTER", "3600")
    consumer(harness)
    captured(harness, 1)
    ago(harness, 90, "journey")
    cli("status")
