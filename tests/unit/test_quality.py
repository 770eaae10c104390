"""Shares of kept promises and of empty values, out of counts; and which of them are told as news."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.quality import Counts, build_fields, build_promises, list_findings
from leadgate.ledger.breakers import BreakerNow
from leadgate.ledger.quality_figures import BrokenCount, FilledCount, RowCount
from leadgate.playbook import Breaker
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


def list_words(counts: Counts, *breakers: BreakerNow, source: str | None = None) -> list[tuple[str, str]]:
    return [(each.source, each.what) for each in list_findings(counts, breakers, Breaker(), source)]


def test_what_changed_of_one_source_is_found_among_many_leads_of_others() -> None:
    counts = make_counts(30)
    many = [FilledCount("partner", week, 100_000, {"phone": 100_000}) for week in (0, 1)]
    counts = Counts(NOW, counts.rows, counts.broken, [*counts.filled, *many])
    assert not any(each.is_news for each in build_fields(counts, None)[1])
    assert ("form", "Phone goes empty") in list_words(counts)
    assert len(list_words(counts, source="form")) == 2  # the field, and the promise
    assert list_words(counts, source="partner") == []


@pytest.mark.parametrize(("given", "told"), [(30, False), (20, True), (0, True)])
def test_a_field_that_goes_empty_today_is_told_before_the_week_shows_it(given: int, told: bool) -> None:
    filled = [
        FilledCount("form", 1, 5_000, {"phone": 4_500}),
        FilledCount("form", 0, 5_000, {"phone": 4_500}),
        FilledCount("form", 0, 40, {"phone": given}, is_of_last_day=True),
    ]
    counts = Counts(NOW, [RowCount("validation", "form", 0, 5_040)], [], filled)
    assert (("form", "Phone goes empty") in list_words(counts)) is told


@pytest.mark.parametrize(
    ("status", "broken", "seen", "told"),
    [
        ("closed", 1, 50, []),
        ("closed", 12, 50, []),
        ("closed", 13, 50, ["A breaker may open"]),
        ("closed", 10, 15, []),
        ("open", 30, 50, ["The source is parked: its breaker is open"]),
        ("half_open", 30, 50, ["The source is tried again: its breaker is open"]),
    ],
)
def test_a_breaker_is_told_from_half_of_what_opens_it_on(status: str, broken: int, seen: int, told: list[str]) -> None:
    breaker = BreakerNow("form", "validated", "phone_possible", status, "0" * (seen - broken) + "1" * broken)
    counts = Counts(NOW, [], [], [])
    assert [what for _, what in list_words(counts, breaker)] == told
