"""Shares of kept promises and of empty values, out of counts; and which of them are told as news."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.quality import Counts, build_fields, build_promises
from leadgate.ledger.quality_figures import BrokenCount, FilledCount, RowCount
from leadgate.vocabulary import GateName

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def make_counts(last: int, *, leads: int = 100) -> Counts:
    """Two weeks of a form, and another source; ``last`` of the last week's rows broke a promise and have no phone."""
    rows = [RowCount("validation", source, week, leads) for source in ("form", "partner") for week in (0, 1)]
    broken = [
        BrokenCount("validation", "phone_possible", "form", 0, True, "phone_impossible", last, 2),
        BrokenCount("validated", "phone_possible", "form", 1, False, "phone_impossible", 1, 0),
    ]
    filled = [
        FilledCount("form", 0, leads, {"phone": leads - last, "email": leads}),
        FilledCount("form", 1, leads, {"phone": leads, "email": leads}),
    ]
    return Counts(NOW, rows, broken, filled)


def test_a_share_counts_rows_that_were_held_and_rows_that_were_warned_about() -> None:
    found = {(each.gate, each.name): each for each in build_promises(make_counts(10), "form")}
    phone = found[GateName.VALIDATED, "phone_possible"]
    assert [(week.count, week.of) for week in phone.weeks[-3:]] == [(0, 0), (99, 100), (90, 100)]
    assert (phone.broken, phone.open, phone.reason, phone.severity) == (10, 2, "phone_impossible", "critical")
    every = {(each.gate, each.name): each for each in build_promises(make_counts(10), None)}
    assert every[GateName.VALIDATED, "phone_possible"].weeks[-1].of == 200
    other = {(each.gate, each.name): each for each in build_promises(make_counts(10), "partner")}
    assert other[GateName.VALIDATED, "phone_possible"].weeks[-1].value == 1.0


def test_a_promise_of_the_playbook_s_own_has_a_row_too() -> None:
    counts = make_counts(0)
    added = BrokenCount("enrichment", "has_budget", "form", 0, True, "no_budget", 3, 3)
    found = {each.name: each for each in build_promises(Counts(NOW, counts.rows, [added], []), None)}
    assert (found["has_budget"].words, found["has_budget"].broken) == ("has budget", 3)


@pytest.mark.parametrize(
    ("empty", "leads", "news"), [(0, 100, False), (19, 100, False), (25, 100, True), (9, 10, False)]
)
def test_a_field_that_goes_empty_is_news_once_there_are_enough_leads(empty: int, leads: int, news: bool) -> None:
    counts, fields = build_fields(make_counts(empty, leads=leads), "form")
    assert counts[-2:] == [leads, leads]
    assert {each.name: each.is_news for each in fields} == {"email": False, "phone": news}
    assert fields[-1].weeks[-1].count in (empty, 0)
