"""The forecast: movements that sum exactly between any two moments, and the reason of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.records.forecast import (
    COUNTED,
    Part,
    RecordState,
    compute_figures,
    compute_movements,
    keep_owners,
    sum_by_reason,
    sum_parts,
)
from leadgate.records.forecast_periods import ALL_DAYS, Period, find_period
from leadgate.vocabulary import ForecastCategory, MovementReason

MONDAY, FRIDAY = date(2026, 11, 23), date(2026, 11, 27)
QUARTER = Period(date(2026, 10, 1), date(2026, 12, 31))
OPEN = RecordState(12, "ana", 40_000_00, date(2026, 12, 10), ForecastCategory.BEST_CASE, is_open=True)
WON = replace(OPEN, is_open=False, category=ForecastCategory.CLOSED)
LOST = replace(OPEN, is_open=False, category=ForecastCategory.OMITTED)

_OWNERS = ("ana", "bob", None)
_STATES = st.builds(
    RecordState,
    record_id=st.just(0),
    owner=st.sampled_from(_OWNERS),
    cents=st.none() | st.integers(-(10**18), 10**18) | st.integers(0, 300),
    close_date=st.none() | st.dates(date(2026, 9, 20), date(2027, 1, 10)),
    category=st.sampled_from(ForecastCategory),
    is_open=st.booleans(),
)
_MOMENTS = st.dictionaries(st.integers(1, 12), _STATES, max_size=12).map(
    lambda states: {record_id: replace(state, record_id=record_id) for record_id, state in states.items()}
)
_PERIODS = st.sampled_from([ALL_DAYS, QUARTER, Period(date(2026, 11, 1), date(2026, 11, 30))])


def sum_cents(states: dict[int, RecordState], period: Period) -> dict[tuple[str | None, ForecastCategory], int]:
    return {key: figure.cents for key, figure in compute_figures(states.values(), period).items()}


def leave_zeros_out(sums: dict[tuple[str | None, ForecastCategory], int]) -> dict[object, int]:
    return {key: cents for key, cents in sums.items() if cents}


def list_parts(before: dict[int, RecordState], after: dict[int, RecordState], period: Period) -> list[Part]:
    return [part for each in compute_movements(before, after, period, MONDAY, FRIDAY) for part in each.parts]


def explain(
    before: RecordState | None, after: RecordState | None, period: Period = QUARTER
) -> list[tuple[str, str | None, str, int]]:
    """The parts of one opportunity's movement, in whole euros."""
    states = [{} if state is None else {12: state} for state in (before, after)]
    return [
        (part.reason.value, part.owner, part.category.value, part.cents // 100)
        for part in list_parts(states[0], states[1], period)
    ]


@given(_MOMENTS, _MOMENTS, _PERIODS)
def test_the_movements_come_from_the_figures_before_to_those_after(
    before: dict[int, RecordState], after: dict[int, RecordState], period: Period
) -> None:
    """For each owner and category, for each owner's movements alone, and for the reasons of all."""
    start, end = sum_cents(before, period), sum_cents(after, period)
    movements = compute_movements(before, after, period, MONDAY, FRIDAY)
    sums = sum_parts(part for each in movements for part in each.parts)
    keys = start.keys() | end.keys() | sums.keys()
    assert all(start.get(key, 0) + sums.get(key, 0) == end.get(key, 0) for key in keys)
    for owner in _OWNERS:
        theirs = sum_parts(part for each in keep_owners(movements, {owner}) for part in each.parts)
        assert theirs == {key: cents for key, cents in sums.items() if key[0] == owner}
    by_reason = sum_by_reason(part for each in movements for part in each.parts)
    for category in ForecastCategory:
        moved = sum(of_reason[category] for of_reason in by_reason.values())
        assert moved == sum(cents for key, cents in sums.items() if key[1] is category)
    total = sum(sums[key] for key in sums if key[1] in COUNTED)
    assert sum(each.cents for each in movements) == total


@given(_MOMENTS, _MOMENTS, _MOMENTS, _PERIODS)
def test_what_moved_in_two_steps_is_what_moved_in_one(
    first: dict[int, RecordState], second: dict[int, RecordState], third: dict[int, RecordState], period: Period
) -> None:
    """For each opportunity, owner and category."""

    def sum_each(*steps: Iterable[tuple[int, Part]]) -> dict[object, int]:
        sums: dict[object, int] = {}
        for record_id, part in (each for step in steps for each in step):
            key = (record_id, part.owner, part.category)
            sums[key] = sums.get(key, 0) + part.cents
        return {key: cents for key, cents in sums.items() if cents}

    def list_steps(before: dict[int, RecordState], after: dict[int, RecordState]) -> list[tuple[int, Part]]:
        movements = compute_movements(before, after, period, MONDAY, FRIDAY)
        return [(each.record_id, part) for each in movements for part in each.parts]

    assert sum_each(list_steps(first, second), list_steps(second, third)) == sum_each(list_steps(first, third))


@given(_MOMENTS, _PERIODS)
def test_what_stayed_as_it_was_has_not_moved(states: dict[int, RecordState], period: Period) -> None:
    assert compute_movements(states, states, period, FRIDAY, FRIDAY) == []


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        pytest.param(None, OPEN, [("new", "ana", "best_case", 40_000)], id="new"),
        pytest.param(
            OPEN, WON, [("won", "ana", "best_case", -40_000), ("won", "ana", "closed", 40_000)], id="won"
        ),
        pytest.param(None, WON, [("won", "ana", "closed", 40_000)], id="new and won"),
        pytest.param(OPEN, LOST, [("lost", "ana", "best_case", -40_000)], id="lost"),
        pytest.param(LOST, OPEN, [("reopened", "ana", "best_case", 40_000)], id="lost and open again"),
        pytest.param(
            WON, OPEN, [("reopened", "ana", "closed", -40_000), ("reopened", "ana", "best_case", 40_000)],
            id="won and open again",
        ),
        pytest.param(OPEN, replace(OPEN, cents=45_000_00), [("amount_up", "ana", "best_case", 5_000)], id="more"),
        pytest.param(OPEN, replace(OPEN, cents=None), [("amount_down", "ana", "best_case", -40_000)], id="no amount"),
        pytest.param(
            OPEN, replace(OPEN, owner="bob"), [("owner", "ana", "best_case", -40_000), ("owner", "bob", "best_case", 40_000)],
            id="another owner",
        ),
        pytest.param(
            OPEN, replace(OPEN, category=ForecastCategory.COMMIT),
            [("category_up", "ana", "best_case", -40_000), ("category_up", "ana", "commit", 40_000)], id="surer",
        ),
        pytest.param(
            OPEN, replace(OPEN, category=ForecastCategory.OMITTED),
            [("category_down", "ana", "best_case", -40_000), ("category_down", "ana", "omitted", 40_000)], id="left out",
        ),
        pytest.param(
            OPEN, replace(OPEN, close_date=date(2027, 1, 15), cents=50_000_00),
            [("moved_out", "ana", "best_case", -40_000)], id="out of the quarter, with what it was",
        ),
        pytest.param(
            replace(OPEN, close_date=date(2027, 1, 15)), replace(OPEN, cents=50_000_00),
            [("moved_in", "ana", "best_case", 50_000)], id="into the quarter, with what it is",
        ),
        pytest.param(
            OPEN, replace(OPEN, close_date=date(2026, 12, 20)), [("pushed", "ana", "best_case", 0)], id="pushed"
        ),
        pytest.param(
            OPEN, replace(OPEN, close_date=date(2026, 12, 1)), [("pulled_in", "ana", "best_case", 0)], id="pulled in"
        ),
        pytest.param(OPEN, None, [("deleted", "ana", "best_case", -40_000)], id="gone"),
        pytest.param(None, LOST, [], id="new and lost"),
        pytest.param(
            OPEN, replace(WON, cents=45_000_00, owner="bob"),
            [
                ("amount_up", "ana", "best_case", 5_000), ("owner", "ana", "best_case", -45_000),
                ("owner", "bob", "best_case", 45_000), ("won", "bob", "best_case", -45_000),
                ("won", "bob", "closed", 45_000),
            ],
            id="everything at once",
        ),
    ],
)  # fmt: skip
def test_each_movement_has_its_reason(
    before: RecordState | None, after: RecordState | None, parts: list[tuple[str, str, str, int]]
) -> None:
    assert explain(before, after) == parts


def test_a_close_date_that_passes_is_told_once() -> None:
    due = {12: replace(OPEN, close_date=date(2026, 11, 25))}
    saturday = FRIDAY + timedelta(days=1)
    (slipped,) = compute_movements(due, due, QUARTER, MONDAY, FRIDAY)
    assert (slipped.reasons, slipped.cents) == ((MovementReason.SLIPPED,), 0)
    assert compute_movements(due, due, QUARTER, FRIDAY, saturday) == []
    assert compute_movements(due, due, QUARTER, MONDAY, date(2026, 11, 25)) == [], "not before the day is over"
    assert explain(due[12], replace(WON, close_date=date(2026, 11, 25)))[0][0] == "won"
    assert explain(None, due[12]) == [("new", "ana", "best_case", 40_000), ("slipped", "ana", "best_case", 0)]


def test_an_open_opportunity_is_not_won_whatever_its_category_says() -> None:
    told = replace(OPEN, category=ForecastCategory.CLOSED)
    assert list(compute_figures([told], QUARTER)) == [("ana", ForecastCategory.COMMIT)]
    assert explain(told, WON) == [("won", "ana", "commit", -40_000), ("won", "ana", "closed", 40_000)]


def test_what_has_no_amount_is_counted_beside_the_sum() -> None:
    figures = compute_figures([OPEN, replace(OPEN, record_id=13, cents=None)], QUARTER)
    (figure,) = figures.values()
    assert (figure.count, figure.cents, figure.without_amount) == (2, 40_000_00, 1)


def test_what_has_no_close_date_counts_for_all_days_alone() -> None:
    undated = replace(OPEN, close_date=None)
    assert explain(undated, OPEN) == [("moved_in", "ana", "best_case", 40_000)]
    assert explain(undated, OPEN, ALL_DAYS) == []
    assert explain(None, undated, ALL_DAYS) == [("new", "ana", "best_case", 40_000)]


@pytest.mark.parametrize(
    ("name", "fiscal_start", "first", "last"),
    [
        ("this_month", 1, date(2026, 11, 1), date(2026, 11, 30)),
        ("next_month", 1, date(2026, 12, 1), date(2026, 12, 31)),
        ("this_quarter", 1, date(2026, 10, 1), date(2026, 12, 31)),
        ("next_quarter", 1, date(2027, 1, 1), date(2027, 3, 31)),
        ("this_quarter", 2, date(2026, 11, 1), date(2027, 1, 31)),
        ("this_quarter", 12, date(2026, 9, 1), date(2026, 11, 30)),
        ("last_quarter", 2, date(2026, 8, 1), date(2026, 10, 31)),
        ("this_year", 1, date(2026, 1, 1), date(2026, 12, 31)),
        ("this_year", 4, date(2026, 4, 1), date(2027, 3, 31)),
        ("this_year", 12, date(2025, 12, 1), date(2026, 11, 30)),
        ("2026-02", 1, date(2026, 2, 1), date(2026, 2, 28)),
        ("2026-q4", 1, date(2026, 10, 1), date(2026, 12, 31)),
        ("2026-q1", 4, date(2025, 4, 1), date(2025, 6, 30)),
    ],
)
def test_a_period_has_its_days(name: str, fiscal_start: int, first: date, last: date) -> None:
    assert find_period(name, FRIDAY, fiscal_start) == Period(first, last)


@pytest.mark.parametrize("name", ["", "this", "this_week", "2026", "2026-13", "2026-q5", "2026-q0", "q4", "٢٠٢٦-١١"])
def test_a_period_that_there_is_not_has_no_days(name: str) -> None:
    assert find_period(name, FRIDAY) is None


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(1, 12), st.sampled_from(["month", "quarter", "year"]))
def test_periods_follow_one_another_without_a_gap(today: date, fiscal_start: int, length: str) -> None:
    last, this, following = (find_period(f"{step}_{length}", today, fiscal_start) for step in ("last", "this", "next"))
    assert last is not None
    assert this is not None
    assert following is not None
    assert this.has(today)
    day = timedelta(days=1)
    assert (last.last, this.last) == (this.first - day, following.first - day)  # type: ignore[operator]
