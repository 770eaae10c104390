"""Work items as a list: a line each, at any width, what is wrong first."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from made_rows import make_row
from rich.console import Console

from console.cli import items
from leadgate.ledger.reports import OpenWorkItem

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)


def item(number: int = 5, **columns: Any) -> OpenWorkItem:
    made = {
        "id": number, "kind": "exception", "blocking": True, "reason": "email_malformed", "stage": "validation",
        "message": "The e-mail address is not well-formed", "value": "a•••@gmial.com", "detail": None,
        "proposal": None, "route": "marketing_operations", "assignee": None, "escalated_at": None,
        "escalated_to": None, "journey_id": 7, "lead_id": 12, "journeys": 1, "due_at": NOW + timedelta(hours=8),
    } | columns  # fmt: skip
    return make_row(OpenWorkItem, **made)


def shown(*each: OpenWorkItem, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    items.render(each, {}, NOW, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()[1:]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_each_item_is_one_line_with_the_problem_and_the_value(width: int) -> None:
    lines = shown(item(), item(6, message="x" * 300, value="y" * 300, route="z" * 60), width=width)
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    assert lines[0].split()[:2] == ["W5", "The"]
    assert "a•••@g" in lines[0]
    assert "in 8 h, " in lines[0]


def test_what_is_wrong_is_cut_rather_than_the_value() -> None:
    told = items.format_problem(item(), "", 38)
    assert len(told) <= 38
    assert told.endswith("…: a•••@gmial.com")
    assert items.format_problem(item(), "", 80) == "The e-mail address is not well-formed: a•••@gmial.com"
    proposed = items.format_problem(item(proposal={"email": "a•••@gmail.com"}), "", 120)
    assert proposed.endswith("a•••@gmial.com → email=a•••@gmail.com")


def test_what_is_missing_is_told_where_there_is_room() -> None:
    asked = item(message="a score of 32 is in the review band", value=None)
    assert items.format_problem(asked, "grade C3; missing company", 80) == (
        "A score of 32 is in the review band: grade C3; missing company"
    )
    assert items.format_problem(asked, "grade C3; missing company", 40) == "A score of 32 is in the review band"


def test_who_decides_and_what_it_is_about() -> None:
    assert items.name_decider(item()) == "marketing_operations"
    assert items.name_decider(item(assignee="ann")) == "ann"
    assert items.name_decider(item(escalated_at=NOW, escalated_to="mia")) == "↑ mia"
    assert items.format_about(item(journey_id=None, journeys=1_200)) == "1,200 held"
    assert items.format_about(item(lead_id=None)) == "J7"


@pytest.mark.parametrize(
    ("later", "told"),
    [
        (timedelta(minutes=20), "in 20 min, "),
        (timedelta(hours=23), "in 23 h, "),
        (timedelta(days=-2, hours=-1), "2 d late, "),
        (timedelta(seconds=-1), "1 min late, "),
    ],
)
def test_when_it_is_due_is_told_from_now_and_by_the_local_clock(later: timedelta, told: str) -> None:
    at = NOW + later
    assert items.format_due(at, NOW).startswith(told)
    assert items.format_due(at, NOW).endswith(f"{at.astimezone():%H:%M}")


def test_the_next_steps_are_those_of_the_most_frequent_reasons() -> None:
    console = Console(file=io.StringIO(), width=80, markup=False, highlight=False)
    refused = [item(number, reason="consent_refused") for number in (8, 9)]
    items.render_next([item(), *refused], console)
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert told.index("consent_refused (2 of them)") < told.index("email_malformed:")
    assert "leadgate review W8 --reject REASON" in told
