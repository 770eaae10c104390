"""The example files of records through the six stages by the bundled playbook, accounts included."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness import Harness

from leadgate import playbook
from leadgate.ledger import Ledger

EXAMPLES = Path(__file__).parents[2] / "examples" / "records"
SOURCES = ("opportunities", "contracts", "expansion_signals")
THAT_DAY = datetime(2026, 11, 27, 18, tzinfo=UTC)  # the files' own


@pytest.fixture
def worked(ledger: Ledger) -> Harness:
    desk = Harness(ledger, playbook.load_default())

    def work() -> None:
        for source in SOURCES:
            with (EXAMPLES / f"{source}.csv").open(encoding="utf-8", newline="") as file:
                desk.capture(*csv.DictReader(file), source=source, now=THAT_DAY)
        desk.run(THAT_DAY)

    desk.begin_with("examples of records", work)
    return desk


def test_every_update_is_judged_and_has_its_account(worked: Harness) -> None:
    assert worked.one("SELECT count(*) FROM journey WHERE status = 'ready'") == 0
    assert worked.rows("SELECT DISTINCT reason FROM work_item WHERE kind = 'recovery'") == []
    assert worked.one("SELECT count(*) FROM record WHERE enriched->>'account_tier' IS NULL") == 0
    reasons = Counter(dict(worked.rows("SELECT reason, count(*) FROM work_item WHERE closed_at IS NULL GROUP BY 1")))
    asked = {"approval_needed", "stage_unknown", "evidence_missing", "slipped", "close_date_too_far"}
    assert set(reasons) >= {*asked, "end_date_missing", "end_date_passed", "trigger_unknown"}
    assert worked.find_broken() == []


def test_owners_are_those_whom_records_and_accounts_name_before_the_pools(worked: Harness) -> None:
    rules = dict(worked.rows("SELECT rule, count(*) FROM assignment WHERE ended_at IS NULL GROUP BY 1"))

    assert {"its_owner", "everybody_else"} <= set(rules)
    assert worked.one("SELECT count(*) FROM assignment WHERE ended_at IS NULL AND due_at IS NULL") == 0
    assert set(dict(worked.rows("SELECT sla, count(*) FROM assignment WHERE ended_at IS NULL GROUP BY 1"))) >= {
        "contact"
    }


def test_contracts_wait_for_their_window_and_the_decided_end(worked: Harness) -> None:
    found = dict(
        worked.rows(
            "SELECT r.key, j.status FROM journey j JOIN record r ON r.id = j.record_id WHERE r.kind = 'renewal'"
        )
    )

    assert (found["CON-0002"], found["CON-0010"]) == ("done", "done")
    assert found["CON-0007"] == "nurture", "its window opens in 250 - 97 days"
    assert found["CON-0003"] == "owned"
    again = worked.rows("SELECT again_at FROM record WHERE key = 'CON-0007'")
    assert again[0][0] > THAT_DAY
