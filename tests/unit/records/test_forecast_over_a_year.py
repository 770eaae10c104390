"""The forecast of a made-up year: between any two days, what moved comes to the difference, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.made_up_records import OPPORTUNITIES, Update
from benchmarks.made_up_year import Year, make_year
from leadgate.records.forecast import RecordState, compute_figures, compute_movements, sum_parts
from leadgate.records.forecast_periods import ALL_DAYS, Period, find_period
from leadgate.vocabulary import ForecastCategory, MovementReason

START = datetime(2026, 1, 1, 18, tzinfo=UTC)
_DAYS = st.integers(0, 364)


@cache
def live_year() -> Year:
    return make_year(60)


@cache
def know_states(day: int) -> dict[int, RecordState]:
    """Every opportunity that was told by that evening, as it was known then."""
    year, evening = live_year(), START + timedelta(days=day)
    keys = [key for source, key in year.by_key if source == OPPORTUNITIES]
    known = {number: year.known(OPPORTUNITIES, key, evening) for number, key in enumerate(keys)}
    return {number: read_state(number, update) for number, update in known.items() if update is not None}


def read_state(number: int, update: Update) -> RecordState:
    row = update.row
    return RecordState(
        record_id=number,
        owner=row["Opportunity Owner"].lower().removesuffix("@seller.example").replace(" ", "_"),
        cents=round(float(row["Amount"]) * 100) if row["Amount"] else None,
        close_date=update.due,
        category=ForecastCategory((row["Forecast Category"] or "Pipeline").lower().replace(" ", "_")),
        is_open=update.is_open,
    )


def find_days(name: str, day: int) -> Period:
    period = find_period(name, (START + timedelta(days=day)).date())
    assert period is not None
    return period


@given(_DAYS, _DAYS, st.sampled_from(["all", "this_quarter", "next_month"]))
def test_movements_between_any_two_days_sum_exactly(one: int, other: int, name: str) -> None:
    before, after, period = know_states(one), know_states(other), find_days(name, one)
    days = [(START + timedelta(days=day)).date() for day in (one, other)]
    movements = compute_movements(before, after, period, days[0], days[1])
    start, end = compute_figures(before.values(), period), compute_figures(after.values(), period)
    parts = sum_parts(part for movement in movements for part in movement.parts)

    for key in start.keys() | end.keys() | parts.keys():
        at_start, at_end = (figures[key].cents if key in figures else 0 for figures in (start, end))
        assert at_start + parts.get(key, 0) == at_end, key


def test_a_year_has_every_movement_that_a_manager_asks_about() -> None:
    found: set[MovementReason] = set()
    for day in range(7, 365, 7):
        days = [(START + timedelta(days=each)).date() for each in (day - 7, day)]
        for movement in compute_movements(
            know_states(day - 7), know_states(day), find_days("this_quarter", day), days[0], days[1]
        ):
            found.update(movement.reasons)

    assert found >= set(MovementReason) - {MovementReason.DELETED, MovementReason.REOPENED}


def test_the_same_day_has_no_movements() -> None:
    assert compute_movements(know_states(80), know_states(80), ALL_DAYS, START.date(), START.date()) == []
