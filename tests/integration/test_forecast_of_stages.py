"""The forecast of opportunities that came through the six stages: what was captured is what is told, and explained."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, forecasts

SOURCES = "sources:\n  deals: {kind: opportunities}\n"
BOOK = PLAYBOOK.replace("sources:\n", SOURCES, 1) + "kinds: {opportunity: {}}\n"


@pytest.fixture
def desk(ledger: Ledger, tmp_path: Path) -> Harness:
    return Harness(ledger, playbooks.parse(BOOK, path=tmp_path / "playbook.yaml"))


def capture(desk: Harness, at: datetime, *rows: dict[str, Any]) -> None:
    """Rows of an export of ``at``, through the stages."""
    common = {"Account Name": "Acme", "Owner": "ana", "Stage": "Proposal", "Amount": "8000", "Close Date": "2026-03-20"}
    changed = {"Last Modified Date": at.isoformat()}
    desk.capture(*(common | {"Opportunity Name": row["Id"]} | changed | row for row in rows), source="deals", now=at)
    desk.run(at)


def test_what_was_captured_is_in_the_forecast_with_why_it_moved(desk: Harness, cli: Cli) -> None:
    day = timedelta(days=1)
    capture(
        desk, NOW - 6 * day, {"Id": "won"}, {"Id": "lost", "Amount": "5000"}, {"Id": "grows"}, {"Id": "waits"},
        {"Id": "slips", "Close Date": "2026-03-03", "Amount": "1000"},
    )  # fmt: skip
    capture(
        desk, NOW - day, {"Id": "won", "Stage": "Closed Won"}, {"Id": "lost", "Stage": "Closed Lost", "Amount": "5000"},
        {"Id": "grows", "Amount": "9500.25", "Stage": "Negotiation"}, {"Id": "new", "Owner": "bob"},
    )  # fmt: skip
    desk.run(NOW)
    told = read_json(cli("forecast", "--json", "--now", NOW.isoformat()))
    assert {each["name"]: each["reasons"] for each in told["opportunities"]} == {
        "won": ["won"], "lost": ["lost"], "grows": ["amount_up", "category_up"], "new": ["new"], "slips": ["slipped"],
    }  # fmt: skip
    assert (told["start"]["total"], told["end"]["total"]) == ("30000.00", "34500.25")
    assert told["end"]["closed"]["amount"] == "8000.00"
    (grows,) = [each["record"] for each in told["opportunities"] if each["name"] == "grows"]
    story = join_lines(cli("explain", grows))
    assert "amount 8,000 9,500.25" in story
    assert "sales stage proposal negotiation" in story.lower()
    assert "Told for the first time." in story
    assert desk.find_broken() == []
    summary = join_lines(cli("summary"))
    assert "6 opportunities" in summary
    assert "leadgate forecast" in summary
    assert "Nothing has been captured" not in summary


def test_what_is_told_late_changes_no_day_of_the_past(desk: Harness) -> None:
    day = timedelta(days=1)
    capture(desk, NOW - 3 * day, {"Id": "006A"})
    forecasts.take_snapshots(desk.ledger, "UTC", NOW - 2 * day)
    midnight = datetime.combine((NOW - 2 * day).date(), datetime.min.time(), NOW.tzinfo)

    def read() -> Any:
        with desk.ledger.snapshot() as connection:
            return forecasts.read_states(connection, midnight), forecasts.compute_states(connection, midnight)

    before = read()
    assert before[0] == before[1]
    assert [state.close_date for state in before[0].values()] == [date(2026, 3, 20)]
    capture(desk, NOW, {"Id": "006A", "Amount": "1", "Last Modified Date": (NOW - 4 * day).isoformat()}, {"Id": "006B"})
    assert read() == before
    assert desk.find_broken() == []
